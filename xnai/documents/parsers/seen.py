"""What readers come across beside text; used in the worker process only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from xnai.documents.parsers.frames import OldOffice, Reader
from xnai.types import Page

ATTACHED = 2**26  # bytes of an attachment that is read
DOUBTFUL = 75.0  # per cent of confidence


@dataclass
class Seen:
    """What a reader comes across beside text.

    Attributes:
        unreadable: numbers of pages that cannot be read.
        recognised: numbers of pages whose text was recognised in a picture.
        doubtful: numbers of those of which the reader was not sure.
        pictures: numbers of pages of text that have pictures with text.
        pictures_unread: how many pictures could not be read.
        tables: how many tables there are.
        forms: how many pages have forms that are filled in.
        hidden: names of parts that are not shown: sheets, rows, slides.
        removed: headers and footers that were taken out, with their pages.
        warnings: what else the reader of the text should know.
        left_out: names of parts that are not read.
        tell_total: is told how many pages there are, as soon as that is known.
        recognise: has the text of a picture read; None if nothing can.
        able: what can read pictures, the quickest first.
        convert: makes an Office file of today of an old one; None if nothing can.

    """

    unreadable: list[int] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)
    doubtful: list[int] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)
    pictures_unread: int = 0
    tables: int = 0
    forms: int = 0
    hidden: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    tell_total: Callable[[int], None] = lambda _: None
    recognise: Callable[[bytes, Reader], str] | None = None
    able: tuple[str, ...] = ()
    convert: Callable[[bytes, OldOffice], bytes] | None = None

    def note_confidence(self, number: int, sure: float) -> None:
        """Note how sure the recognition of a page's text was, in per cent."""
        if sure < DOUBTFUL:
            self.doubtful.append(number)


# Reads the pages of a file: its path, its media type, most characters, what is seen.
ReadPages = Callable[[Path, str, int, Seen], Iterable[Page]]
