"""What people should know of how a document was read; used in the worker process only."""

from collections.abc import Sequence

from xnai.documents.parsers.frames import REPORT_CHARACTERS, REPORT_LINES, Notes
from xnai.documents.parsers.seen import Seen
from xnai.types import ReadingReport

_NOTE_PAGES = 20  # named in a note


def told(empty: list[int], count: int, seen: Seen) -> Notes:
    """The last frame of a document of so many pages, some of them without text."""
    return Notes(tuple(_notes(empty, seen)), _report(count - len(empty), seen))


def _listed(numbers: Sequence[int | str]) -> str:
    shown = ", ".join(str(number) for number in numbers[:_NOTE_PAGES])
    rest = len(numbers) - _NOTE_PAGES
    return f"{shown} and {rest} more" if rest > 0 else shown


def _notes(empty: list[int], seen: Seen) -> list[str]:
    notes = []
    if seen.recognised:
        where = _listed(seen.recognised)
        notes.append(f"Page {where} is a picture; its text was recognised (OCR).")
    if seen.doubtful:
        where = _listed(seen.doubtful)
        notes.append(f"Page {where} is hard to read; check what is quoted from it.")
    if seen.pictures:
        where = _listed(sorted(set(seen.pictures)))
        notes.append(f"Page {where} has pictures with text, which was recognised (OCR).")
    if seen.pictures_unread:
        notes.append(f"Pictures whose text could not be read: {seen.pictures_unread}.")
    if seen.hidden:
        notes.append(f"Hidden, and read all the same: {_listed(seen.hidden)}.")
    notes += seen.warnings[:_NOTE_PAGES]
    if empty:
        notes.append(f"No text was found on page {_listed(empty)} (pictures only?).")
    if seen.unreadable:
        notes.append(f"Page {_listed(seen.unreadable)} is damaged and could not be read.")
    if seen.left_out:
        notes.append(f"Not read of what is in it: {_listed(seen.left_out)}.")
    return notes


def _report(pages_read: int, seen: Seen) -> ReadingReport:
    return ReadingReport(
        pages_read - len(seen.unreadable),
        len(seen.recognised),
        seen.pictures_unread,
        seen.tables,
        seen.forms,
        _shortened(seen.hidden),
        _shortened(seen.removed),
        _shortened(seen.warnings),
    )


def _shortened(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line[:REPORT_CHARACTERS] for line in lines[:REPORT_LINES])
