"""What a file is, by its content; the name only tells kinds of text apart.

Used in the worker process only; the server asks ``xnai.documents.parsers.kinds``.
"""

import re
from pathlib import Path

from xnai.documents.media_types import (
    CSV,
    DOCX,
    EPUB,
    HTML,
    MAIL,
    MARKDOWN,
    PDF,
    PPTX,
    TEXT,
    XLSX,
)
from xnai.documents.names import extension
from xnai.documents.parsers import encoding, magic, ole, zip_archive
from xnai.documents.parsers.failures import Failure
from xnai.errors import FILE_ENCRYPTED, FILE_TYPE_UNSUPPORTED

_BY_EXTENSION = {
    "md": MARKDOWN,
    "markdown": MARKDOWN,
    "csv": CSV,
    "tsv": CSV,
    "html": HTML,
    "htm": HTML,
    "xhtml": HTML,
}
_HEAD = 64 * 1024
# Bounded, since a number without end would be read again from each of its digits.
_PDF_OBJECT = re.compile(rb"(?<!\d)\d{1,10}\s{1,8}\d{1,5}\s{1,8}obj\b")
# Possessive, since thousands of comments would be tried in every combination otherwise.
_PROLOGUE = r"\s*+(?:<\?xml[^>]*+>\s*+|(?><!--.*?-->)\s*+|<!doctype\s+svg[^>]*+>\s*+)*+"
_HTML_START = re.compile(
    _PROLOGUE + r"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE | re.DOTALL
)
_HTML_TAG = re.compile(r"<(?:/?[a-z][a-z0-9]*)(?:\s[^<>]*)?>", re.IGNORECASE)
_SVG_START = re.compile(_PROLOGUE + r"<svg[\s>]", re.IGNORECASE | re.DOTALL)

# A message as it is stored: header lines first, some of those that every message has among them.
_MAIL_START = re.compile(r"(?:[!-9;-~]{1,70}:[ \t][^\n]{0,2000}\n)(?:[!-9;-~]{1,70}:|[ \t])")
_MAIL_HEADER = re.compile(
    r"^(?:from|to|date|subject|message-id|mime-version|received|return-path|content-type):",
    re.IGNORECASE | re.MULTILINE,
)
_MAIL_HEAD = 8192  # characters
_MAIL_HEADERS = 3


def _is_pdf(head: bytes) -> bool:
    at = head.find(magic.PDF_HEADER, 0, magic.HEAD)
    return at == 0 or (at > 0 and _PDF_OBJECT.search(head, at) is not None)


def _kind_of_text(head: bytes, codec: str, name: str) -> str:
    start = head.decode(codec, errors="replace")
    if _HTML_START.match(start):
        return HTML
    if _SVG_START.match(start):
        raise Failure(FILE_TYPE_UNSUPPORTED, found="an SVG image")
    if _MAIL_START.match(start) and len(_MAIL_HEADER.findall(start[:_MAIL_HEAD])) >= _MAIL_HEADERS:
        return MAIL
    kind = _BY_EXTENSION.get(extension(name), TEXT)
    if kind == HTML and not _HTML_TAG.search(start):
        return TEXT
    return kind


def _of_zip(path: Path) -> str:
    found = zip_archive.kind(path)
    known = {"docx": DOCX, "pptx": PPTX, "xlsx": XLSX, "EPUB": EPUB}
    if found in known:
        return known[found]
    raise Failure(FILE_TYPE_UNSUPPORTED, found=found)


def _of_ole(path: Path) -> Failure:
    found = ole.kind(path)
    if found == ole.ENCRYPTED:
        return Failure(FILE_ENCRYPTED)
    return Failure(FILE_TYPE_UNSUPPORTED, found=found)


def media_type(path: Path, name: str) -> str:
    """Return the media type of a file by its content; reads little of it, but blocks.

    Raises:
        Failure: FILE_TYPE_UNSUPPORTED with what was found, FILE_ENCRYPTED for a protected
            Office file (its container shows nothing of what is inside).

    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if _is_pdf(head):
        return PDF
    if head.startswith(magic.ZIP):
        return _of_zip(path)
    if head.startswith(magic.OLE):
        raise _of_ole(path)
    if photo := magic.photo(head):
        return photo
    known = magic.known(head)
    codec = encoding.detect(head) if known is None or not known.is_sure else None
    if codec is not None:
        return _kind_of_text(head, codec, name)
    found = "binary data of no known kind" if known is None else known.found
    raise Failure(FILE_TYPE_UNSUPPORTED, found=found)
