"""The files that reports have, listed for a comparison with the store."""

from __future__ import annotations

from models.reports.stored_files import all_files, newest_files
from tests.factories import QUIZ_ID, Api


def test_files_are_listed_newest_first_however_many_are_read_at_once(api: Api) -> None:
    reports = [api.generated(includes_all_versions=all_versions) for all_versions in (False, True)]
    reports.append(api.generated(report_type="item_analysis"))
    expected = [report["id"] for report in reversed(reports)]

    with api.database.transaction() as session:
        for batch in (1, 2, 1000):
            assert [file.report_id for file in all_files(session, batch=batch)] == expected
        [newest] = newest_files(session, most=1)

    assert str(newest).startswith(
        f"report {expected[0]} of quiz {QUIZ_ID}: {newest.storage_key}, written by "
    )
    assert newest.size == reports[-1]["file"]["size"]
