"""Office files of before 2007, by way of what LibreOffice makes of them; worker process only."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from xnai.documents.media_types import DOC, OLD_OFFICE, PPT, XLS, XLSB
from xnai.documents.parsers import magic, ole
from xnai.documents.parsers.attached import as_file
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.frames import OldOffice
from xnai.documents.parsers.seen import ATTACHED, ReadPages, Seen
from xnai.errors import FILE_DAMAGED, FILE_ENCRYPTED, FILE_TOO_EXPENSIVE, FILE_TYPE_UNSUPPORTED
from xnai.types import Page

_KINDS: Mapping[str, OldOffice] = {DOC: "doc", PPT: "ppt", XLS: "xls", XLSB: "xlsb"}


def pages(path: Path, media_type: str, limit: int, seen: Seen, read: ReadPages) -> Iterator[Page]:
    """Read the pages of an old Office file.

    Raises:
        Failure: FILE_TYPE_UNSUPPORTED where nothing converts it, FILE_TOO_EXPENSIVE,
            FILE_ENCRYPTED or FILE_DAMAGED, or what reading it raises.

    """
    if seen.convert is None:
        raise Failure(FILE_TYPE_UNSUPPORTED, found=magic.NOT_CONVERTED[media_type])
    if path.stat().st_size > ATTACHED:
        raise Failure(FILE_TOO_EXPENSIVE, resource="space", limit=f"{ATTACHED // 2**20} MB")
    if media_type != XLSB and ole.has_password(path):
        raise Failure(FILE_ENCRYPTED)
    converted = seen.convert(path.read_bytes(), _KINDS[media_type])
    with as_file(converted) as file:
        if file is None or not converted:
            raise Failure(FILE_DAMAGED, reason="LibreOffice cannot open it")
        yield from read(file, OLD_OFFICE[media_type], limit, seen)
