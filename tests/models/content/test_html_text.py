"""Contract, section 7: headers lose their tags and nothing else, every cell is plain text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.content.html_text import plain_text, strip_tags
from tests.cost import cpu_seconds

# Nothing here takes a tenth of this; a quadratic way takes minutes.
SECONDS = 20


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<p>a</p><p>b</p>", "ab"),
        ("<p>a</p>\n<p>b</p>", "a\nb"),
        ("<p>a</p>\r\n<p>b</p>", "a\r\nb"),
        ("  <p> a  b </p> ", "   a  b  "),
        ("a<br>b", "ab"),
        ("fish &amp; chips", "fish & chips"),
        ("<em>fish &amp; chips</em>", "fish & chips"),
        ("6 &lt; 7", "6 < 7"),
        ("<b>6</b> &lt; 7", "6 < 7"),
        ("6 < 7", "6 < 7"),
        ("a<script>alert(1)</script>b", "ab"),
        ("a<style>p {}</style>b<!-- c -->", "ab"),
        ("no tags, no entities", "no tags, no entities"),
        ("", ""),
    ],
)
def test_a_title_loses_its_tags_and_nothing_else(html: str, title: str) -> None:
    assert strip_tags(html) == title


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a  b\t c\r\n\n d", "a b c d"),
        (" a ", "a"),
        ("<p> a  b\n c </p>", "a b c"),
        ("a\u00a0 \u00a0b", "a\u00a0 \u00a0b"),
        ("a&nbsp;&nbsp;b", "a\u00a0\u00a0b"),
        ("<b>a</b> <i>b</i>", "a b"),
        ("<b>a</b><i>b</i>", "ab"),
        ("<b>a </b> <i> b</i>", "a b"),
    ],
)
def test_runs_of_white_space_are_one_blank_and_a_no_break_space_stays(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a<br>b", "a\nb"),
        ("a <br/> b", "a\nb"),
        ("a<br><br>b", "a\n\nb"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<p>a</p>\n\n\n<p>b</p>", "a\n\nb"),
        ("a<p>b</p>c", "a\n\nb\n\nc"),
        ("<div><div><p>a</p></div></div><div>b</div>", "a\n\nb"),
        ("<p>a</p><br><p>b</p>", "a\n\nb"),
        ("<p></p><p>a</p><p></p>", "a"),
        ("<p>a<p>b", "a\n\nb"),
        ("<blockquote>a</blockquote>b", "a\n\nb"),
        ("a<hr>b", "a\n\nb"),
        ("<dl><dt>a<dd>b<dd>c</dl>d", "a\n\nb\n\nc\n\nd"),
    ],
)
def test_a_br_breaks_the_line_and_blocks_are_parted_by_one_empty_line(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<pre>a = 1\nb = 2</pre>", "a = 1\nb = 2"),
        ("<pre>a\n  b\t c </pre>d", "a\nb c\n\nd"),
        ("<pre>\n\na\n\n\nb\n\n</pre>c\nd", "a\n\n\nb\n\nc d"),
        ("<pre>a\r\nb&#13;c<br>d</pre>", "a\nb\nc\nd"),
        ("<pre><code>if <b>x:\n</b> y</code>\nz</pre>", "if x:\ny\nz"),
        ("<pre>a&nbsp;\n&nbsp;b</pre>", "a\u00a0\n\u00a0b"),
        ("<pre>a</pre><pre>b</pre>\nc\nd", "a\n\nb\n\nc d"),
        ("<ul><li><pre>a\nb</pre></li></ul>", "* a\nb"),
        ("<p>a\nb</p>", "a b"),
    ],
)
@pytest.mark.contract("7 Cells", "lists, headings, links, images and preformatted lines are plain text")
def test_the_lines_of_a_pre_keep_their_breaks(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            'see <a href="http://x.org/?a=1&amp;b=2">the  <b>site</b></a>!',
            "see [the site] (http://x.org/?a=1&b=2)!",
        ),
        ('a<a href="u"> b </a>c', "a [b] (u) c"),
        ('<a name="here">a</a>', "a"),
        ('<img alt="a < b" src="p.png">', "[a < b] (p.png)"),
        ('<img alt="" src="p.png">', "[] (p.png)"),
        ('a <img src="p.png"> b', "a p.png b"),
        ('<img alt="a">', "[a]"),
        ("a<img>b", "ab"),
        ('<a href="u"><img alt="a" src="p.png"></a>', "[[a] (p.png)] (u)"),
        ('<a href="p.png"><img src="p.png"></a>', "p.png"),
        ('<p><a href="https://e.example/a">https://e.example/a</a></p>', "https://e.example/a"),
        (
            'at <a href="http://x.org/?a=1&amp;b=2"> <b>http://x.org/?a=1&amp;b=2</b></a>.',
            "at http://x.org/?a=1&b=2.",
        ),
        ('<a href="mailto:a@b.example">a@b.example</a>', "[a@b.example] (mailto:a@b.example)"),
        (
            '<a href="https://e.example/a">https://e.example/</a>',
            "[https://e.example/] (https://e.example/a)",
        ),
        ('a <a href=""></a>b', "a b"),
    ],
)
@pytest.mark.contract("7 Cells", "lists, headings, links, images and preformatted lines are plain text")
def test_links_and_images_show_where_they_lead(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ul><li>a</li><li>b</li></ul>", "* a\n\n* b"),
        ("<ul>\n<li>a</li>\n<li>b</li>\n</ul>", "* a\n\n* b"),
        ("<ol><li>a<li>b</ol>", "* a\n\n* b"),
        ("<li>a<li>b", "* a\n\n* b"),
        ("x<ul><li>a</li></ul>y", "x\n\n* a\n\ny"),
        ("<ul><li><p>a</p></li><li><p>b</p><p>c</p></li></ul>", "* a\n\n* b\n\nc"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "* a\n\n* b\n\n* c"),
        ("<ul><li>a<ol><li>b</ol>c</li></ul>", "* a\n\n* b\n\nc"),
        ("<ul><li>a</li></ul><ul><li>b</li></ul>", "* a\n\n* b"),
        ("<ul><li></li><li>b</li></ul>", "*\n\n* b"),
        ("<ul><li>a<br>b</li></ul>", "* a\nb"),
    ],
)
@pytest.mark.contract("7 Cells", "lists, headings, links, images and preformatted lines are plain text")
def test_list_items_begin_with_a_star_and_are_parted_by_one_empty_line(html: str, text: str) -> None:
    assert plain_text(html) == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h2>BIG</h2><p>x</p>", "---\nBIG\n---\n\nx"),
        ("<h2>Two<br>lines of it</h2>", "-----------\nTwo\nlines of it\n-----------"),
        ("<h3>Cells</h3>a", "Cells\n-----\n\na"),
        ("<h3>Two<br>lines of it</h3>", "Two\nlines of it\n-----------"),
        ("<h4>a</h4><h5>b</h5><h6>c</h6>", "a\n-\n\nb\n-\n\nc\n-"),
        ("<h1>Big one</h1>a", "*******\nBig one\n*******\n\na"),
        ("<h1>One<br>longer line</h1>", "***********\nOne\nlonger line\n***********"),
        ("<h1>细胞</h1>", "**\n细胞\n**"),
        ("<h2></h2>a", "a"),
    ],
)
@pytest.mark.contract("7 Cells", "lists, headings, links, images and preformatted lines are plain text")
def test_headings_are_underlined_and_the_first_two_levels_stand_between_rows(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_the_rows_of_a_table_are_lines_and_its_cells_are_parted() -> None:
    assert plain_text("<table><tr><th>a</th><td>b</td></tr><tr><td>c<td>d</table>e") == "a b\nc d\n\ne"


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("6 &lt; 7", "6 < 7"),
        ("6 < 7", "6 < 7"),
        ("<p>6 < 7</p>", "6 < 7"),
        ("x<5 and y>3", "x<5 and y>3"),
        ("a<b", "a<b"),
        ("<b>x</b> a<b", "x a<b"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("AT&T", "AT&T"),
        ("<3", "<3"),
        ("<", "<"),
        ("=1+1", "=1+1"),
        ("&#0;", "\ufffd"),
        ("<i>&#xD800;</i>", "\ufffd"),
        (f"&#{'9' * 5_000};", "\ufffd"),
        (f"a&#x{'f' * 5_000};b", "a\ufffdb"),
        (f"&#{'0' * 5_000}65;&#x{'0' * 5_000}42;", "AB"),
        (f"<b>&#{'0' * 5_000}65;</b>&#x{'0' * 5_000}42", "AB"),
        (f"&#{'0' * 5_000};", "\ufffd"),
        ("</script>", ""),
        ("</script>a", "a"),
        ("👩‍🔬 שלום", "👩‍🔬 שלום"),
    ],
)
def test_what_is_no_tag_is_not_lost_as_one(typed: str, text: str) -> None:
    assert plain_text(typed) == text


def test_what_a_browser_does_not_show_is_dropped() -> None:
    hidden = "<script>alert('<p>')</script><style>p {}</style><!-- c --><template>t</template><?php x ?>"

    assert plain_text(f"a{hidden}b") == "ab"


@pytest.mark.cost
@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 20_000 + "x",
        "<b>" * 20_000,
        "<p>" * 30_000 + "x",
        "<ul><li>" * 30_000,
        "<h1>" * 1000 + "xyz\n" * 50_000,
        "<li>" * 1000 + "xyz\n" * 50_000,
        "<a href=x>" * 20_000 + "x",
        "a <b>b</b> " * 20_000,
        "<" * 20_000,
        "&" * 20_000,
        "<a b=" * 30_000 + ">",
        "<!--" * 30_000 + ">",
        '<a href="' + "x " * 50_000 + '">y</a>',
    ],
    ids=lambda html: html[:8],
)
def test_large_deep_and_broken_html_takes_no_long_time(html: str) -> None:
    assert cpu_seconds(lambda: (plain_text(html), strip_tags(html))) < SECONDS


@given(st.text(st.sampled_from("ab <>/&;=\"'!-\n\t\u00a0phlirstu1#")))
def test_any_text_becomes_plain_text_without_nul_or_loose_white_space(html: str) -> None:
    text = plain_text(html)

    assert "\0" not in text
    assert not {"  ", " \n", "\n ", "\t", "\r"} & set(pairs_and_characters(text))
    assert text == text.strip(" \t\r\n")
    assert isinstance(strip_tags(html), str)


def pairs_and_characters(text: str) -> list[str]:
    return [a + b for a, b in itertools.pairwise(text)] + list(text)


@given(st.text(st.characters(exclude_characters="<&\r\n\t ", exclude_categories=["Cs"])))
def test_text_without_markup_or_white_space_stays_as_it_is(text: str) -> None:
    assert plain_text(text) == text
    assert strip_tags(text) == text


def test_a_row_at_the_beginning_of_an_item_follows_its_marker() -> None:
    assert plain_text("<ul><li><table><tr><td>a</td><td>b</td></tr></table></li></ul>") == "* a b"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(" \n\t<&>"), max_size=8)))
def test_plain_paragraphs_are_rendered_as_among_other_elements(paragraphs: list[str]) -> None:
    html = "\n".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)

    # The parser reads the second.
    assert plain_text(html) == plain_text(f"<div>{html}</div>")
