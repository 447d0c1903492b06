"""RTF as Markdown, by its own words; used in the worker process only.

Groups are kept on a list and not on the stack of calls, so that none is nested too deeply.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import tidy
from xnai.documents.parsers.rtf.text import CODEPAGE, RtfText
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.spans import MOST_COLUMNS
from xnai.documents.parsers.word.document import outline_of
from xnai.errors import FILE_TEXT_TOO_LONG
from xnai.types import Page

_TOKEN = re.compile(
    rb"\\([a-z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
_BYTES_FOR_CHARACTER = 40  # of a file that is mostly forms and fonts
_PICTURES = 2**26  # bytes beside the text
_MOST_DEPTH = 10_000
_MOST_WAITING = 10_000  # bytes that are not decoded yet
# Groups that are no text: what they are for stands at their beginning.
_NOT_TEXT = frozenset(
    b"fonttbl colortbl stylesheet info pict object generator listtable listoverridetable revtbl "
    b"rsidtbl themedata datastore colorschememapping latentstyles xmlnstbl fldinst filetbl "
    b"bkmkstart bkmkend template operator shppict nonshppict objdata mmathPr pgptbl".split()
)
# Groups whose text stands beside the text, and what it is called there.
_ASIDE = {
    b"footnote": "note",
    b"annotation": "Comment",
    **dict.fromkeys((b"header", b"headerl", b"headerr", b"headerf"), "Header"),
    **dict.fromkeys((b"footer", b"footerl", b"footerr", b"footerf"), "Footer"),
}
_MERGED = {b"clvmrg": "above", b"clmrg": "before"}
_HIDING = {b"v", b"deleted"}
_SPECIAL = {
    b"tab": " ",
    b"line": "\n",
    b"emdash": "\u2014",
    b"endash": "\u2013",
    b"bullet": "\u2022",
    b"lquote": "\u2018",
    b"rquote": "\u2019",
    b"ldblquote": "\u201c",
    b"rdblquote": "\u201d",
    b"emspace": " ",
    b"enspace": " ",
}
_SYMBOLS = {
    b"~": "\u00a0",
    b"_": "\u2011",
    b"{": "{",
    b"}": "}",
    b"\\": "\\",
    b"\n": "\n",
    b"\r": "\n",
}


@dataclass(frozen=True, slots=True)
class _Group:
    """What holds until the end of a group."""

    skipped: bool = False
    fallback: int = 1  # characters that stand for one in Unicode, and are left out
    hidden: bool = False
    aside: str = ""
    is_mark: bool = False  # of an item, with settings of its own


def rtf_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read an RTF file as one page.

    Raises:
        Failure: FILE_TEXT_TOO_LONG.

    """
    if path.stat().st_size > _BYTES_FOR_CHARACTER * limit + _PICTURES:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    document = RtfText(limit)
    data = path.read_bytes()
    _WordReader(document, _outlines(data)).read(data)
    document.row()
    document.paragraph()
    document.table()
    seen.tables += document.tables
    notes = [f"[{number}] {text}" for number, text in enumerate(document.notes, start=1)]
    return Page(None, tidy("\n\n".join([*document.blocks, *notes, *document.asides])))


class _WordReader:
    """One pass over the words of a file."""

    def __init__(self, document: RtfText, outlines: Mapping[int, int]) -> None:
        self._document = document
        self._outlines = outlines
        self._group = _Group()
        self._outer: list[_Group] = []
        self._body: list[str] = []  # the text around what stands aside
        self._is_marked = False  # as what may be left out
        self._left_out = 0  # characters still to come that stand for one in Unicode
        self._is_first = False  # what comes is the first word of its group

    def read(self, data: bytes) -> None:
        """Read all words."""
        for match in _tokens(data):
            word, number, hexadecimal, symbol, brace, text = match.groups()
            first, self._is_first = self._is_first, False
            marked, self._is_marked = self._is_marked, False
            if brace == b"{":
                self._open()
            elif brace == b"}":
                self._close()
            elif symbol == b"*" and first:
                self._is_marked = True
            elif word is not None:
                if marked and word not in _ASIDE:
                    self._group = replace(self._group, skipped=True)
                self._word(word, int(number) if number else None, is_first=first or marked)
            elif not (self._group.skipped or self._group.hidden):
                self._text(hexadecimal, symbol, text)
        while self._outer:
            self._close()

    def _open(self) -> None:
        if len(self._outer) < _MOST_DEPTH:
            self._outer.append(self._group)
        self._is_first = True

    def _close(self) -> None:
        document = self._document
        if not self._outer:
            return
        outer = self._outer.pop()
        document.flush()
        if self._group.aside and not outer.aside:
            said = " ".join(document.taken().split())
            document.text = self._body
            if self._group.aside == "note":
                document.notes.append(said)
                document.put(f" [{len(document.notes)}] ")
            elif any(map(str.isalpha, said)):
                document.asides[f"{self._group.aside}: {said}"] = None
        self._group = outer

    def _text(self, hexadecimal: bytes | None, symbol: bytes | None, text: bytes | None) -> None:
        document = self._document
        if hexadecimal is not None:
            if self._left_out:
                self._left_out -= 1
                return
            document.raw += bytes.fromhex(hexadecimal.decode())
        elif symbol is not None:
            document.put(_SYMBOLS.get(symbol, ""))
        elif text is not None:
            kept = text[self._left_out :]
            self._left_out = max(self._left_out - len(text), 0)
            document.raw += kept
            if len(document.raw) > _MOST_WAITING:
                document.flush()

    def _word(self, word: bytes, number: int | None, *, is_first: bool) -> None:
        group, document = self._group, self._document
        if is_first and word in _NOT_TEXT:
            self._group = replace(group, skipped=True)
        elif is_first and word in _ASIDE and not group.skipped and not group.aside:
            document.flush()
            self._body, document.text = document.text, []
            self._group = replace(group, aside=_ASIDE[word])
        elif word == b"uc":
            self._group = replace(group, fallback=min(max(number or 0, 0), 16))
        elif word in {b"listtext", b"pntext"}:
            self._group = replace(group, is_mark=True)
        elif word in _HIDING:
            self._group = replace(group, hidden=number != 0)
        elif word == b"ansicpg" and number:
            document.codec = _known(f"cp{number}")
        elif not (group.skipped or group.hidden):
            self._shown(word, number)

    def _shown(self, word: bytes, number: int | None) -> None:
        document = self._document
        if word == b"u" and number is not None:
            code = number % 0x10000
            document.put(chr(code))
            self._left_out = self._group.fallback
        elif word in _SPECIAL:
            document.put(_SPECIAL[word])
        elif word in {b"par", b"sect", b"page"}:
            if self._group.aside:
                document.put(" ")
            else:
                document.paragraph()
        elif word == b"s" and number is not None:
            document.outline = self._outlines.get(number, -1)
        elif word in {b"cell", b"nestcell"}:
            document.cell()
        else:
            self._row(word, number)

    def _row(self, word: bytes, number: int | None) -> None:
        document = self._document
        if word == b"trowd":
            document.edges, document.merged = [], ""
        elif word in _MERGED:
            document.merged = _MERGED[word]
        elif word == b"cellx" and len(document.edges) < MOST_COLUMNS:
            document.edges.append((number or 0, document.merged))
            document.merged = ""
        elif word in {b"row", b"nestrow"}:
            document.row()
        elif word == b"pard" and not self._group.is_mark:
            document.in_table, document.outline = False, -1
        elif word == b"intbl":
            document.in_table = True
        elif word == b"outlinelevel" and number is not None:
            document.outline = number


def _tokens(data: bytes, at: int = 0) -> Iterator[re.Match[bytes]]:
    """The words of a file; what follows ``bin`` are bytes of a picture and no words."""
    while match := _TOKEN.search(data, at):
        yield match
        at = match.end()
        if match[1] == b"bin" and match[2]:
            at += max(int(match[2]), 0)


def _outlines(data: bytes) -> dict[int, int]:
    """How high the headings are that styles stand for, by the numbers of the styles."""
    start = data.find(b"{\\stylesheet")
    found: dict[int, int] = {}
    depth, style, name = 0, -1, b""
    for match in _tokens(data, start) if start >= 0 else ():
        word, number, _, _, brace, text = match.groups()
        depth += {b"{": 1, b"}": -1}.get(brace, 0)
        if brace == b"}":
            outline = outline_of(name.decode("ascii", "replace").strip(" ;").casefold())
            if style >= 0 and outline is not None:
                found[style] = int(outline)
            if depth <= 0:
                break
        if brace:
            style, name = -1, b""
        elif word == b"s" and number:
            style = int(number)
        elif text is not None:
            name = text
    return found


def _known(codec: str) -> str:
    try:
        "".encode(codec)
    except LookupError:
        return CODEPAGE
    return codec
