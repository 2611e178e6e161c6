"""A body of parameters is read in time that follows its size, and a form has at most a thousand parts."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.exceptions import RequestEntityTooLarge

from api.params import list_params
from tests.cost import cpu_seconds

APP = Flask("test")
APP.config["MAX_CONTENT_LENGTH"] = 2**20

MULTIPART = "multipart/form-data; boundary=x"
JSON_API = "application/vnd.api+json"
URL_ENCODED = "application/x-www-form-urlencoded"


def parts(count: int) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="include[]"\r\n\r\nfile\r\n' * count + b"--x--\r\n"


@pytest.mark.cost
@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (MULTIPART, parts(1_001)),
        (
            MULTIPART,
            parts(1)[:-7] + b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + b"a" * 600_000,
        ),
    ],
    ids=["many parts", "a long part"],
)
def test_a_form_that_is_too_large_is_refused(content_type: str, body: bytes) -> None:
    with APP.test_request_context(method="POST", data=body, content_type=content_type):
        assert cpu_seconds(refused) < 1


def refused() -> None:
    with pytest.raises(RequestEntityTooLarge):
        list_params()


def test_a_form_within_the_bounds_is_read() -> None:
    with APP.test_request_context(method="POST", data=parts(1_000), content_type=MULTIPART):
        assert list_params().include == {"file"}


@pytest.mark.cost
@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (JSON_API, b'{"include": [' + b'"file",' * 140_000 + b'"progress"]}'),
        (JSON_API, b'{"quiz_reports": [' + b"{}," * 330_000 + b"{}]}"),
        (JSON_API, b'{"include": "' + b"file," * 190_000 + b'progress"}'),
        (URL_ENCODED, b"include[]=" + b"file," * 190_000),
        (URL_ENCODED, b"include[]=file&" * 65_000),
    ],
    ids=["JSON names", "JSON reports", "a JSON text", "a long value", "many values"],
)
def test_a_megabyte_of_parameters_takes_little_time(content_type: str, body: bytes) -> None:
    with APP.test_request_context(method="POST", data=body, content_type=content_type):
        assert cpu_seconds(list_params) < 3
