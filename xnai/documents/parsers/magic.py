"""The beginnings by which files are known at once.

Bytes at fixed places are compared, and nothing else: this may be done in the server's process,
where a pattern that takes its time stops everybody.
"""

from typing import NamedTuple

from xnai.documents.media_types import DOC, JPEG, PNG, PPT, TIFF, WEBP, XLS, XLSB

HEAD = 1024  # bytes; readers accept a PDF whose header stands within them
PDF_HEADER = b"%PDF-"
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
RTF = b"{\\rtf"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


class Magic(NamedTuple):
    """What a file is in words, and whether its beginning leaves no doubt."""

    found: str
    is_sure: bool


_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"GIF87a", "a GIF image"),
    (0, b"GIF89a", "a GIF image"),
    (0, b"8BPS", "a Photoshop image"),
    (8, b"WAVE", "a WAV recording"),
    (8, b"AVI ", "an AVI video"),
    *((4, b"ftyp" + brand, "a HEIC image: save it as JPEG") for brand in _HEIC),
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
    (0, b"AT&TFORM", "a DjVu document: save it as PDF"),
    (60, b"BOOKMOBI", "a Kindle book"),
)

_PHOTOS = (
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"II*\x00", TIFF),
    (0, b"MM\x00*", TIFF),
    (8, b"WEBPVP8", WEBP),
)

_OR = "or install LibreOffice on the server"
# What is refused where LibreOffice is not installed.
NOT_CONVERTED = {
    DOC: f"an old Word file: save it as DOCX, {_OR}",
    PPT: f"an old PowerPoint file: save it as PPTX, {_OR}",
    XLS: f"an old Excel file: save it as XLSX, {_OR}",
    XLSB: f"a binary Excel file (XLSB): save it as XLSX, {_OR}",
}
_SURE = 3  # bytes; two letters are too few to call a text a program


def photo(head: bytes) -> str:
    """Return the media type of a picture that can be read; empty if it is none."""
    return next((kind for offset, magic, kind in _PHOTOS if head.startswith(magic, offset)), "")


def known(head: bytes) -> Magic | None:
    """Return what a file that cannot be read is, by its first bytes; None if they do not say."""
    for offset, magic, found in _MAGIC:
        if head.startswith(magic, offset):
            return Magic(found, len(magic) >= _SURE)
    return None
