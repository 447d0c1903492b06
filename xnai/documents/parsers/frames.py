"""What the server and the child that opens strangers' files say to each other, a line each.

The server sends ``Start`` and one ``Task``; later only what it is asked for. A picture's bytes
follow the frame that tells how many they are.
"""

from dataclasses import dataclass
from typing import Literal

from xnai.documents.media_types import PDF
from xnai.processes import frames
from xnai.processes.frames import Frames
from xnai.types import Block, PlacedWord, ReadingReport

REPORT_LINES, REPORT_CHARACTERS = 100, 300  # of each of a report's lists, and of each line
SECTION_CHARACTERS = 300
CELL = 8  # characters that a cell counts for beside its own, as it takes memory
ROWS_SHARE = 4  # times the characters that a document may have, its rows may have with their labels
Box = tuple[int, int, int, int]  # left, top, right, bottom
# Who reads a picture; tesseract may also look for words that stand here and there, or for its turn.
Reader = Literal["tesseract", "rapidocr", "sparse", "orientation"]
OldOffice = Literal["doc", "xls", "ppt", "xlsb"]  # what is converted


@dataclass(frozen=True, slots=True)
class Start:
    """What the child may use, and whose it is."""

    media_type: str  # of the file; empty while unknown
    descriptors: tuple[int, ...]
    recognises: tuple[str, ...]  # what can read pictures for it, the quickest first
    converts: bool  # whether old Office files can be converted for it
    seconds: float
    memory_mb: int
    parent: int  # process id


@dataclass(frozen=True, slots=True)
class Parse:
    """Read a document's text, at most so many characters."""

    path: str
    media_type: str
    characters: int


@dataclass(frozen=True, slots=True)
class Render:
    """Draw a page, a range of its text marked.

    ``characters`` and ``boxes`` are those of ``xnai.documents.parsers.page_image.Marked``.
    """

    path: str
    media_type: str
    page: int
    start: int
    end: int
    width: int
    characters: int
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class Locate:
    """Tell where a range of a PDF page's text stands on it; see ``Render``."""

    path: str
    page: int
    start: int
    end: int
    characters: int
    media_type: str = PDF


@dataclass(frozen=True, slots=True)
class Sniff:
    """Tell what kind of file this is."""

    path: str
    name: str
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class TryEscapes:
    """Try what must not go, see ``xnai.processes.sandbox.probe``."""

    targets: dict[str, str]
    path: str = ""
    media_type: str = "application/pdf"


@dataclass(frozen=True, slots=True)
class Recognised:
    """The text of a picture."""

    text: str


@dataclass(frozen=True, slots=True)
class Converted:
    """A file that was converted, in so many bytes, which follow; 0: it cannot be."""

    size: int


@dataclass(frozen=True, slots=True)
class PageCount:
    """How many pages the document has."""

    pages: int


@dataclass(frozen=True, slots=True)
class Words:
    """Words of the page that follows which have places of their own."""

    words: tuple[PlacedWord, ...]


@dataclass(frozen=True, slots=True)
class PageBlocks:
    """Blocks of the page that follows; a first one with ``goes_on`` has rows of the last before."""

    blocks: tuple[Block, ...]
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class PagePart:
    """Text of a page; ``more`` of it follows. The others are those of ``xnai.types.Page``."""

    number: int | None
    text: str
    more: bool
    native: int | None = None
    section: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """What people should know, and how much was read; the last frame of a document."""

    notes: tuple[str, ...]
    report: ReadingReport


@dataclass(frozen=True, slots=True)
class Picture:
    """A page that was drawn, in so many bytes; None: there is no such page."""

    size: int | None


@dataclass(frozen=True, slots=True)
class Places:
    """Boxes on a page, in units of its width and height."""

    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class MediaType:
    """What a file is."""

    media_type: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried, and why it was refused; empty: it was not."""

    attempt: str
    refused: str


@dataclass(frozen=True, slots=True)
class Recognise:
    """Read the picture that follows in so many bytes."""

    size: int
    by: Reader


@dataclass(frozen=True, slots=True)
class Convert:
    """Convert the old Office file that follows in so many bytes."""

    size: int
    kind: OldOffice


@dataclass(frozen=True, slots=True)
class Stumbled:
    """The kind of exception that a reader ended in, for the log."""

    exception: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why there is no more: a code of the catalogue, and what fills its words."""

    code: str
    values: dict[str, str | int]


Task = Parse | Render | Locate | Sniff | TryEscapes
ToParser = Start | Task | Recognised | Converted
Result = PageCount | Words | PageBlocks | PagePart | Notes | Picture | Places | MediaType | Tried
FromParser = Result | Recognise | Convert | Stumbled | Unreadable

TO_PARSER = Frames[ToParser](ToParser)
FROM_PARSER = Frames[FromParser](FromParser)


def line(frame: ToParser | FromParser) -> bytes:
    """One frame as a line."""
    return frames.encode(frame) + b"\n"
