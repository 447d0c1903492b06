"""Pictures of text: how they are made ready, read and judged; used in the worker process only.

The picture goes to the parent, which has a program or models read it
(``xnai.documents.parsers.converters``): this process may start none. Long thin lines, as of ruled
tables, are taken out before, since tesseract takes what they surround for a drawing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from xnai.documents.parsers import straighten
from xnai.documents.parsers.frames import Reader

Recognise = Callable[[bytes, Reader], str]  # of a picture, by whom

DOTS_PER_POINT = 300 / 72  # at 200 an inch figures are misread: 1.4 for 1.1
MAX_PIXELS = 20_000_000
TESSERACT: Final = "tesseract"
MODELS: Final = "rapidocr"
SPARSE: Final = "sparse"  # what else tesseract may be asked
ORIENTATION: Final = "orientation"

_SURE = 87.0  # per cent; what tesseract reads in a language that it knows is above
_DOUBTFUL = 60.0  # below this it may be upside down
_LEAST_WORDS = 4  # a picture with fewer may be sideways
_LEAST_LETTERS = 3  # of a word that shadows are rarely taken for
_MOST_SHADOWS = 0.2  # of what was read has to be words, for it to be text
_NO_WORD = 20.0  # per cent; specks and shadows
_TURN = re.compile(r"^Rotate: (\d{1,3})$", re.MULTILINE)
_FIELDS = 12  # columns of tesseract's table
_WORD_LEVEL = "5"
_DARK = 150  # of 255
_RULE = 120  # pixels that a line has at least
_THICK = 14  # pixels; what is thicker is no line
_LEAST_RULES = 3  # across and down, of a table
_FIGURE_SURE = 85.0  # per cent; a figure that is less sure is worth another look
_LETTER = re.compile(r"\w")


class PictureText(NamedTuple):
    """A word in a picture, in pixels of the upright picture from its upper left corner."""

    text: str
    left: int
    top: int
    right: int
    bottom: int
    sure: float  # per cent
    line: tuple[str, ...]


class Ruling(NamedTuple):
    """A line that was drawn, in pixels: ``at`` on one axis, from ``start`` to ``end``."""

    at: float
    start: float
    end: float


@dataclass(frozen=True)
class Read:
    """What was read in a picture.

    Attributes:
        words: in the order of reading.
        turn: degrees clockwise that the picture had to be turned by.
        size: width and height of the picture once it is upright.
        across: lines that were drawn from left to right.
        down: lines that were drawn from top to bottom.
        changed: how the picture was changed before it was turned, see ``straighten.was_at``.

    """

    words: tuple[PictureText, ...]
    turn: int
    size: tuple[int, int]
    across: tuple[Ruling, ...] = ()
    down: tuple[Ruling, ...] = ()
    changed: straighten.Coefficients = ()

    @property
    def sure(self) -> float:
        """How sure the reader was, in per cent, weighted by the lengths of words."""
        weights = sum(len(word.text) for word in self.words)
        return sum(w.sure * len(w.text) for w in self.words) / weights if weights else 0.0


def glance(picture: Any, recognise: Recognise, able: Sequence[str]) -> Read:
    """Read a grey picture that may have no text: once, as it stands, by the quickest."""
    if TESSERACT in able:
        return _straight(picture, recognise, 0)
    return _by_models(picture, recognise)


def read(picture: Any, recognise: Recognise, able: Sequence[str]) -> Read:
    """Read a grey picture (of PIL) by what is able to; nothing if it has no text.

    Tesseract is quicker and reads what it knows the language of at least as well; where it is in
    doubt, the models read too, and the surer one is taken.
    """
    level, changed = straighten.levelled(straighten.evened(picture))
    return replace(_read(level, recognise, able), changed=changed)


def _read(picture: Any, recognise: Recognise, able: Sequence[str]) -> Read:
    best = Read((), 0, picture.size)
    if TESSERACT in able:
        best = _by_program(picture, recognise)
        if best.sure >= _SURE and not _has_doubtful_figures(best):
            return best
    if MODELS in able and _has_ink(picture):
        other = _by_models(picture, recognise)
        best = other if _is_better(other, best) else best
    return best if _is_text(best) else replace(best, words=())


def _is_text(read: Read) -> bool:
    """Whether what was read are words, and not the shadows of a photo."""
    words = [word for word in read.words if sum(map(str.isalnum, word.text)) >= _LEAST_LETTERS]
    sure = sum(word.sure >= _DOUBTFUL for word in words)
    return sure >= _MOST_SHADOWS * len(read.words)


def _has_doubtful_figures(read: Read) -> bool:
    return any(word.sure < _FIGURE_SURE and any(map(str.isdigit, word.text)) for word in read.words)


def _is_better(other: Read, best: Read) -> bool:
    """Whether what the models read is more than what the program did; they are always surer."""
    mine = sum(len(word.text) * word.sure for word in best.words if word.sure >= _DOUBTFUL)
    theirs = sum(len(word.text) * word.sure for word in other.words if word.sure >= _DOUBTFUL)
    return theirs > mine


def _by_program(picture: Any, recognise: Recognise) -> Read:
    found = _straight(picture, recognise, 0)
    if found.sure < _DOUBTFUL or len(found.words) < _LEAST_WORDS:
        match = _TURN.search(recognise(_plain(picture), ORIENTATION))
        degrees = int(match[1]) % 360 if match else 0
        if degrees in {90, 180, 270}:
            turned = _straight(picture, recognise, degrees)
            if turned.sure > found.sure:
                return turned
    return found


def _straight(picture: Any, recognise: Recognise, degrees: int) -> Read:
    upright = turned(picture, degrees)
    clean, across, down = without_rules(upright)
    is_table = min(len(across), len(down)) >= _LEAST_RULES
    words = words_of(recognise(_plain(clean), SPARSE if is_table else TESSERACT))
    return Read(words, degrees, upright.size, across, down)


def _by_models(picture: Any, recognise: Recognise) -> Read:
    table = recognise(_plain(picture), MODELS)
    match = _TURN.search(table[:20])
    degrees = int(match[1]) % 360 if match else 0
    upright = turned(picture, degrees)
    _, across, down = without_rules(upright)
    return Read(words_of(table), degrees, upright.size, across, down)


def turned(picture: Any, degrees: int) -> Any:
    """A picture turned clockwise by a multiple of 90 degrees."""
    return picture.rotate(-degrees, expand=True) if degrees else picture


def _plain(picture: Any) -> bytes:
    # The plainest of formats: whoever reads it should have nothing to trip over.
    header: bytes = b"P5 %d %d 255\n" % picture.size
    return header + bytes(picture.tobytes())


def _has_ink(picture: Any) -> bool:
    low, high = picture.getextrema()
    return bool(high - low > _DARK // 3)


def words_of(table: str) -> tuple[PictureText, ...]:
    """The words of a table as tesseract writes it."""
    words = []
    for row in table.split("\n"):
        cells = row.split("\t", _FIELDS - 1)
        if len(cells) < _FIELDS or cells[0] != _WORD_LEVEL:
            continue
        text = cells[11].strip()
        try:
            left, top, width, height = map(int, cells[6:10])
            sure = float(cells[10])
        except ValueError:
            continue
        if sure >= _NO_WORD and text and (_LETTER.search(text) or sure >= _DOUBTFUL):
            line = tuple(cells[2:5])
            words.append(PictureText(text, left, top, left + width, top + height, sure, line))
    return tuple(words)


def without_rules(picture: Any) -> tuple[Any, tuple[Ruling, ...], tuple[Ruling, ...]]:
    """A picture without long thin lines, and these: across and down."""
    import numpy as np  # noqa: PLC0415 - few documents have pictures of text
    from PIL import Image  # noqa: PLC0415

    pixels = np.array(picture)
    dark = pixels < _DARK
    flat = _runs(dark, _RULE) & ~_runs(dark.T, _THICK).T
    steep = _runs(dark.T, _RULE).T & ~_runs(dark, _THICK)
    if not (flat.any() or steep.any()):
        return picture, (), ()
    across, down = _rulings(flat), _rulings(steep.T)
    pixels[_wider(flat) | _wider(steep.T).T] = 255
    return Image.fromarray(pixels), across, down


def _runs(dark: Any, length: int) -> Any:
    """The pixels of runs from left to right that are at least so long."""
    import numpy as np  # noqa: PLC0415

    height, width = dark.shape
    if width < length:
        return np.zeros_like(dark)
    total = np.zeros((height, width + 1), np.int32)
    np.cumsum(dark, axis=1, out=total[:, 1:])
    starts = total[:, length:] - total[:, :-length] == length
    # A pixel is of such a run if one starts at it, or less than its length before it.
    marks = np.zeros((height, width + 1), np.int32)
    np.cumsum(starts, axis=1, out=marks[:, 1 : starts.shape[1] + 1])
    marks[:, starts.shape[1] + 1 :] = marks[:, starts.shape[1] : starts.shape[1] + 1]
    before = np.zeros((height, width), np.int32)
    before[:, length:] = marks[:, 1 : width - length + 1]
    return marks[:, 1:] - before > 0


def _wider(lines: Any) -> Any:
    """Lines from left to right with what surrounds them: grey pixels, and where others cross."""
    result = lines.copy()
    for shift in (1, 2, 4, 8):
        result[:, shift:] |= result[:, :-shift].copy()
        result[:, :-shift] |= result[:, shift:].copy()
    for shift in (1, 1, 2):
        result[shift:] |= result[:-shift].copy()
        result[:-shift] |= result[shift:].copy()
    return result


def _rulings(lines: Any) -> tuple[Ruling, ...]:
    """Lines of pixels as rulings: what hangs together from row to row is one."""
    import numpy as np  # noqa: PLC0415

    rulings: list[list[float]] = []  # last row, start, end, sum of rows, rows
    for row in np.flatnonzero(lines.any(axis=1)).tolist():
        edges = np.flatnonzero(np.diff(np.concatenate(([0], lines[row].astype(np.int8), [0]))))
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            for one in reversed(rulings[-40:]):
                if row - one[0] <= 2 and start <= one[2] + 4 and one[1] <= end + 4:  # noqa: PLR2004
                    one[:3] = [row, min(one[1], start), max(one[2], end)]
                    one[3], one[4] = one[3] + row, one[4] + 1
                    break
            else:
                rulings.append([float(row), start, end, float(row), 1.0])
    return tuple(Ruling(one[3] / one[4], one[1], one[2]) for one in rulings)
