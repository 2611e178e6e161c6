"""Names of files in headers: any title makes a header that browsers read and nothing can break."""

from __future__ import annotations

import pytest

from models.storage import content_disposition


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Cells.csv", 'filename="Cells.csv"'),
        ('Say "hi".csv', r'filename="Say \"hi\".csv"'),
        ("../a\\b.csv", "filename=\"report.._a_b.csv\"; filename*=UTF-8''.._a_b.csv"),
        ("a\r\nSet-Cookie: x", 'filename="a__Set-Cookie: x"'),
        # A right-to-left override would show "exe.csv" as "vsc.exe".
        ("a\u202eb", 'filename="a_b"'),
        ("Café.csv", "filename=\"Cafe.csv\"; filename*=UTF-8''Caf%C3%A9.csv"),
        ("山.csv", "filename=\"report.csv\"; filename*=UTF-8''%E5%B1%B1.csv"),
        # A full-width slash is an ordinary character until it is written in ASCII.
        ("a／b", "filename=\"a_b\"; filename*=UTF-8''a%EF%BC%8Fb"),
        ("é;=%'", "filename=\"e;=%'\"; filename*=UTF-8''%C3%A9%3B%3D%25%27"),
    ],
)
def test_a_header_is_safe_for_any_name(name: str, expected: str) -> None:
    assert content_disposition(name) == f"attachment; {expected}"


def test_a_name_of_200_bytes_stays_whole() -> None:
    name = "a" * 196 + ".csv"

    assert content_disposition(name) == f'attachment; filename="{name}"'


def test_a_longer_name_loses_its_middle() -> None:
    header = content_disposition("a" * 197 + ".csv")

    # 120 bytes, an ellipsis of three, and 77 bytes.
    plain, encoded = "a" * 120 + "..." + "a" * 73 + ".csv", "a" * 120 + "%E2%80%A6" + "a" * 73 + ".csv"
    assert header == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"


def test_no_character_is_cut_in_two() -> None:
    header = content_disposition("é" * 100 + ".csv")

    # 60 of two bytes fit into 120; of the last 77 bytes four are the ending, and one is half a character.
    assert header.endswith("''" + "%C3%A9" * 60 + "%E2%80%A6" + "%C3%A9" * 36 + ".csv")
