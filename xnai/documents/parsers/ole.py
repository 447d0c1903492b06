"""What an OLE2 container (Office 97, encrypted Office, Outlook) holds; used in the worker only.

Where the container is damaged its directory is looked for: entries are 128 bytes on a 128-byte
boundary, a UTF-16 name padded to 64 bytes with zeros, then its length in bytes, the final zero
included ([MS-CFB] 2.6.1).
"""

import mmap
import struct
from pathlib import Path

import olefile

from xnai.documents.media_types import DOC, OUTLOOK, PPT, XLS

ENCRYPTED = "an encrypted Office file"

_ENTRY = 128
_NAME = 64
# By what lies in the root of the container.
_KINDS = (
    ("EncryptedPackage", ENCRYPTED),
    ("WordDocument", DOC),
    ("Workbook", XLS),
    ("Book", XLS),
    ("PowerPoint Document", PPT),
    ("__nameid_version1.0", OUTLOOK),
    ("VisioDocument", "a Visio drawing: save it as PDF"),
    ("Quill", "a Publisher document: save it as PDF"),
)
_FIB_FLAGS, _FIB_ENCRYPTED = 10, 0x0100  # of a Word file's first bytes
_FILE_PASS = 0x2F  # the record of an Excel file that says how it is encrypted
_FIRST_RECORDS = 20


def _names(path: Path) -> set[str]:
    """The names in the root of a container; none if it is damaged."""
    try:
        with olefile.OleFileIO(path) as container:
            return {str(entry.name) for entry in container.root.kids}
    except Exception:  # noqa: BLE001 - whatever it stumbles over, the names may still be there
        return set()


def _has_entry(data: mmap.mmap, name: str) -> bool:
    encoded = name.encode("utf-16-le")
    wanted = encoded.ljust(_NAME, b"\0") + struct.pack("<H", len(encoded) + 2)
    at = data.find(wanted)
    while at >= 0 and at % _ENTRY:
        at = data.find(wanted, at + 1)
    return at >= 0


def kind(path: Path) -> str:
    """Return the media type of what the container holds, or words for what cannot be read.

    ``ENCRYPTED`` is a protected Office file.
    """
    names = _names(path)
    for name, found in _KINDS:
        if name in names:
            return found
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for name, found in _KINDS:
            if _has_entry(data, name):
                return found
    return "an OLE2 container of no known kind"


def has_password(path: Path) -> bool:
    """Whether an old Office file says that it is encrypted; False where it is damaged."""
    try:
        with olefile.OleFileIO(path) as container:
            if container.exists("WordDocument"):
                head = container.openstream("WordDocument").read(_FIB_FLAGS + 2)
                (flags,) = struct.unpack_from("<H", head, _FIB_FLAGS)
                return bool(flags & _FIB_ENCRYPTED)
            if container.exists("EncryptedSummary"):  # of a PowerPoint file
                return True
            name = "Workbook" if container.exists("Workbook") else "Book"
            return container.exists(name) and _is_locked(container.openstream(name).read(8192))
    except (OSError, struct.error):
        return False


def _is_locked(book: bytes) -> bool:
    """Whether a password stands among the first records of an Excel file."""
    at = 0
    for _ in range(_FIRST_RECORDS):
        if at + 4 > len(book):
            return False
        number, length = struct.unpack_from("<HH", book, at)
        if number == _FILE_PASS:
            return True
        at += 4 + length
    return False
