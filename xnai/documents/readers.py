"""Reads a file by its media type; used in the worker process only.

Each format loads its own library, so that the others cost nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xnai.types import Page

ATTACHED = 2**26  # bytes of an attachment that is read


@dataclass
class Seen:
    """What a reader comes across beside text.

    Attributes:
        unreadable: numbers of pages that cannot be read.
        recognised: numbers of pages whose text was recognised in a picture.
        left_out: names of parts that are not read.
        tell_total: is told how many pages there are, as soon as that is known.

    """

    unreadable: list[int] = field(default_factory=list)
    recognised: list[int] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    tell_total: Callable[[int], None] = lambda _: None


def pages(path: Path, media_type: str, limit: int, seen: Seen) -> Iterable[Page]:
    """Read the pages of a file, of at most ``limit`` characters in all.

    Raises:
        Failure: the file cannot be read, at once or in mid-iteration.

    """
    if media_type.endswith("/pdf"):
        return _pdf_pages(path, seen)
    if "officedocument" in media_type:
        return _office_pages(path, media_type, limit)
    if media_type.endswith("/epub+zip"):
        from xnai.documents import epub  # noqa: PLC0415

        return epub.epub_pages(path, limit)
    if media_type == "message/rfc822":
        from xnai.documents import mail  # noqa: PLC0415

        return [mail.mail_page(path, limit, seen)]
    from xnai.documents import plain  # noqa: PLC0415

    readers = {"text/html": plain.html_page, "text/csv": plain.csv_page}
    return [readers.get(media_type, plain.text_page)(path, limit)]


def _pdf_pages(path: Path, seen: Seen) -> Iterator[Page]:
    from xnai.documents import pdf  # noqa: PLC0415

    document = pdf.open_pdf(path)
    seen.tell_total(len(document))
    return pdf.pages(document, seen.unreadable, seen.recognised)


def _office_pages(path: Path, media_type: str, limit: int) -> Iterable[Page]:
    from xnai.documents import office  # noqa: PLC0415

    if media_type.endswith(".document"):
        return [office.docx_page(path)]
    if media_type.endswith(".presentation"):
        return office.pptx_pages(path)
    return office.xlsx_pages(path, limit)
