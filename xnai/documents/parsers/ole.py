"""What an OLE2 container (Office 97, encrypted Office, Outlook) holds, by its directory.

Directory entries are 128 bytes on a 128-byte boundary: a UTF-16 name padded to 64 bytes with
zeros, then its length in bytes, the final zero included ([MS-CFB] 2.6.1).
"""

import mmap
import struct
from pathlib import Path

ENCRYPTED = "an encrypted Office file"

_ENTRY = 128
_NAME = 64
_KINDS = (
    ("EncryptedPackage", ENCRYPTED),
    ("WordDocument", "an old Word 97 file: save it as DOCX"),
    ("Workbook", "an old Excel 97 file: save it as XLSX"),
    ("Book", "an old Excel 95 file: save it as XLSX"),
    ("PowerPoint Document", "an old PowerPoint 97 file: save it as PPTX"),
    ("__nameid_version1.0", "an Outlook message: save it as text or HTML"),
)


def _has_entry(data: mmap.mmap, name: str) -> bool:
    encoded = name.encode("utf-16-le")
    wanted = encoded.ljust(_NAME, b"\0") + struct.pack("<H", len(encoded) + 2)
    at = data.find(wanted)
    while at >= 0 and at % _ENTRY:
        at = data.find(wanted, at + 1)
    return at >= 0


def kind(path: Path) -> str:
    """Say what the container holds; ``ENCRYPTED`` for a protected Office file."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for name, found in _KINDS:
            if _has_entry(data, name):
                return found
    return "an OLE2 container of no known kind"
