"""Reads a file by its media type; used in the worker process only.

Each format loads its own library, so that the others cost nothing.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from xnai.documents import media_types
from xnai.documents.parsers.seen import Seen
from xnai.types import Page

Read = Callable[[Path, int, Seen], Iterable[Page]]


def pages(path: Path, media_type: str, limit: int, seen: Seen) -> Iterable[Page]:
    """Read the pages of a file, of at most ``limit`` characters in all.

    Raises:
        Failure: the file cannot be read, at once or in mid-iteration.

    """
    if media_type.startswith("image/"):
        from xnai.documents.parsers import photo  # noqa: PLC0415

        return photo.pages(path, seen)
    if media_type.startswith("application/vnd.openxmlformats"):
        return _office_pages(path, media_type, limit, seen)
    if media_type in media_types.OLD_OFFICE:
        from xnai.documents.parsers import old_office  # noqa: PLC0415

        return old_office.pages(path, media_type, limit, seen, pages)
    if media_type in media_types.OPEN_DOCUMENTS:
        return _open_document_pages(path, media_type, limit, seen)
    return _READERS.get(media_type, _text_pages)(path, limit, seen)


def _text_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import plain  # noqa: PLC0415

    return [plain.text_page(path, limit, seen)]


def _markdown_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import plain  # noqa: PLC0415

    return [plain.markdown_page(path, limit, seen)]


def _html_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import plain  # noqa: PLC0415

    return [plain.html_page(path, limit, seen)]


def _csv_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import plain  # noqa: PLC0415

    return [plain.csv_page(path, limit, seen)]


def _pdf_pages(path: Path, _: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.pdf import reader  # noqa: PLC0415

    document = reader.open_pdf(path)
    seen.tell_total(len(document))
    return reader.pages(document, seen)


def _epub_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import epub  # noqa: PLC0415

    return epub.epub_pages(path, limit, seen)


def _mail_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import mail  # noqa: PLC0415

    return [mail.mail_page(path, limit, seen, pages)]


def _outlook_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import mail, outlook  # noqa: PLC0415

    return [mail.page_of_message(outlook.message(path), limit, seen, pages)]


def _mailbox_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import mailbox  # noqa: PLC0415

    return mailbox.mailbox_pages(path, limit, seen, pages)


def _saved_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import mailbox  # noqa: PLC0415

    return [mailbox.web_page(path, limit, seen)]


def _archive_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import packed  # noqa: PLC0415

    return packed.archive_pages(path, limit, seen, pages)


def _rtf_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers.rtf import words  # noqa: PLC0415

    return [words.rtf_page(path, limit, seen)]


def _json_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import records  # noqa: PLC0415

    return [records.json_page(path, limit, seen)]


def _json_lines_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import records  # noqa: PLC0415

    return [records.json_lines_page(path, limit, seen)]


def _notebook_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import records  # noqa: PLC0415

    return [records.notebook_page(path, limit, seen)]


def _yaml_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import yaml_text  # noqa: PLC0415

    return [yaml_text.yaml_page(path, limit, seen)]


def _xml_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import xml_text  # noqa: PLC0415

    return [xml_text.xml_page(path, limit, seen)]


def _feed_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import xml_text  # noqa: PLC0415

    return [xml_text.feed_page(path, limit, seen)]


def _subtitle_pages(path: Path, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import subtitles  # noqa: PLC0415

    return [subtitles.subtitles_page(path, limit, seen)]


_READERS: dict[str, Read] = {
    media_types.PDF: _pdf_pages,
    media_types.MARKDOWN: _markdown_pages,
    media_types.HTML: _html_pages,
    media_types.CSV: _csv_pages,
    media_types.EPUB: _epub_pages,
    media_types.MAIL: _mail_pages,
    media_types.OUTLOOK: _outlook_pages,
    media_types.MAILBOX: _mailbox_pages,
    media_types.SAVED_PAGE: _saved_pages,
    media_types.ARCHIVE: _archive_pages,
    media_types.RTF: _rtf_pages,
    media_types.JSON: _json_pages,
    media_types.JSON_LINES: _json_lines_pages,
    media_types.NOTEBOOK: _notebook_pages,
    media_types.YAML: _yaml_pages,
    media_types.XML: _xml_pages,
    media_types.FEED: _feed_pages,
    media_types.SUBTITLES: _subtitle_pages,
}


def _office_pages(path: Path, media_type: str, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import office  # noqa: PLC0415

    if media_type.endswith(".document"):
        return [office.docx_page(path, seen)]
    if media_type.endswith(".presentation"):
        return office.pptx_pages(path, seen)
    return office.xlsx_pages(path, limit, seen)


def _open_document_pages(path: Path, media_type: str, limit: int, seen: Seen) -> Iterable[Page]:
    from xnai.documents.parsers import office  # noqa: PLC0415
    from xnai.documents.parsers.opendocument import reading  # noqa: PLC0415

    parts = office.parts_of(path)
    if media_type == media_types.ODT:
        return [reading.text_page(parts, seen)]
    if media_type == media_types.ODP:
        return reading.slide_pages(parts, seen)
    return reading.sheet_pages(parts, limit, seen)
