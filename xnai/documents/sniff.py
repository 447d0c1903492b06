"""What a file is, by its content; the name only tells kinds of text apart."""

import re
from pathlib import Path

from xnai.documents import encoding, ole, zip_archive
from xnai.documents.names import extension
from xnai.errors import FILE_ENCRYPTED, FILE_TYPE_UNSUPPORTED, XnaiError

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TEXT = "text/plain"
MAIL = "message/rfc822"
EPUB = "application/epub+zip"

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
_PDF_HEAD = 1024  # readers accept a PDF whose header stands within the first KB
_PDF_OBJECT = re.compile(rb"\d+\s+\d+\s+obj\b")
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

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF87a", "a GIF image"),
    (0, b"GIF89a", "a GIF image"),
    (0, b"II*\x00", "a TIFF image"),
    (0, b"MM\x00*", "a TIFF image"),
    (8, b"WEBP", "a WebP image"),
    (0, b"8BPS", "a Photoshop image"),
    (8, b"WAVE", "a WAV recording"),
    (8, b"AVI ", "an AVI video"),
    (4, b"ftypheic", "a HEIC image"),
    (4, b"ftypavif", "an AVIF image"),
    (4, b"ftyp", "an MP4 or QuickTime video"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (0, b"ID3", "an MP3 recording"),
    (0, b"\xff\xfb", "an MP3 recording"),
    (0, b"OggS", "an Ogg recording"),
    (0, b"fLaC", "a FLAC recording"),
    (0, b"Rar!\x1a\x07", "a RAR archive: unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it first"),
    (0, b"\x1f\x8b", "a gzip archive: unpack it first"),
    (0, b"BZh", "a bzip2 archive: unpack it first"),
    (0, b"\xfd7zXZ\x00", "an xz archive: unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it first"),
    (257, b"ustar", "a tar archive: unpack it first"),
    (0, b"\x7fELF", "a program"),
    (0, b"MZ", "a Windows program"),
    (0, b"\xcf\xfa\xed\xfe", "a program"),
    (0, b"\xca\xfe\xba\xbe", "a program"),
    (0, b"SQLite format 3\x00", "an SQLite database"),
    (0, b"GGUF", "a GGUF model: put it into the models folder"),
    (0, b"PAR1", "a Parquet table: save it as CSV"),
    (0, b"%!PS", "a PostScript file: save it as PDF"),
    (0, b"{\\rtf", "an RTF document: save it as DOCX"),
    (0, b"AT&TFORM", "a DjVu document: save it as PDF"),
    (60, b"BOOKMOBI", "a Kindle book"),
)


def _by_magic(head: bytes) -> str | None:
    for offset, magic, found in _MAGIC:
        if head.startswith(magic, offset):
            # Two letters are too few to call a text a program.
            if len(magic) == 2 and encoding.detect(head) is not None:  # noqa: PLR2004
                continue
            return found
    return None


def _is_pdf(head: bytes) -> bool:
    at = head.find(b"%PDF-", 0, _PDF_HEAD)
    return at == 0 or (at > 0 and _PDF_OBJECT.search(head, at) is not None)


def _kind_of_text(head: bytes, codec: str, name: str) -> str:
    start = head.decode(codec, errors="replace")
    if _HTML_START.match(start):
        return HTML
    if _SVG_START.match(start):
        raise XnaiError(FILE_TYPE_UNSUPPORTED, name=name, found="an SVG image")
    if _MAIL_START.match(start) and len(_MAIL_HEADER.findall(start[:_MAIL_HEAD])) >= _MAIL_HEADERS:
        return MAIL
    kind = _BY_EXTENSION.get(extension(name), TEXT)
    if kind == HTML and not _HTML_TAG.search(start):
        return TEXT
    return kind


def _of_zip(path: Path, name: str) -> str:
    found = zip_archive.kind(path)
    known = {"docx": DOCX, "pptx": PPTX, "xlsx": XLSX, "EPUB": EPUB}
    if found in known:
        return known[found]
    raise XnaiError(FILE_TYPE_UNSUPPORTED, name=name, found=found)


def _of_ole(path: Path, name: str) -> str:
    found = ole.kind(path)
    if found == ole.ENCRYPTED:
        raise XnaiError(FILE_ENCRYPTED, name=name)
    raise XnaiError(FILE_TYPE_UNSUPPORTED, name=name, found=found)


def media_type(path: Path, name: str) -> str:
    """Return the media type of a file by its content; reads little of it, but blocks.

    Raises:
        XnaiError: FILE_TYPE_UNSUPPORTED with what was found, FILE_ENCRYPTED for a protected
            Office file (its container shows nothing of what is inside).

    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if _is_pdf(head):
        return PDF
    if head.startswith(zip_archive.MAGIC):
        return _of_zip(path, name)
    if head.startswith(ole.MAGIC):
        return _of_ole(path, name)
    found = _by_magic(head)
    if found is None:
        codec = encoding.detect(head)
        if codec is not None:
            return _kind_of_text(head, codec, name)
        found = "binary data of no known kind"
    raise XnaiError(FILE_TYPE_UNSUPPORTED, name=name, found=found)
