"""ZIP archives from strangers: what they are, and their parts under limits.

Office files are ZIP archives. Python's zipfile loads the whole directory of an archive before
anything can be checked, so the directory's size is read from the end record first.
"""

import io
import struct
import zipfile
from pathlib import Path
from typing import IO, BinaryIO

from xnai.documents.media_types import OPEN_DOCUMENTS

MAX_MEMBERS = 20_000
MAX_DIRECTORY = 8 * 2**20  # bytes
MAX_UNPACKED = 512 * 2**20  # bytes of all XML parts

_END = b"PK\x05\x06"
_END_SIZE = 22
_LOCATOR_SIZE = 20
_END64_SIZE = 56
_MAX_COMMENT = 0xFFFF
_BLOCK = 2**20
_MIMETYPE_MAX = 100
_OFFICE = {
    "word/document.xml": "docx",
    "ppt/presentation.xml": "pptx",
    "xl/workbook.xml": "xlsx",
    "xl/workbook.bin": "xlsb",
}
_MIMETYPES = {
    "application/epub+zip": "EPUB",
    **{known: known for known in OPEN_DOCUMENTS},
    **{f"{known}-template": known for known in OPEN_DOCUMENTS},
}
ARCHIVE = "archive"
# What a member of this name says of an archive that is none of documents.
_TELLING = {
    "Index/Document.iwa": "an Apple Pages, Numbers or Keynote file: export it as PDF",
    "META-INF/MANIFEST.MF": "a Java program",
    "AndroidManifest.xml": "an Android program",
}


class ArchiveTooLargeError(Exception):
    """The archive unpacks to more than the limit; ``args`` hold what and the limit."""


class ArchiveUnsafeError(Exception):
    """The archive holds what no Office program writes."""


def _directory(file: BinaryIO) -> tuple[int, int] | None:
    """Number of members and size of the directory in bytes, from the end record."""
    size = file.seek(0, io.SEEK_END)
    tail_at = max(0, size - _END_SIZE - _MAX_COMMENT)
    file.seek(tail_at)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        return None
    members, directory = struct.unpack_from("<HI", tail, at + 10)
    if tail[max(0, at - _LOCATOR_SIZE) : at].startswith(b"PK\x06\x07"):
        file.seek(max(0, tail_at + at - _LOCATOR_SIZE - _END64_SIZE))
        record = file.read(_END64_SIZE)
        if len(record) == _END64_SIZE and record.startswith(b"PK\x06\x06"):
            members, directory = struct.unpack_from("<QQ", record, 32)
    return int(members), int(directory)


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an archive whose directory is of a sane size.

    Raises:
        ArchiveTooLargeError: more members than any document has.
        zipfile.BadZipFile: not a whole archive.

    """
    with path.open("rb") as file:
        found = _directory(file)
    if found is None:
        raise zipfile.BadZipFile
    members, directory = found
    if members > MAX_MEMBERS or directory > MAX_DIRECTORY:
        raise ArchiveTooLargeError("parts", f"{MAX_MEMBERS:,} parts")
    try:
        return zipfile.ZipFile(path)
    except (ValueError, struct.error, OverflowError, UnicodeDecodeError) as exc:
        raise zipfile.BadZipFile from exc


def kind(path: Path) -> str:
    """Return what an archive is: ``docx``, ``pptx``, ``xlsx``, ``EPUB``, ``ARCHIVE``, or words.

    Of an OpenDocument file it is the media type.
    """
    try:
        with open_archive(path) as archive:
            names = set(archive.namelist())
            for part, office in _OFFICE.items():
                if part in names:
                    return office
            if "mimetype" in names and archive.getinfo("mimetype").file_size <= _MIMETYPE_MAX:
                declared = archive.read("mimetype").decode("ascii", errors="replace").strip()
                if declared in _MIMETYPES:
                    return _MIMETYPES[declared]
    except ArchiveTooLargeError:
        return "a ZIP archive of very many files"
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return _kind_of_remains(path)
    return next((found for name, found in _TELLING.items() if name in names), ARCHIVE)


def _kind_of_remains(path: Path) -> str:
    """Tell a damaged Office file from another broken archive by the names still in it."""
    with path.open("rb") as file:
        head = file.read(_BLOCK)
    for part, office in _OFFICE.items():
        if part.encode() in head or part.split("/")[0].encode() + b"/" in head:
            return office
    return "a damaged ZIP archive"


def _copy_xml(source: IO[bytes], target: IO[bytes], room: int) -> int:
    """Copy a part and return its size; ``room`` is how much it may have."""
    size = 0
    seen = b""
    while block := source.read(_BLOCK):
        size += len(block)
        if size > room:
            raise ArchiveTooLargeError("unpacked space", f"{MAX_UNPACKED // 2**20} MB")
        # Entities are how small XML becomes large, and no Office program writes a DTD; zeros are
        # taken out to see through UTF-16.
        window = (seen + block).replace(b"\0", b"")
        if b"<!DOCTYPE" in window or b"<!ENTITY" in window:
            raise ArchiveUnsafeError
        seen = block[-32:]
        target.write(block)
    return size


def xml_parts(path: Path) -> io.BytesIO:
    """Return the archive with its XML parts alone; pictures and other binaries are left empty.

    Readers load all parts and keep several copies of each, so this bounds what they need.

    Raises:
        ArchiveTooLargeError: it has too many parts or unpacks to more than ``MAX_UNPACKED``.
        ArchiveUnsafeError: a part has a document type definition.
        zipfile.BadZipFile: it is damaged.

    """
    result = io.BytesIO()
    room = MAX_UNPACKED
    with (
        open_archive(path) as archive,
        zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as copy,
    ):
        members = {info.filename: info for info in archive.infolist()}
        xml = [info for name, info in members.items() if name.lower().endswith((".xml", ".rels"))]
        if sum(info.file_size for info in xml) > room:
            raise ArchiveTooLargeError("unpacked space", f"{MAX_UNPACKED // 2**20} MB")
        for info in xml:
            with archive.open(info) as source, copy.open(info.filename, "w") as target:
                room -= _copy_xml(source, target, room)
        for name in members.keys() - {info.filename for info in xml}:
            copy.writestr(name, b"")
    result.seek(0)
    return result
