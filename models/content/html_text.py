"""HTML to text: titles only lose their tags, cells become readable plain text.

All input may be hostile. The parser is libxml2's, which reads tags as browsers do: `6 < 7` is text. It stops
at elements nested deeper than two thousand, and no function here recurses.

A long text is read as events. The parser's tree, which is faster for a short one, takes time that grows with
the square of a tag's attributes.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

from lxml import etree

_HIDDEN: Final = frozenset({"script", "style", "template"})
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
# Headings between two rows; the others are underlined.
_ENCLOSED: Final = frozenset({"h1", "h2"})
# Elements on a line of their own, such as the rows of a table.
_LINES: Final = frozenset({"caption", "optgroup", "option", "tr"})
_CELLS: Final = frozenset({"td", "th"})
_BLOCKS: Final = _HEADINGS | {
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "main",
    "menu", "nav", "ol", "p", "pre", "search", "section", "summary", "table", "ul",
}  # fmt: skip

# The depth of the parser's tree. The parser compares each end tag with every open element.
_MOST_DEPTH: Final = 2_048
_LONGEST_FOR_TREE: Final = 10_000
_PARSED_AT_ONCE: Final = 10_000

# A no-break space does not count as white space: authors use it where a blank must stay.
_WHITE_SPACE: Final = " \t\r\n"
_WHITE_SPACE_RUN: Final = re.compile(f"[{_WHITE_SPACE}]+")
_LINE_END: Final = re.compile("\r\n?|\n")
_UNTIDY: Final = ("\n", "  ", "\t", "\r")

# What the editor writes for most essays. The characters are those that XML allows without conditions.
_PARAGRAPHS: Final = re.compile(
    "(?:[ \t\r\n]*<p>[ \t\r\n!-%'-;=?-~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*</p>)+[ \t\r\n]*"
)
_PARAGRAPH: Final = re.compile("<p>([^<]*)")

# Python refuses to read thousands of digits, and the parser reads the digits of a chunk again with the next.
_LONG_REFERENCE: Final = re.compile(r"(?<=&#)[0-9]{9,}+|(?<=&#[xX])[0-9A-Fa-f]{9,}+")
_NO_CHARACTER: Final = "99999999"


def strip_tags(html: str) -> str:
    """Remove the tags of HTML and decode its entities; everything else stays, line breaks as well."""
    html = _with_short_references(html)
    if "<" not in html:
        return entities.unescape(html) if "&" in html else html
    # As an entity, a CR survives the parser, which would turn CR LF into one LF.
    stripper = _Stripper()
    _parse(html.replace("\r", "&#13;"), stripper)
    return "".join(stripper.texts)


def plain_text(html: str) -> str:
    """Turn HTML into the plain text of a cell.

    Runs of white space become one blank, `<br>` a line break; an empty line separates blocks. The lines of a
    `pre` keep their breaks. A link becomes `[text] (href)`, or its address if the text is the same; an image
    `[alt] (src)`, or its address if it has no alt; a list item `* item`. An h1 is put between rows of `*`, an
    h2 between rows of `-`, and other headings are underlined with `-`. The cells of a table row are put on
    one line.
    """
    html = _with_short_references(html)
    if "<" not in html:
        text = entities.unescape(html) if "&" in html else html
        return _spaced(text).strip(_WHITE_SPACE)
    if len(html) <= _LONGEST_FOR_TREE and _PARAGRAPHS.fullmatch(html):
        # The parser would find nothing else, and takes ten times as long.
        texts = (_spaced(text).strip(_WHITE_SPACE) for text in _PARAGRAPH.findall(html))
        return "\n\n".join(filter(None, texts))
    renderer = _Renderer()
    _parse(html, renderer)
    return renderer.flow.text


class _Handler(Protocol):
    """Receives the events of a document in order, except those of hidden elements."""

    def start(self, tag: str, attributes: Mapping[str, str | None], /) -> None:
        """Begin an element."""

    def end(self, tag: str, /) -> None:
        """End the element that was begun last."""

    def add_text(self, text: str, /) -> None:
        """Add the text between two tags."""


def _parse(html: str, handler: _Handler) -> None:
    # No tag can follow the last `>`, so every later `<` is a plain character.
    finished, end, rest = html.rpartition(">")
    source = f"<body>{finished}{end}{rest.replace('<', '&lt;')}".encode("utf-8", "replace")
    if len(source) <= _LONGEST_FOR_TREE:
        _walk_tree(source, handler)
    else:
        _read_events(source, handler)


def _walk_tree(source: bytes, handler: _Handler) -> None:
    # A parser holds a lock while it works, and a new one is cheap, so none is shared.
    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, no_network=True
    )
    walk = etree.iterwalk(etree.fromstring(source, parser), events=("start", "end"))
    for event, element in walk:
        tag = str(element.tag)
        if event == "start" and tag in _HIDDEN:
            walk.skip_subtree()
        elif event == "start":
            handler.start(tag, element.attrib)
            if element.text:
                handler.add_text(element.text)
        else:
            if tag not in _HIDDEN:
                handler.end(tag)
            if element.tail:
                handler.add_text(element.tail)


def _read_events(source: bytes, handler: _Handler) -> None:
    target = _Target(handler)
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True, no_network=True)
    try:
        for start in range(0, len(source), _PARSED_AT_ONCE):
            parser.feed(source[start : start + _PARSED_AT_ONCE])
        parser.close()
    except _TooDeepError:
        target.close()


class _TooDeepError(Exception):
    """The elements are nested too deeply."""


class _Target:
    """Receives the parser's events, and passes on those outside hidden elements."""

    def __init__(self, handler: _Handler) -> None:
        self._handler = handler
        self._open: list[str] = []
        self._hidden_depth = 0
        self._texts: list[str] = []

    def start(self, tag: str | bytes, attributes: Mapping[Any, Any]) -> None:
        self._flush()
        tag = str(tag)
        if len(self._open) >= _MOST_DEPTH:
            raise _TooDeepError
        self._open.append(tag)
        self._hidden_depth += tag in _HIDDEN
        if not self._hidden_depth:
            self._handler.start(tag, attributes)

    def end(self, tag: str | bytes) -> None:
        self._flush()
        tag = self._open.pop()
        if not self._hidden_depth:
            self._handler.end(tag)
        self._hidden_depth -= tag in _HIDDEN
        if not self._open:
            # Drop what follows the root, which the parser's tree does not contain, either.
            self._hidden_depth = 1

    def data(self, text: str | bytes) -> None:
        if not self._hidden_depth:
            self._texts.append(str(text))

    def comment(self, text: str | bytes) -> None:
        pass

    def close(self) -> None:
        while self._open:
            self.end(self._open[-1])
        self._flush()

    def _flush(self) -> None:
        # The parser delivers a text in parts.
        if self._texts:
            self._handler.add_text("".join(self._texts))
            self._texts.clear()


class _Stripper:
    """Collects the texts, and drops the tags."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def start(self, _tag: str, _attributes: Mapping[str, str | None], /) -> None:
        pass

    def end(self, _tag: str, /) -> None:
        pass

    def add_text(self, text: str, /) -> None:
        self.texts.append(text)


class _Flow:
    """The text so far, and the gap before the next piece."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.has_gap = False
        self.begins_with_gap = False
        self.line_breaks = 0
        self._ends_block = False
        self._is_after_marker = False

    def add_text(self, text: str) -> None:
        """Add running text, with each run of white space as one blank."""
        words = _spaced(text)
        self.has_gap = self.has_gap or words.startswith(" ")
        if stripped := words.strip(" "):
            self.add(stripped)
            self.has_gap = words.endswith(" ")

    def add_lines(self, text: str) -> None:
        """Add preformatted text, which keeps its line breaks."""
        first, *others = _LINE_END.split(text)
        self.add_text(first)
        for line in others:
            self.break_line()
            if line:
                self.add_text(line)

    def add(self, piece: str) -> None:
        """Add a finished piece, if it is not empty, after the pending gap."""
        if not piece:
            return
        if self.parts:
            self.parts.append("\n" * self.line_breaks or (" " if self.has_gap else ""))
        else:
            self.begins_with_gap = self.has_gap
        self.parts.append(piece)
        self.has_gap, self.line_breaks, self._ends_block, self._is_after_marker = False, 0, False, False

    def add_marker(self) -> None:
        """Add the marker of a list item; the next piece goes on the same line."""
        self.start_block()
        self.add("*")
        self.has_gap, self._is_after_marker = True, True

    def end_item(self) -> None:
        """End a list item: one empty line separates it from the next piece, even if it was empty."""
        self._is_after_marker = False
        self.start_block()

    def separate(self) -> None:
        """Put a blank before the next piece."""
        self.has_gap = True

    def break_line(self) -> None:
        """Break the line; several breaks add up, and breaks between blocks have no effect."""
        if not self._ends_block and not self._is_after_marker:
            self.line_breaks += 1

    def start_line(self) -> None:
        """Begin a line with the next piece."""
        if not self._is_after_marker:
            self.line_breaks = max(1, self.line_breaks)

    def start_block(self) -> None:
        """Put one empty line before the next piece."""
        if not self._is_after_marker:
            self.line_breaks, self._ends_block = 2, True

    def add_flow(self, inner: _Flow, piece: str) -> None:
        """Add the text of an inner flow, and keep the white space at its ends."""
        if not piece:
            self.has_gap = self.has_gap or inner.has_gap
            return
        self.has_gap = self.has_gap or inner.begins_with_gap
        self.add(piece)
        self.has_gap = inner.has_gap

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.parts)


class _Renderer:
    """Makes the text of a cell; links and headings have their own flows."""

    def __init__(self) -> None:
        self.flow = _Flow()
        # Of each open link or heading: its depth, whether it is a heading, its address, the flow outside.
        self._outer: list[tuple[int, bool, str, _Flow]] = []
        self._depth = 0
        self._pre_depth = 0

    def start(self, tag: str, attributes: Mapping[str, str | None], /) -> None:
        self._depth += 1
        if tag == "br":
            self.flow.break_line()
        elif tag == "img":
            self.flow.add(_image(attributes))
        elif tag == "li":
            self.flow.add_marker()
        elif tag in _CELLS:
            self.flow.separate()
        else:
            self._pre_depth += tag == "pre"
            self._separate(tag)
        is_heading = tag in _HEADINGS
        if (is_heading or (tag == "a" and "href" in attributes)) and self._may_have_flow(is_heading):
            self._outer.append((self._depth, is_heading, _one_line(attributes.get("href")), self.flow))
            self.flow = _Flow()

    def end(self, tag: str, /) -> None:
        if self._outer and self._outer[-1][0] == self._depth:
            inner = self.flow
            _, is_heading, address, self.flow = self._outer.pop()
            if is_heading:
                self._add_heading(tag, inner.text)
            else:
                self.flow.add_flow(inner, _link(inner.text, address))
        if tag == "li":
            self.flow.end_item()
        else:
            self._separate(tag)
        self._pre_depth -= tag == "pre"
        self._depth -= 1

    def add_text(self, text: str, /) -> None:
        if self._pre_depth:
            self.flow.add_lines(text)
        else:
            self.flow.add_text(text)

    def _separate(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.flow.start_block()
        elif tag in _LINES:
            self.flow.start_line()

    def _may_have_flow(self, is_heading: bool) -> bool:
        # At most one of each kind at a time: a thousand nested headings would take too long.
        return all(outer_is_heading != is_heading for _, outer_is_heading, _, _ in self._outer)

    def _add_heading(self, tag: str, text: str) -> None:
        if not text:
            return
        width = max(len(line) for line in text.split("\n"))
        row = ("*" if tag == "h1" else "-") * width
        self.flow.add("\n".join([row, text, row] if tag in _ENCLOSED else [text, row]))


def _image(attributes: Mapping[str, str | None]) -> str:
    address = _one_line(attributes.get("src"))
    return _reference(_one_line(attributes["alt"]), address) if "alt" in attributes else address


def _link(text: str, address: str) -> str:
    return address if text == address else _reference(text, address)


def _with_short_references(html: str) -> str:
    """Shorten numeric character references to eight digits, which still stand for the same characters."""
    return _LONG_REFERENCE.sub(_short_digits, html) if "&#" in html else html


def _short_digits(digits: re.Match[str]) -> str:
    significant = digits[0].lstrip("0")
    return significant.rjust(1, "0") if len(significant) <= len(_NO_CHARACTER) else _NO_CHARACTER


def _reference(label: str, address: str) -> str:
    return f"[{label}] ({address})" if address else f"[{label}]"


def _one_line(attribute: str | None) -> str:
    return _spaced(attribute or "").strip(_WHITE_SPACE)


def _spaced(text: str) -> str:
    """Replace each run of white space by one blank."""
    # Most texts have only single blanks, and this test costs a fraction of the substitution.
    if any(untidy in text for untidy in _UNTIDY):
        return _WHITE_SPACE_RUN.sub(" ", text)
    return text
