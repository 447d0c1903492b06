"""DOCX, PPTX and XLSX; used in the worker process only."""

import math
import re
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from io import BytesIO
from pathlib import Path
from typing import Any

from xnai.documents.parsers import sheet_comments, sheet_marks, zip_archive
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.markdown_tables import linearized_markdown
from xnai.documents.parsers.plain import tidy
from xnai.documents.parsers.seen import Seen
from xnai.documents.parsers.table import linearized
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG, FILE_TOO_EXPENSIVE
from xnai.types import Page

_SLIDE = re.compile(r"^<!-- Slide number: (\d+) -->$", re.MULTILINE)
# No part of it can hold the beginning of another, so that none is read more than twice.
_PICTURE = re.compile(r"!\[([^\[\]\n]*(?:(?<!!)\[[^\[\]\n]*)*)\]\((?:data:[^()\[\]\n]*|\w*\.jpg)\)")
_NAMELESS = re.compile(r"(?:Picture|Grafik|Image|Content Placeholder|Google Shape;)\W*+[\d;\w]*+")
# Formats of numbers that change what is read: 0.068 is 6.8 %, and 42 is 00042.
_PER_CENT = re.compile(r"#?,?#{0,3}0(?:\.(0{1,10}))? ?%")
_ZEROS = re.compile(r"0{2,30}")
# Amounts as they are shown, 612.50 EUR for 612.5; but no separators between thousands.
_AMOUNT = re.compile(
    r"(?P<before>[^#0]{0,8})(?:#,?#{0,3})?0(?:\.(?P<decimals>0{1,6}))?(?P<behind>[^#0]{0,8})"
)
_CURRENCY = re.compile(r"\[\$([^\]-]{1,5})(?:-[^\]]{0,8})?\]")
_NOT_SHOWN = re.compile(r"[\"\\]|_.|\*.|\[[^\]]{0,20}\]")
_UNIT = re.compile(r"[^\d?/@;,.()%E+-]{0,8}")
_BLANKS = re.compile(r"\n{3,}")


def parts_of(path: Path) -> BytesIO:
    """Return the archive's XML parts, checked.

    Raises:
        Failure: FILE_TOO_EXPENSIVE, or FILE_DAMAGED.

    """
    try:
        return zip_archive.xml_parts(path)
    except zip_archive.ArchiveTooLargeError as exc:
        resource, limit = exc.args
        raise Failure(FILE_TOO_EXPENSIVE, resource=resource, limit=limit) from exc
    except zip_archive.ArchiveUnsafeError as exc:
        reason = "it defines XML entities, which no Office program writes"
        raise Failure(FILE_DAMAGED, reason=reason) from exc
    except (zipfile.BadZipFile, EOFError, zipfile.LargeZipFile) as exc:
        raise Failure(FILE_DAMAGED, reason="its archive is not whole") from exc


def _alternative_text(match: re.Match[str]) -> str:
    return "" if _NAMELESS.fullmatch(match[1].strip()) else match[1]


def _markdown(text: str) -> str:
    return linearized_markdown(
        _BLANKS.sub("\n\n", tidy(_PICTURE.sub(_alternative_text, text))).strip()
    )


def docx_page(path: Path, seen: Seen) -> Page:
    """Read a DOCX as one page, since its pages are made by the printer."""
    from xnai.documents.parsers.word.document import WordFile  # noqa: PLC0415

    return Page(None, WordFile(parts_of(path), seen).text())


def pptx_pages(path: Path, seen: Seen) -> list[Page]:
    """Convert a PPTX to Markdown, one page for each slide."""
    from markitdown import StreamInfo  # noqa: PLC0415 - slow to import
    from markitdown.converters import PptxConverter  # noqa: PLC0415
    from pptx import Presentation  # noqa: PLC0415 - slow to import

    parts = parts_of(path)
    hidden = {
        number
        for number, slide in enumerate(Presentation(parts).slides, start=1)
        if slide.element.get("show") in {"0", "false"}
    }
    seen.hidden += [f"slide {number}" for number in sorted(hidden)]
    parts.seek(0)
    text = PptxConverter().convert(parts, StreamInfo(extension=".pptx")).markdown
    pages = [
        Page(number, _markdown(part) + ("\n\n(hidden slide)" if number in hidden else ""))
        for number, part in _split_slides(text)
    ]
    seen.tell_total(len(pages))
    return pages


def _split_slides(text: str) -> Iterator[tuple[int, str]]:
    number, start = 0, 0
    for match in _SLIDE.finditer(text):
        # A comment out of turn is the slide's own text.
        if int(match[1]) == number + 1:
            if number:
                yield number, text[start : match.start()]
            number, start = number + 1, match.end()
    if number:
        yield number, text[start:]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, datetime):
        return str(value.date() if value.time() == time.min else value).removesuffix(":00")
    if isinstance(value, time):
        return str(value).removesuffix(":00") if not value.second else str(value)
    return _duration(value) if isinstance(value, timedelta) else str(value)


def _duration(value: timedelta) -> str:
    """Hours and minutes, however many these are, as sheets of hours show them."""
    minutes, seconds = divmod(round(abs(value.total_seconds())), 60)
    sign = "-" if value < timedelta() else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")


def _shown(cell: Any) -> str:
    """What a cell says; shares in per cent and codes with their zeros, as they are shown."""
    value = cell.value
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return _cell(value)
    form = cell.number_format or ""
    if match := _PER_CENT.fullmatch(form):
        return f"{100 * value:.{len(match[1] or '')}f}%"
    if _ZEROS.fullmatch(form) and value == int(value) >= 0:
        return str(int(value)).zfill(len(form))
    return _amount(value, form)


def _amount(value: float, form: str) -> str:
    """A number with the decimals and the unit that its format shows."""
    plain = _NOT_SHOWN.sub("", _CURRENCY.sub(r"\1", form.partition(";")[0][:60]))
    match = _AMOUNT.fullmatch(plain)
    if match is None:
        return _cell(value)
    before, behind = match["before"], match["behind"]
    if not (_UNIT.fullmatch(before) and _UNIT.fullmatch(behind)):
        return _cell(value)
    shown = _cell(value)
    if match["decimals"] and math.isfinite(value):
        smallest = Decimal(1).scaleb(-len(match["decimals"]))
        with suppress(InvalidOperation):  # more digits than anybody shows
            shown = str(Decimal(repr(value)).quantize(smallest, ROUND_HALF_UP))
    return f"{before}{shown}{behind}".strip()


def xlsx_pages(path: Path, limit: int, seen: Seen) -> Iterator[Page]:
    """Read a workbook row by row, one page for each sheet.

    markitdown makes HTML of the whole workbook first, which needs gigabytes for a large one, and
    writes ``NaN`` into empty cells.
    """
    import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    parts = parts_of(path)
    book = openpyxl.load_workbook(parts, read_only=True, data_only=True, keep_links=False)
    seen.tell_total(len(book.worksheets))
    for number, sheet in enumerate(book.worksheets, start=1):
        sheet.reset_dimensions()  # what a file says of its own size may be wrong
        title = f"## {sheet.title}"
        if sheet.sheet_state != "visible":
            seen.hidden.append(f"sheet {sheet.title}")
            title += " (hidden sheet)"
        marks = _marks(parts, sheet)
        if marks.hidden:
            seen.hidden.append(f"{len(marks.hidden)} rows of sheet {sheet.title}")
        if marks.formulas:
            seen.warnings.append(
                f"{len(marks.formulas)} formulas of sheet {sheet.title} have no stored result."
            )
        lines, length = [f"{title}\n"], 0
        for line in linearized(_rows(sheet, marks)):
            lines.append(line)
            length += len(line) + 1
            if length > limit:
                raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
        lines += _notes(parts, sheet, limit - length)
        seen.tables += bool(length)
        yield Page(number, tidy("\n".join(lines)) if length else "")


def _marks(parts: BytesIO, sheet: Any) -> sheet_marks.SheetMarks:
    path = _path(sheet)
    with zipfile.ZipFile(parts) as archive:
        if path not in archive.namelist():
            return sheet_marks.SheetMarks()
        with archive.open(path) as file:
            return sheet_marks.of_sheet(file)  # type: ignore[arg-type]


def _notes(parts: BytesIO, sheet: Any, room: int) -> list[str]:
    """The comments of a sheet, after its rows, as far as there is room."""
    found = []
    for note in sheet_comments.of_sheet(parts, _path(sheet)):
        room -= len(note) + 1
        if room < 0:
            break
        found.append(note)
    return ["", *found] if found else []


def _path(sheet: Any) -> str:
    return str(getattr(sheet, "_worksheet_path", "")).lstrip("/")


def _rows(sheet: Any, marks: sheet_marks.SheetMarks) -> Iterator[list[str]]:
    """The rows of a sheet; what reaches down stands in each of its rows."""
    reaching: dict[int, tuple[int, str]] = {}  # by column: last row and text
    is_marked = bool(marks.down or marks.formulas or marks.hidden)
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [_shown(cell) for cell in row]
        if is_marked:
            _complete(cells, number, marks, reaching)
        yield cells


def _complete(
    cells: list[str],
    number: int,
    marks: sheet_marks.SheetMarks,
    reaching: dict[int, tuple[int, str]],
) -> None:
    has_content = any(cells)
    for column, (last, text) in list(reaching.items()):
        if number > last:
            del reaching[column]
        elif has_content:
            cells += [""] * (column - len(cells))
            cells[column - 1] = cells[column - 1] or text
    for at, cell in enumerate(cells, start=1):
        if (last := marks.down.get((number, at), 0)) and cell:
            reaching[at] = (last, cell)
        if not cell and (formula := marks.formulas.get((number, at))) is not None:
            cells[at - 1] = f"(not calculated: ={formula})" if formula else "(not calculated)"
    if number in marks.hidden and has_content:
        cells.append("(hidden row)")
