"""The files of `import`: what they hold, where they go, and that they go as they are."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from ops.client.http import Client
from ops.client.import_files import ImportFile, ImportFileError, open_import_file


def opened(path: Path, *, course: str | None = None, quiz_id: int | None = None) -> ImportFile:
    return open_import_file(path, course=course, quiz_id=quiz_id)


def written(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "path", "body"),
    [
        (
            '{"course": {"id": 101, "name": "Bio", "users": []}}',
            "/api/v1/courses/101",
            {"course": {"name": "Bio", "users": []}},
        ),
        (
            '{"quiz": {"id": 201, "course_id": 101, "title": "Cells"}}',
            "/api/v1/courses/101/quizzes/201",
            {"quiz": {"title": "Cells"}},
        ),
        # As Canvas writes ids if it is asked for strings.
        (
            '{"quiz": {"id": "201", "course_id": "101", "title": "Cells"}}',
            "/api/v1/courses/101/quizzes/201",
            {"quiz": {"title": "Cells"}},
        ),
    ],
)
def test_a_body_goes_to_its_ids_without_them(
    content: str,
    path: str,
    body: object,
    tmp_path: Path,
    recording_client: Client,
    pushed: list[httpx.Request],
) -> None:
    opened(written(tmp_path / "body.json", content)).push(recording_client, lambda size: None)

    assert pushed[0].url.path == path
    assert json.loads(pushed[0].content) == body


def test_submissions_become_lines_and_stay_as_they_are_written(
    tmp_path: Path, recording_client: Client, pushed: list[httpx.Request]
) -> None:
    # A key given twice is for the service to refuse, not for us to mend.
    content = (
        '{"course_id": "101", "quiz_id": "201", "quiz_submissions": [{"id": 1,\r\n "id": 1.0}, {"id": 2}]}'
    )
    shown: list[int] = []
    opened(written(tmp_path / "s.json", content)).push(recording_client, shown.append)

    assert pushed[0].url.path == "/api/v1/courses/101/quizzes/201/submissions"
    assert pushed[0].content == b'{"id": 1,   "id": 1.0}\n{"id": 2}\n'
    assert sum(shown) == len(pushed[0].content)


def test_lines_that_are_sent_again_are_shown_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    path = written(tmp_path / "s.ndjson", '{"id": 1}\n' * 100_000)
    counts = {"created": 1, "updated": 0, "unchanged": 0, "deleted": 0}
    responses = [httpx.Response(503, headers={"Retry-After": "1"}), httpx.Response(200, json=counts)]
    bodies: list[bytes] = []

    def handle(request: httpx.Request) -> httpx.Response:
        bodies.append(request.read())
        return responses[len(bodies) - 1]

    shown: list[int] = []
    with Client("http://127.0.0.1:9", "secret", transport=httpx.MockTransport(handle)) as client:
        opened(path, course="101", quiz_id=201).push(client, shown.append)

    assert bodies == [path.read_bytes()] * 2
    assert sum(shown) == path.stat().st_size


@pytest.mark.parametrize("suffix", [".ndjson", ".jsonl"])
def test_lines_are_sent_as_they_are(
    suffix: str, tmp_path: Path, recording_client: Client, pushed: list[httpx.Request]
) -> None:
    path = written(tmp_path / f"s{suffix}", '{"id": 1}\n\nnot JSON')
    opened(path, course="sis_course_id:BIO", quiz_id=201).push(recording_client, lambda size: None)

    assert pushed[0].url.path == "/api/v1/courses/sis_course_id:BIO/quizzes/201/submissions"
    assert pushed[0].content == path.read_bytes()


def test_ids_given_stand_above_those_in_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "q.json", '{"quiz": {"id": 201, "course_id": 101}}')

    assert (opened(path, course="7", quiz_id=8).course, opened(path, quiz_id=8).quiz_id) == ("7", 8)


def test_courses_come_before_quizzes_before_submissions(tmp_path: Path) -> None:
    files = [
        opened(written(tmp_path / "3.json", '{"quiz_submissions": [], "course_id": 1, "quiz_id": 2}')),
        opened(written(tmp_path / "2.json", '{"quiz": {"id": 2, "course_id": 1}}')),
        opened(written(tmp_path / "1.json", '{"course": {"id": 1}}')),
    ]

    assert [file.path.name for file in sorted(files, key=lambda file: file.rank)] == [
        "1.json",
        "2.json",
        "3.json",
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.json", "{", "cannot be read"),
        ("x.json", "[]", "cannot be read"),
        ("x.json", '{"course": 1}', "cannot be read"),
        ("x.json", '{"quizes": []}', "holds no course, quiz or submissions"),
        ("x.json", '{"course": {"name": "Bio"}}', "add --course ID"),
        ("x.json", '{"quiz": {"course_id": 1}}', "add --quiz ID"),
        ("x.json", '{"quiz": {"id": "two", "course_id": 1}}', "must be an integer"),
        ("x.json", '{"quiz_submissions": []}', "add --course ID"),
        ("x.ndjson", '{"id": 1}', "add --course ID"),
    ],
)
def test_a_file_that_cannot_be_pushed_says_what_it_lacks(
    name: str, content: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ImportFileError, match=says):
        opened(written(tmp_path / name, content))
