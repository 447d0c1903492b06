"""DOCX, PPTX and XLSX; used in the worker process only."""

import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

from xnai.documents import zip_archive
from xnai.documents.failures import Failure
from xnai.documents.plain import tidy
from xnai.documents.table import linearized, linearized_markdown
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG, FILE_TOO_EXPENSIVE
from xnai.types import Page

_SLIDE = re.compile(r"^<!-- Slide number: (\d+) -->$", re.MULTILINE)
_PICTURE = re.compile(r"!\[([^\]\n]*)\]\((?:data:[^)\n]*|\w*\.jpg)\)")
_NAMELESS = re.compile(r"(?:Picture|Grafik|Image|Content Placeholder|Google Shape;)\W*[\d;\w]*")
_BLANKS = re.compile(r"\n{3,}")


def _parts(path: Path) -> Any:
    """Return the archive's XML parts, checked."""
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


def docx_page(path: Path) -> Page:
    """Convert a DOCX to Markdown as one page, since its pages are made by the printer."""
    from markitdown import StreamInfo  # noqa: PLC0415 - slow to import
    from markitdown.converters import DocxConverter  # noqa: PLC0415

    result = DocxConverter().convert(_parts(path), StreamInfo(extension=".docx"))
    return Page(None, _markdown(result.markdown))


def pptx_pages(path: Path) -> list[Page]:
    """Convert a PPTX to Markdown, one page for each slide."""
    from markitdown import StreamInfo  # noqa: PLC0415 - slow to import
    from markitdown.converters import PptxConverter  # noqa: PLC0415

    text = PptxConverter().convert(_parts(path), StreamInfo(extension=".pptx")).markdown
    return [Page(number, _markdown(part)) for number, part in _split_slides(text)]


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
    if isinstance(value, datetime) and value.time() == time.min:
        value = value.date()
    return str(value)


def xlsx_pages(path: Path, limit: int) -> Iterator[Page]:
    """Read a workbook row by row, one page with a Markdown table for each sheet.

    markitdown makes HTML of the whole workbook first, which needs gigabytes for a large one, and
    writes ``NaN`` into empty cells.
    """
    import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import

    book = openpyxl.load_workbook(_parts(path), read_only=True, data_only=True, keep_links=False)
    for number, sheet in enumerate(book.worksheets, start=1):
        sheet.reset_dimensions()  # what a file says of its own size may be wrong
        lines, length = [f"## {sheet.title}\n"], 0
        rows = ([_cell(value) for value in row] for row in sheet.iter_rows(values_only=True))
        for line in linearized(rows):
            lines.append(line)
            length += len(line) + 1
            if length > limit:
                raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
        yield Page(number, tidy("\n".join(lines)) if length else "")
