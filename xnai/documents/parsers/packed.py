"""ZIP archives of documents: each file is read as if it came alone; worker process only."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from xnai.documents.media_types import PACKED
from xnai.documents.names import display_name
from xnai.documents.parsers import media_type as sniff
from xnai.documents.parsers import zip_archive
from xnai.documents.parsers.attached import Within, as_file, text_of_file
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.seen import ATTACHED, ReadPages, Seen
from xnai.errors import (
    FILE_DAMAGED,
    FILE_ENCRYPTED,
    FILE_TOO_EXPENSIVE,
    FILE_TYPE_UNSUPPORTED,
)
from xnai.types import Page

_MOST = 500  # files that are read
_LONGEST_PATH = 300  # characters
_NOT_SHOWN = ("__MACOSX/", ".")  # what a system puts beside files


def archive_pages(path: Path, limit: int, seen: Seen, read: ReadPages) -> Iterator[Page]:
    """Read the files of an archive, one page each, in the order of the archive.

    What cannot be read, or is too long, is named; archives within it are left alone. Names are
    shown and nothing else: no file is written under them.

    Raises:
        Failure: FILE_TOO_EXPENSIVE, FILE_DAMAGED, FILE_ENCRYPTED, or FILE_TYPE_UNSUPPORTED:
            nothing in it can be read.

    """
    try:
        with zip_archive.open_archive(path) as archive:
            yield from _pages(archive, limit, seen, read)
    except zip_archive.ArchiveTooLargeError as exc:
        resource, allowed = exc.args
        raise Failure(FILE_TOO_EXPENSIVE, resource=resource, limit=allowed) from exc
    except (zipfile.BadZipFile, zipfile.LargeZipFile) as exc:
        raise Failure(FILE_DAMAGED, reason="its archive is not whole") from exc


def _pages(archive: zipfile.ZipFile, limit: int, seen: Seen, read: ReadPages) -> Iterator[Page]:
    members = [one for one in archive.infolist() if not one.is_dir() and _is_shown(one.filename)]
    if members and all(one.flag_bits & 1 for one in members):
        raise Failure(FILE_ENCRYPTED)
    seen.tell_total(min(len(members), _MOST))
    room, unpacked, count = limit, zip_archive.MAX_UNPACKED, 0
    for member in members:
        name = _shown(member.filename)
        content = _content(archive, member, min(unpacked, ATTACHED)) if count < _MOST else None
        text = None
        if content is not None:
            unpacked -= len(content)
            text = _text(content, name, Within(room, seen, read))
        said = f"# {name}\n\n{text}"
        if text is None or len(said) > room:
            seen.left_out.append(name)
            continue
        count += 1
        room -= len(said)
        yield Page(count, said)
    if not count:
        raise Failure(FILE_TYPE_UNSUPPORTED, found="a ZIP archive without documents")


def _is_shown(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return not name.startswith(_NOT_SHOWN[0]) and not parts[-1].startswith(_NOT_SHOWN[1])


def _shown(name: str) -> str:
    """A path as it is shown: its folders and the name, without what leads anywhere else."""
    parts = [one for one in name.replace("\\", "/").split("/") if one.strip(". ")]
    return "/".join(display_name(one) for one in parts)[-_LONGEST_PATH:] or display_name(name)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes | None:
    """The bytes of a member, whatever the archive says of their number; None if it has more."""
    if member.flag_bits & 1 or member.file_size > most:
        return None
    try:
        with archive.open(member) as file:
            content = file.read(most + 1)
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, OSError, ValueError):
        return None
    except Exception as exc:
        if type(exc).__name__ in {"error", "LZMAError"}:
            return None
        raise
    return content if len(content) <= most else None


def _text(content: bytes, name: str, within: Within) -> str | None:
    """What a file says; None if it cannot be read, or says nothing."""
    try:
        with as_file(content) as path:
            if path is None or not content:
                return None
            media_type = sniff.media_type(path, name)
            if media_type in PACKED:
                return None
            text = text_of_file(path, media_type, name, within)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - of any library; the other files can be read
        return None
    return text if text.strip() else None
