"""Reads a file by its media type; used in the worker process only.

Each format loads its own library, so that the others cost nothing.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from xnai.documents.parsers.seen import Seen
from xnai.types import Page


def pages(path: Path, media_type: str, limit: int, seen: Seen) -> Iterable[Page]:
    """Read the pages of a file, of at most ``limit`` characters in all.

    Raises:
        Failure: the file cannot be read, at once or in mid-iteration.

    """
    if media_type.endswith("/pdf"):
        return _pdf_pages(path, seen)
    if media_type.startswith("image/"):
        from xnai.documents.parsers import photo  # noqa: PLC0415

        return photo.pages(path, seen)
    if "officedocument" in media_type:
        return _office_pages(path, media_type, limit, seen)
    if media_type.endswith("/epub+zip"):
        from xnai.documents.parsers import epub  # noqa: PLC0415

        return epub.epub_pages(path, limit)
    if media_type == "message/rfc822":
        from xnai.documents.parsers import mail  # noqa: PLC0415

        return [mail.mail_page(path, limit, seen, pages)]
    from xnai.documents.parsers import plain  # noqa: PLC0415

    readers = {"text/html": plain.html_page, "text/csv": plain.csv_page}
    return [readers.get(media_type, plain.text_page)(path, limit, seen)]


def _pdf_pages(path: Path, seen: Seen) -> Iterator[Page]:
    from xnai.documents.pdf import reader  # noqa: PLC0415

    document = reader.open_pdf(path)
    seen.tell_total(len(document))
    return reader.pages(document, seen)


def _office_pages(path: Path, media_type: str, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import office  # noqa: PLC0415

    if media_type.endswith(".document"):
        return [office.docx_page(path, seen)]
    if media_type.endswith(".presentation"):
        return office.pptx_pages(path, seen)
    return office.xlsx_pages(path, limit, seen)
