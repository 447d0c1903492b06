"""E-mail messages (.eml) and what is attached to them; used in the worker process only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from xnai.documents import mail_parts, readers, sniff
from xnai.documents.failures import Failure
from xnai.documents.plain import tidy
from xnai.errors import FILE_TEXT_TOO_LONG
from xnai.types import Page

_ENCODED = 2  # bytes of a message for a character of its text, in the most wasteful encoding
_ROOM = readers.ATTACHED * 3 // 2  # bytes of attachments, in the encoding of messages
_MOST = 50  # attachments of a message that are read
_DEEPEST = 2  # messages within messages
_SIGNATURES = {
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
}


def mail_page(path: Path, limit: int, seen: readers.Seen) -> Page:
    """Read headers, text and attachments as one page, the attachments after the text.

    What is attached and cannot be read (a picture, a damaged file, one that is too long) is named.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    if path.stat().st_size > _ENCODED * limit + _ROOM:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    return Page(None, tidy(_text(_parsed(path), limit, seen, depth=0)))


def _parsed(path: Path) -> EmailMessage:
    with path.open("rb") as file:
        message = BytesParser(policy=policy.default).parse(file)
    assert isinstance(message, EmailMessage)
    return message


def _text(message: EmailMessage, limit: int, seen: readers.Seen, depth: int) -> str:
    body = message.get_body(("plain", "html"))
    parts = [*mail_parts.headers(message), "", mail_parts.text_of(body)]
    attached, left_out = [], []
    for part, within in mail_parts.leaves(message):
        if part is body or part.get_content_type() in _SIGNATURES:
            continue
        if mail_parts.is_text(part):
            # Some programs go on with the text after each file.
            with suppress(Failure):
                parts += ["", mail_parts.text_of(part)] if within != "alternative" else []
        elif within != "related":  # the pictures of a letter's paper
            attached.append(part)
    room = limit - sum(map(len, parts))
    read = 0
    for part in attached:
        name = mail_parts.name_of(part)
        text = _attachment(part, name, room, seen, depth) if read < _MOST else None
        if text is None:
            left_out.append(name)
            continue
        read += 1
        room -= len(text)
        parts += ["", f"Attachment: {name}", "", text]
    if left_out:
        left_out = list(dict.fromkeys(left_out))
        parts += ["", f"Attachments (not read): {', '.join(left_out)}"]
        seen.left_out += left_out
    return "\n".join(parts)


def _attachment(
    part: EmailMessage, name: str, room: int, seen: readers.Seen, depth: int
) -> str | None:
    """An attachment's text; None if it has none, cannot be read, or is longer than the room."""
    try:
        inner = mail_parts.message_in(part)
        if inner is not None:
            text = _message(inner, room, seen, depth)
        else:
            content = mail_parts.content_of(part, readers.ATTACHED)
            text = _file(content, name, room, seen, depth) if content else ""
    except Exception:  # noqa: BLE001 - of any library; the message itself can be read
        return None
    return text if text.strip() and len(text) <= room else None


def _message(message: EmailMessage, room: int, seen: readers.Seen, depth: int) -> str:
    return _text(message, room, seen, depth + 1) if depth < _DEEPEST else ""


def _file(content: bytes, name: str, room: int, seen: readers.Seen, depth: int) -> str:
    with _as_file(content) as path:
        if path is None:
            return ""
        media_type = sniff.media_type(path, name)
        if media_type == sniff.MAIL:
            return _message(_parsed(path), room, seen, depth)
        own = readers.Seen()
        pages = [page.text for page in readers.pages(path, media_type, room, own)]
    if own.unreadable:
        seen.left_out.append(f"{name} (in part)")
    if len(pages) == 1:
        return pages[0]
    return "\n\n".join(f"Page {n}:\n{text}" for n, text in enumerate(pages, 1) if text.strip())


@contextmanager
def _as_file(content: bytes) -> Iterator[Path | None]:
    """The content under a path that readers can open, in memory alone; only Linux has such."""
    if sys.platform != "linux":
        yield None
        return
    number = os.memfd_create("attachment")
    try:
        with os.fdopen(number, "wb", closefd=False) as file:
            file.write(content)
        yield Path(f"/proc/self/fd/{number}")
    finally:
        os.close(number)
