"""What a file is, by its content; the name only tells kinds of text apart.

Used in the worker process only; the server asks ``xnai.documents.parsers.kinds``.
"""

import re
from pathlib import Path

from xnai.documents.media_types import (
    ARCHIVE,
    CSV,
    DOCX,
    EPUB,
    FEED,
    HTML,
    JSON,
    JSON_LINES,
    MAIL,
    MAILBOX,
    MARKDOWN,
    NOTEBOOK,
    OLD_OFFICE,
    OPEN_DOCUMENTS,
    OUTLOOK,
    PDF,
    PPTX,
    RTF,
    SAVED_PAGE,
    SUBTITLES,
    TEXT,
    XLSB,
    XLSX,
    XML,
    YAML,
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
    "json": JSON,
    "geojson": JSON,
    "jsonl": JSON_LINES,
    "ndjson": JSON_LINES,
    "ipynb": NOTEBOOK,
    "xml": XML,
    "rss": XML,
    "yaml": YAML,
    "yml": YAML,
    "atom": XML,
    "srt": SUBTITLES,
    "vtt": SUBTITLES,
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
# Of many messages: what parts them stands before the first one too.
_MAILBOX_START = re.compile(r"From [^\n]{1,300}\n[!-9;-~]{1,70}:[ \t]")
# A web page that a browser has saved in one file.
_SAVED = re.compile(
    r"^(?:snapshot-content-location:|from:[ \t]{1,4}<saved by)", re.IGNORECASE | re.MULTILINE
)
_XML_START = re.compile(r"\s*+<\?xml\s")
_XML_LIKE = re.compile(r"\s*+<[?!A-Za-z_]")
_FEED = re.compile(r"<(?:\w{1,20}:)?(?:rss|feed|RDF)[\s>]")
# The line above what is said in a film.
CUE = re.compile(
    r"(?P<start>(?:\d{1,3}:)?\d{2}:\d{2})[.,]\d{1,3}\s{1,4}-->\s{1,4}(?:\d{1,3}:)?\d{2}:\d{2}[.,]\d{1,3}"
)
_MAIL_HEAD = 8192  # characters
_MAIL_HEADERS = 3
_FEED_HEAD = 2048  # characters


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
        return SAVED_PAGE if _SAVED.search(start[:_MAIL_HEAD]) else MAIL
    if _MAILBOX_START.match(start):
        return MAILBOX
    if start.startswith("WEBVTT"):
        return SUBTITLES
    kind = _BY_EXTENSION.get(extension(name), TEXT)
    if kind != XML and _XML_START.match(start):
        kind = XML
    if not _is_likely(kind, start):
        return TEXT
    return FEED if kind == XML and _FEED.search(start[:_FEED_HEAD]) else kind


def _is_likely(kind: str, start: str) -> bool:
    """Whether a text may be of the kind that its name says."""
    marks = {HTML: _HTML_TAG, SUBTITLES: CUE}
    if kind in {JSON, JSON_LINES, NOTEBOOK}:
        return start.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}
    if kind == XML:
        return bool(_XML_LIKE.match(start))
    return kind not in marks or marks[kind].search(start) is not None


def _of_zip(path: Path) -> str:
    found = zip_archive.kind(path)
    known = {"docx": DOCX, "pptx": PPTX, "xlsx": XLSX, "EPUB": EPUB, zip_archive.ARCHIVE: ARCHIVE}
    known["xlsb"] = XLSB
    known |= {one: one for one in OPEN_DOCUMENTS}
    if found in known:
        return known[found]
    raise Failure(FILE_TYPE_UNSUPPORTED, found=found)


def _of_ole(path: Path) -> str:
    found = ole.kind(path)
    if found == ole.ENCRYPTED:
        raise Failure(FILE_ENCRYPTED)
    if found in OLD_OFFICE or found == OUTLOOK:
        return found
    raise Failure(FILE_TYPE_UNSUPPORTED, found=found)


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
    if head.startswith(magic.RTF):
        return RTF
    if head.startswith(magic.OLE):
        return _of_ole(path)
    if photo := magic.photo(head):
        return photo
    known = magic.known(head)
    codec = encoding.detect(head) if known is None or not known.is_sure else None
    if codec is not None:
        return _kind_of_text(head, codec, name)
    found = "binary data of no known kind" if known is None else known.found
    raise Failure(FILE_TYPE_UNSUPPORTED, found=found)
