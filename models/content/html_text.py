"""HTML to text: titles only lose their tags, cells become readable plain text.

All input may be hostile. The parser is libxml2's, which reads tags as browsers do: `6 < 7` is text. It drops
elements nested deeper than two thousand, and no function here recurses.
"""

from __future__ import annotations

import html as entities
import re
from typing import Final

from lxml import etree

_UNSHOWN: Final = frozenset({"script", "style", "template"})
_HEADINGS: Final = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_LISTS: Final = frozenset({"dl", "ol", "ul"})
# Elements on a line of their own: list items, and the rows of a table.
_LINES: Final = frozenset({"caption", "dd", "dt", "li", "optgroup", "option", "tr"})
_CELLS: Final = frozenset({"td", "th"})
_BLOCKS: Final = _HEADINGS | {
    "address", "article", "aside", "blockquote", "body", "center", "details", "dialog", "div", "fieldset",
    "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "main", "nav", "p", "pre", "search",
    "section", "summary", "table",
}  # fmt: skip

# A no-break space does not count as white space: authors use it where a blank must stay.
_WHITE_SPACE: Final = " \t\r\n"
_WHITE_SPACE_RUN: Final = re.compile(f"[{_WHITE_SPACE}]+")
_UNTIDY: Final = ("\n", "  ", "\t", "\r")


def strip_tags(html: str) -> str:
    """Remove the tags of HTML and decode its entities; everything else stays, line breaks as well."""
    if "<" not in html:
        return entities.unescape(html) if "&" in html else html
    # As an entity, a CR survives the parser, which would turn CR LF into one LF.
    body = _parse(html.replace("\r", "&#13;"))
    etree.strip_elements(body, *_UNSHOWN, with_tail=False)
    return etree.tostring(body, method="text", encoding="unicode")


def plain_text(html: str) -> str:
    """Turn HTML into the plain text of a cell.

    Runs of white space become one blank, `<br>` a line break; an empty line separates blocks. A link becomes
    `[text] (href)`, an image `[alt] (src)`, a list item `* item`; a heading is underlined with `-`, and an h1
    is put between rows of `*`. The cells of a table row are put on one line.
    """
    if "<" not in html:
        text = entities.unescape(html) if "&" in html else html
        return _spaced(text).strip(_WHITE_SPACE)
    return _render(_parse(html))


def _parse(html: str) -> etree._Element:
    # No tag can follow the last `>`, so every later `<` is a plain character.
    finished, end, rest = html.rpartition(">")
    source = f"<body>{finished}{end}{rest.replace('<', '&lt;')}"
    # A parser holds a lock while it works, and a new one is cheap, so none is shared.
    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True, no_network=True
    )
    return etree.fromstring(source.encode("utf-8", "replace"), parser)


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

    def add(self, piece: str) -> None:
        """Add a finished piece after the pending gap."""
        if self.parts:
            self.parts.append("\n" * self.line_breaks or (" " if self.has_gap else ""))
        else:
            self.begins_with_gap = self.has_gap
        self.parts.append(piece)
        self.has_gap, self.line_breaks, self._ends_block, self._is_after_marker = False, 0, False, False

    def add_marker(self) -> None:
        """Add the marker of a list item; the next piece goes on the same line."""
        self.start_line()
        self.add("*")
        self.has_gap, self._is_after_marker = True, True

    def end_item(self) -> None:
        """End a list item: the next one begins on the next line, also after a paragraph."""
        self.line_breaks, self._ends_block, self._is_after_marker = 1, False, False

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
        self.has_gap = self.has_gap or inner.begins_with_gap
        self.add(piece)
        self.has_gap = inner.has_gap

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self.parts)


class _Renderer:
    """Walks a tree once, in document order; links and headings have their own flows."""

    def __init__(self) -> None:
        self.flow = _Flow()
        self._outer: list[tuple[etree._Element, _Flow]] = []
        self._list_depth = 0

    def start(self, element: etree._Element) -> None:
        tag = element.tag
        if tag == "br":
            self.flow.break_line()
        elif tag == "img":
            self.flow.add(_reference(_one_line(element.get("alt")), _one_line(element.get("src"))))
        elif tag == "li":
            self.flow.add_marker()
        elif tag in _CELLS:
            self.flow.separate()
        else:
            self._list_depth += tag in _LISTS
            self._separate(tag)
        if self._is_own_flow(element):
            self._outer.append((element, self.flow))
            self.flow = _Flow()
        self._add_text(element.text)

    def end(self, element: etree._Element) -> None:
        if self._outer and self._outer[-1][0] is element:
            inner, (_, self.flow) = self.flow, self._outer.pop()
            if element.tag in _HEADINGS:
                self._add_heading(str(element.tag), inner.text)
            else:
                self.flow.add_flow(inner, _reference(inner.text, _one_line(element.get("href"))))
        if element.tag == "li":
            self.flow.end_item()
        else:
            self._separate(element.tag)
        self._list_depth -= element.tag in _LISTS
        self.add_tail(element)

    def add_tail(self, element: etree._Element) -> None:
        self._add_text(element.tail)

    def _add_text(self, text: str | None) -> None:
        if text:
            self.flow.add_text(text)

    def _separate(self, tag: object) -> None:
        if tag in _BLOCKS or (tag in _LISTS and self._list_depth == 1):
            self.flow.start_block()
        elif tag in _LINES or tag in _LISTS:
            self.flow.start_line()

    def _is_own_flow(self, element: etree._Element) -> bool:
        is_heading = element.tag in _HEADINGS
        if not is_heading and (element.tag != "a" or element.get("href") is None):
            return False
        # At most one of each kind at a time: a thousand nested headings would take too long.
        return all((outer.tag in _HEADINGS) != is_heading for outer, _ in self._outer)

    def _add_heading(self, tag: str, text: str) -> None:
        if not text:
            return
        width = max(len(line) for line in text.split("\n"))
        rows = ["*" * width, text, "*" * width] if tag == "h1" else [text, "-" * width]
        self.flow.add("\n".join(rows))


def _render(body: etree._Element) -> str:
    renderer = _Renderer()
    walk = etree.iterwalk(body, events=("start", "end"))
    for event, element in walk:
        if element.tag in _UNSHOWN:
            if event == "start":
                walk.skip_subtree()
            else:
                renderer.add_tail(element)
        elif event == "start":
            renderer.start(element)
        else:
            renderer.end(element)
    return renderer.flow.text


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
