"""The time that HTML takes follows its size, whatever its markup."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.content.html_text import plain_text, strip_tags
from tests.cost import cpu_seconds

# The text is ten times as long; a hundred times the time would be quadratic.
SHORT, LONG = 30_000, 300_000
MOST_TIMES = 40
MOST_SECONDS = 3.0


def repeated(unit: str) -> Callable[[int], str]:
    return lambda size: unit * (size // len(unit))


def after(start: str, unit: str) -> Callable[[int], str]:
    return lambda size: start * 3_000 + unit * (size // len(unit))


MARKUP: dict[str, Callable[[int], str]] = {
    "a tag with many attributes": lambda size: (
        "<p " + " ".join(f"a{number}" for number in range(size // 8)) + ">text"
    ),
    "the same attribute many times": lambda size: "<p " + "a=1 " * (size // 4) + ">text",
    "attributes of many bodies": lambda size: "".join(f"<body a{n}=1>" for n in range(size // 12)),
    "deep nesting": repeated("<div>"),
    "many end tags in deep nesting": after("<b>", "</i>"),
    "as many end tags as open elements": lambda size: "<b>" * (size // 7) + "</i>" * (size // 7),
    "formatting that is never closed": repeated("<p><b><i>"),
    "tags closed in the wrong order": repeated("<a><b></a></b>"),
    "entities": repeated("&amp;<b>"),
    "broken entities": repeated("&x<b>"),
    "comments": repeated("<!-- x -->"),
    "open comments": repeated("<!-- >"),
    "a table": repeated("<tr><td>a"),
    "tables in tables": repeated("<table><tr><td>"),
    "lists in lists": repeated("<ul><li>a"),
    "headings": repeated("<h1>a</h1>"),
    "a long heading": lambda size: f"<h1>{'a' * size}</h1>",
    "links in links": repeated("<a href=x>a"),
    "pre": lambda size: f"<pre>{chr(10) * size}</pre>",
    "lines of a pre": lambda size: "<pre>" + "a\n" * (size // 2) + "</pre>",
    "pre in pre": repeated("<pre>a\n"),
    "list items": repeated("<li>a"),
    "images": repeated("<img src=x>"),
    "bare links": repeated("<a href=x>x</a>"),
    "svg": repeated("<svg><path>"),
    "math": repeated("<math><mi>"),
    "templates": repeated("<template>a</template>"),
    "tags that never end": repeated("<p "),
    "open quotes": repeated('<p a=">'),
    "a number without end": lambda size: f"<p>&#{'9' * size};",
    "a hexadecimal number without end": lambda size: f"<p>&#x{'f' * size};",
    "long numbers": repeated(f"<p>&#{'0' * 5_000}65;"),
}


@pytest.mark.cost
@pytest.mark.no_cover
@pytest.mark.parametrize("read", [plain_text, strip_tags])
@pytest.mark.parametrize("markup", MARKUP.values(), ids=MARKUP.keys())
def test_time_follows_the_size_of_the_text(markup: Callable[[int], str], read: Callable[[str], str]) -> None:
    short, long = markup(SHORT), markup(LONG)
    most = min(max(cpu_seconds(lambda: read(short)), 0.005) * MOST_TIMES, MOST_SECONDS)

    # Others on the processor take its caches, at worst from one try of three.
    assert any(cpu_seconds(lambda: read(long)) < most for _ in range(3))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p {}>Hello <b>world</b></p>", "Hello world"),
        ("<ul><li {}>one<li>two</ul><p>three", "* one\n\n* two\n\nthree"),
        (
            "<h2 {}>Title</h2> text <a href='x y'>link</a><img alt=a src=b>",
            "-----\nTitle\n-----\n\ntext [link] (x y)[a] (b)",
        ),
        ("<script {}>no</script>yes<style>no</style> &amp; so<!-- no --> on", "yes & so on"),
        ("a<br {}>b</p>\r\n<table><tr><td>1<td>2<tr><td>3</table>", "a\nb\n\n1 2\n3"),
    ],
)
def test_a_long_text_reads_as_a_short_one(html: str, text: str) -> None:
    assert plain_text(html.format("")) == text
    assert plain_text(html.format(" ".join(f"a{number}=1" for number in range(3_000)))) == text


def test_what_is_nested_too_deeply_ends_a_long_text_as_it_ends_a_short_one() -> None:
    # The short one is cut by the parser's tree.
    short, long = "<b>a" * 2_400, "<b>a" * 3_000

    assert plain_text(long) == plain_text(short) == "a" * 2_046
