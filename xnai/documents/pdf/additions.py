"""What a PDF page says beside the text in its file: pictures of text, and forms that are filled in.

Used in the worker process only.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from xnai.documents.parsers import ocr, row_log
from xnai.documents.parsers.seen import Seen
from xnai.documents.pdf import annotations, forms, page_pictures, scans, tick_boxes
from xnai.documents.pdf import layout as pdf_layout
from xnai.documents.pdf.characters import CharacterText
from xnai.documents.pdf.page_pictures import Box
from xnai.types import UNITS, PlacedWord

_KNOWN = 0.85  # of the words in a picture that the page's own text has: it is no scan
_LEAST = 4  # letters of words that are compared
_GARBLED = 0.3  # of a page's characters that mean nothing
_CONTROLS = 0.05  # of them that are control characters
_SPACE, _LINE_SIGNS = 0x20, frozenset((0x02, 0x09, 0x0A, 0x0D))
_PRIVATE = range(0xE000, 0xF900)
_UNKNOWN = 0xFFFD
_MISSING = 0.6  # of a line's words that the picture has; with fewer the line is kept
_SURE = 65.0  # per cent, of a picture on a page of text
_LEAST_WORDS = 2
_MOST_PICTURES = 200  # of a document's pages of text that are read
_THUMBNAIL = (64, 64)

Place = Callable[[float, float], tuple[int, int]]


class Whole(NamedTuple):
    """All that a page says.

    Attributes:
        read: the text that its file has, or that of a scan.
        text: all of it.
        words: those that have places of their own: of pictures and forms.
        is_native: whether ``text`` begins with what pdfium's characters say.
        pictures: spans of the text of pictures on a page of text.

    """

    read: CharacterText
    text: str
    words: tuple[PlacedWord, ...] = ()
    is_native: bool = True
    pictures: tuple[tuple[int, int], ...] = ()


class Additions:
    """Completes the pages of one document."""

    def __init__(self, document: Any, seen: Seen) -> None:
        self._document = document
        self._seen = seen
        self._pictures: set[int] = set()  # by their look: a logo is read once

    def complete(self, index: int, layout: pdf_layout.Layout, read: CharacterText) -> Whole:
        """Read a page's pictures and forms; ``read`` is what its own text says."""
        page = self._document[index]
        try:
            whole = self._with_pictures(page, index + 1, layout, read)
            return self._with_fields(page, layout, whole)
        finally:
            page.close()

    def _with_pictures(
        self, page: Any, number: int, layout: pdf_layout.Layout, read: CharacterText
    ) -> Whole:
        whole = Whole(read, read.text)
        has_text = bool(read.text.strip())
        if self._seen.recognise is None or (not has_text and page_pictures.is_blank(page)):
            return whole
        pictures = page_pictures.on(page)
        if has_text and not pictures.cover and not _is_garbled(read.text, layout.codes):
            return self._with_parts(page, number, pictures.boxes, whole)
        drawn, scale = page_pictures.drawn(page)
        found = ocr.read(drawn, self._seen.recognise, self._seen.able)
        if not found.words or (has_text and _is_known(found, read.text)):
            if not found.words and pictures.cover:
                self._seen.pictures_unread += 1
            return whole
        self._seen.recognised.append(number)
        self._seen.note_confidence(number, found.sure)
        scanned = scans.layout_of(found, scale)
        text, _ = pdf_layout.written(scanned, None)
        words = scans.placed(found, scanned, text)
        missing = "" if _is_garbled(read.text, layout.codes) else _missing(read.text, found)
        all_text = text.text + (f"\n\n{missing}" if missing else "")
        return Whole(text, all_text, words, is_native=False)

    def _with_parts(self, page: Any, number: int, boxes: Sequence[Box], whole: Whole) -> Whole:
        """A page of text with what its pictures say behind it."""
        recognise = self._seen.recognise
        if not boxes or recognise is None:
            return whole
        drawn, scale = page_pictures.drawn(page)
        text, words, spans = whole.text, list(whole.words), []
        for box in boxes:
            part, corner = page_pictures.cut_out(page, drawn, box)
            look = zlib.crc32(part.resize(_THUMBNAIL).tobytes()) if all(part.size) else 0
            if look in self._pictures or not all(part.size):
                continue
            if len(self._pictures) >= _MOST_PICTURES:
                self._seen.pictures_unread += 1
                continue
            self._pictures.add(look)
            found = ocr.glance(part, recognise, self._seen.able)
            if not _says_something(found) or _is_known(found, whole.text):
                continue
            laid = scans.layout_of(found, scale)
            said, _ = pdf_layout.written(laid, None)
            start = len(text) + len(_PICTURE)
            text += _PICTURE + said.text
            spans.append((start - len(_PICTURE.lstrip()), len(text.rstrip())))
            inside = _Inside(drawn.size, corner, part.size)
            words += [inside.moved(word, start) for word in scans.placed(found, laid, said)]
            self._seen.pictures.append(number)
        return whole._replace(text=text, words=tuple(words), pictures=tuple(spans))

    def _with_fields(self, page: Any, layout: pdf_layout.Layout, whole: Whole) -> Whole:
        found = forms.fields(self._document, page, layout.words, layout.frame)
        if whole.is_native:
            found += tick_boxes.fields(page, layout.words, layout.frame)
        for field in found:
            row_log.note(field.sentence, (), (field.label, field.value))
        self._seen.forms += bool(found)
        written = [(field.sentence, field.box) for field in found]
        whole = _with_lines(page, whole, written)
        return _with_lines(page, whole, list(annotations.notes(page)))


def _with_lines(page: Any, whole: Whole, found: Sequence[tuple[str, page_pictures.Box]]) -> Whole:
    """A page with lines behind its text that stand in these places."""
    if not found:
        return whole
    text, words = whole.text.rstrip("\n"), list(whole.words)
    for number, (said, box) in enumerate(found):
        text += ("\n\n" if not number else "\n") if text else ""
        start = len(text)
        text += said
        words.append(PlacedWord(start, len(text), *page_pictures.in_units(page, box), 100))
    if len(text) < len(whole.text):
        text += whole.text[len(text) :]
    return whole._replace(text=text, words=tuple(words))


_PICTURE = "\n\nPicture: "


class _Inside(NamedTuple):
    """Where a part of a picture lies in the whole of it."""

    size: tuple[int, int]
    corner: tuple[int, int]
    part: tuple[int, int]

    def moved(self, word: PlacedWord, by: int) -> PlacedWord:
        """A word of the part as one of the whole, so many characters further on."""

        def along(at: int, axis: int) -> int:
            pixel = self.corner[axis] + at * self.part[axis] / UNITS
            return min(max(int(pixel * UNITS / max(self.size[axis], 1)), 0), UNITS)

        left, right = (along(at, 0) for at in (word.left, word.right))
        top, bottom = (along(at, 1) for at in (word.top, word.bottom))
        return PlacedWord(word.start + by, word.end + by, left, top, right, bottom, word.confidence)


def _letters(words: Iterable[str]) -> list[str]:
    plain = ("".join(filter(str.isalnum, word)).casefold() for word in words)
    return [word for word in plain if word]


def _is_known(found: ocr.Read, text: str) -> bool:
    """Whether a page's own text has what was read in its picture."""
    own = set(_letters(text.split()))
    read = [word for word in _letters(one.text for one in found.words) if len(word) >= _LEAST]
    known = sum(word in own for word in read)
    return bool(read) and known >= _KNOWN * len(read)


def _missing(text: str, found: ocr.Read) -> str:
    """The lines of a page's own text that its picture does not show."""
    read = set(_letters(one.text for one in found.words))
    kept = []
    for line in text.split("\n"):
        words = _letters(line.split())
        if words and sum(word in read for word in words) < _MISSING * len(words):
            kept.append(line.strip())
    return "\n".join(kept)


def _is_garbled(text: str, drawn: Sequence[int]) -> bool:
    """Whether a font hides what its characters mean.

    Where it says nothing of them pdfium gives the numbers of their shapes; those of figures and of
    the space are control characters then.
    """
    controls = sum(code < _SPACE and code not in _LINE_SIGNS for code in drawn)
    if controls > _CONTROLS * len(drawn):
        return True
    codes = [ord(character) for character in text if not character.isspace()]
    return sum(c == _UNKNOWN or c in _PRIVATE for c in codes) > _GARBLED * len(codes)


def _says_something(found: ocr.Read) -> bool:
    words = [word for word in found.words if len(_letters([word.text])) and len(word.text) > 1]
    return found.sure >= _SURE and len(words) >= _LEAST_WORDS
