"""Plain text, Markdown, CSV and HTML; used in the worker process only."""

import codecs
import csv
import re
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from xnai.documents.parsers import calendars, delimited, encoding, html_tables
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.markdown_tables import linearized_markdown
from xnai.documents.parsers.raised import power
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.table import linearized
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG
from xnai.types import Page

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

HTML = "text/html"
_BLOCK = 2**20
_LONGEST_CHARACTER = 4  # bytes, in every encoding that is detected
# All but tab and newline: what a terminal obeys, NUL, and the marks at either end of a text.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")
_NOT_CONTENT = (
    "script",
    "style",
    "noscript",
    "template",
    "nav",
    "header",
    "footer",
    "svg",
    "button",
)
_FIELDS = ("input", "select", "textarea")
_TICKED = {True: " [x] ", False: " [ ] "}
_TRACKS = re.compile(
    r"//(?:click|clicks|track|tracking|links?|email)\.|[?&](?:utm_|[\w-]{1,20}=[\w%.-]{24})"
)
_WRITTEN = {"", "text", "email", "tel", "number", "date", "time", "month", "url"}
_NOTED = re.compile(r"[^\W\d_]{3}$|[.,;:!?)\]]$")  # what the number of a note follows

_AROUND = (
    "[role=navigation], [role=banner], [role=contentinfo], [role=search], [hidden], "
    "[aria-hidden=true]"
)
_ESCAPED = re.compile(r"\\([_*])")  # what Markdown may take for emphasis
_NOTE_SIGN = re.compile(r"[\[(]?(?:\d{1,4}|[a-z*\u2020\u2021])[\])]?")
_CONTENT = "main, [role=main]:not(main)"
_MOST_OF_IT = 0.3  # of a page's text that stands in what calls itself its content


def tidy(text: str) -> str:
    """Return a text with line feeds for all line ends and without control characters."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n"))


def decoded(path: Path, limit: int, seen: Seen) -> str:
    """Return the text of a file in whatever encoding it is.

    Raises:
        Failure: FILE_TEXT_TOO_LONG beyond ``limit`` characters, FILE_DAMAGED if it is not text.

    """
    if path.stat().st_size > limit * _LONGEST_CHARACTER + _BLOCK:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    codec = encoding.of_file(path)
    if codec is None:
        raise Failure(FILE_DAMAGED, reason="it is not text")
    if codec.lost:
        seen.warnings.append(f"{codec.lost} characters are damaged and could not be read.")
    with path.open("rb") as file:
        decoder = codecs.getincrementaldecoder(codec.name)(errors="replace")
        parts, length = [], 0
        while block := file.read(_BLOCK):
            parts.append(decoder.decode(block))
            length += len(parts[-1])
            if length > limit:
                raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
        parts.append(decoder.decode(b"", final=True))
    return "".join(parts)


def text_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read a text file as one page.

    Raises:
        Failure: FILE_TEXT_TOO_LONG beyond ``limit`` characters, FILE_DAMAGED if it is not text.

    """
    text = decoded(path, limit, seen)
    return Page(None, tidy(calendars.said(text) if calendars.is_one(text) else text))


def markdown_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read Markdown as it is, but for its tables, whose rows become sentences.

    Raises:
        Failure: as ``text_page``.

    """
    return Page(None, linearized_markdown(tidy(decoded(path, limit, seen))))


def _without_furniture(soup: "BeautifulSoup") -> "BeautifulSoup":
    """The content of a page: of one that says which it is, that alone; no way to other pages."""
    for field in soup.find_all(_FIELDS):
        field.replace_with(_filled_in(field))
    for element in soup.find_all(_NOT_CONTENT):
        # The header of an article is its title.
        if element.name != "header" or element.find_parent(("article", "main")) is None:
            element.extract()
    for element in soup.select(_AROUND):
        element.extract()
    _leave_out_languages(soup)
    content = soup.select(_CONTENT)
    if len(content) == 1 and soup.body is not None:
        whole = len(soup.body.get_text())
        if len(content[0].get_text()) >= _MOST_OF_IT * whole:
            kept = content[0].extract()
            soup.body.clear()
            soup.body.append(kept)
    _part_notes(soup)
    for image in soup.find_all("img"):
        image.replace_with(str(image.get("alt") or ""))
    for link in soup.find_all("a"):
        # Addresses within the site the page was saved from lead nowhere, and are many tokens.
        target = str(link.get("href") or "")
        if not target.startswith(("http://", "https://", "mailto:")) or _TRACKS.search(target):
            link.unwrap()
    return soup


def _filled_in(field: "Tag") -> str:
    """What somebody has filled into a field, or ticked."""
    if field.name == "select":
        return " ".join(one.get_text(" ", strip=True) for one in field.select("option[selected]"))
    if field.name == "textarea":
        return field.get_text(" ", strip=True)
    kind = str(field.get("type") or "").lower()
    if kind in {"checkbox", "radio"}:
        # Others open and close menus.
        around = field.find_parent(("form", "label", "td", "p", "li"))
        is_box = field.get("role") is None and around is not None and around.get_text(strip=True)
        return _TICKED[field.has_attr("checked")] if is_box else ""
    return f" {field.get('value') or ''} " if kind in _WRITTEN else ""


def _part_notes(soup: "BeautifulSoup") -> None:
    """Part the numbers of notes from the words that they follow, as in ``40 litres.2``.

    What is raised behind a figure is a power.
    """
    for raised in soup.find_all("sup"):
        sign = raised.get_text(strip=True)
        before = str(raised.previous_sibling or "")
        has_link = raised.find("a") is not None or raised.find_parent("a") is not None
        if _NOTE_SIGN.fullmatch(sign) and (has_link or (sign.isdigit() and _NOTED.search(before))):
            raised.replace_with(f" [{sign.strip('[]()')}]")
        else:
            raised.replace_with(power(sign, before))


def _leave_out_languages(soup: "BeautifulSoup") -> None:
    """Take out the list of links to the same page in other languages."""
    for link in soup.find_all("a", hreflang=True):
        if link.parent is not None and link.parent.name == "li":
            link.parent.extract()


def html_page(path: Path, limit: int, seen: Seen) -> Page:
    """Convert an HTML file to Markdown as one page; nothing it refers to is fetched.

    Raises:
        Failure: as ``text_page``.

    """
    return Page(None, html_text(decoded(path, limit, seen), seen))


def html_text(html: str, seen: Seen | None = None) -> str:
    """Convert HTML to Markdown, without what surrounds a page's content."""
    from bs4 import BeautifulSoup  # noqa: PLC0415 - takes half a second that a text file saves
    from markitdown import StreamInfo  # noqa: PLC0415
    from markitdown.converters import HtmlConverter  # noqa: PLC0415

    soup = _without_furniture(BeautifulSoup(html, "html.parser"))
    tables = html_tables.taken_out(soup)
    if seen is not None:
        seen.tables += len(tables)
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    result = HtmlConverter().convert(
        BytesIO(str(soup).encode("utf-8", "replace")), StreamInfo(mimetype=HTML, charset="utf-8")
    )
    plain = _ESCAPED.sub(r"\1", result.markdown)
    body = tidy(html_tables.put_back(plain, tables))
    return body if not title or title in body[:2000] else f"# {title}\n\n{body}"


def csv_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read a table as one page, its headings repeated with every group of rows.

    Raises:
        Failure: as ``text_page``.

    """
    text = delimited.without_sign(decoded(path, limit, seen))
    form = delimited.form_of(text)
    if form is None:
        return Page(None, tidy(text))
    lines: list[str] = []
    room = limit
    try:
        for line in linearized(delimited.rows(text, form)):
            lines.append(line)
            room -= len(line) + 1
            if room < 0:
                raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    except csv.Error:  # a cell that is longer than any table's
        return Page(None, tidy(text))
    seen.tables += 1
    return Page(None, tidy("\n".join(lines)))
