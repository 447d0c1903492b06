"""E-mail messages (.eml) and what is attached to them; used in the worker process only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from pathlib import Path

from xnai.documents import readers, sniff
from xnai.documents.failures import Failure
from xnai.documents.names import display_name
from xnai.documents.plain import html_text, tidy
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG
from xnai.types import Page

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_LONGEST_HEADER = 1000  # characters
_ENCODED = 2  # bytes of a message for a character of its text, in the most wasteful encoding
_ROOM = 2 * readers.ATTACHED  # bytes of attachments, in the encoding of messages
_MOST = 50  # attachments of a message that are read
_DEEPEST = 2  # messages within messages
_NEVER_TEXT = {"image", "audio", "video"}


def mail_page(path: Path, limit: int, seen: readers.Seen) -> Page:
    """Read headers, text and attachments as one page, the attachments after the text.

    What is attached and cannot be read (a picture, a damaged file) is named.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    if path.stat().st_size > _ENCODED * limit + _ROOM:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    with path.open("rb") as file:
        message = BytesParser(policy=policy.default).parse(file)
    assert isinstance(message, EmailMessage)
    return Page(None, tidy("\n".join(_parts(message, limit, seen, depth=0))))


def _parts(message: EmailMessage, limit: int, seen: readers.Seen, depth: int) -> list[str]:
    parts = [
        f"{name}: {' '.join(str(message[name]).split())[:_LONGEST_HEADER]}"
        for name in _HEADERS
        if message[name]
    ]
    parts += ["", _body(message)]
    left_out = []
    for count, attached in enumerate(message.iter_attachments()):
        name = _name(attached)
        text = None
        if count < _MOST and depth < _DEEPEST:
            room = limit - sum(map(len, parts))
            text = _attachment(attached, name, room, seen, depth)
        if text is None:
            left_out.append(name)
        else:
            parts += ["", f"Attachment: {name}", "", text]
    if left_out:
        parts += ["", f"Attachments (not read): {', '.join(left_out)}"]
        seen.left_out += left_out
    return parts


def _name(attached: Message) -> str:
    """What an attachment is called; a message that was passed on is called by its subject."""
    name = attached.get_filename() or ""
    if not name and (inner := _inner(attached)) is not None:
        name = f"{inner['Subject'] or 'message'}.eml"
    return display_name(name)


def _inner(attached: Message) -> EmailMessage | None:
    if attached.get_content_type() != sniff.MAIL or not attached.is_multipart():
        return None
    inner = next(iter(attached.iter_parts()), None) if isinstance(attached, EmailMessage) else None
    return inner if isinstance(inner, EmailMessage) else None


def _attachment(
    attached: Message, name: str, room: int, seen: readers.Seen, depth: int
) -> str | None:
    """An attachment's text; None if it is of no kind that is read, or cannot be."""
    inner = _inner(attached)
    if inner is not None:
        return "\n".join(_parts(inner, room, seen, depth + 1))
    content = _content(attached)
    if not content:
        return None
    try:
        with _as_file(content) as path:
            return _file(path, name, room) if path else None
    except MemoryError:
        raise
    except Exception as exc:  # of any library; the message itself can be read
        if isinstance(exc, Failure) and exc.kind is FILE_TEXT_TOO_LONG:
            raise
        return None


def _content(attached: Message) -> bytes:
    if attached.get_content_maintype() in _NEVER_TEXT:
        return b""
    content = attached.get_payload(decode=True)
    return content if isinstance(content, bytes) and len(content) <= readers.ATTACHED else b""


def _file(path: Path, name: str, room: int) -> str:
    media_type = sniff.media_type(path, name)
    pages = [page.text for page in readers.pages(path, media_type, room, readers.Seen())]
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


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        text = part.get_content()
    except (LookupError, ValueError) as exc:
        raise Failure(FILE_DAMAGED, reason="its text is in no known encoding") from exc
    return html_text(str(text)) if part.get_content_subtype() == "html" else str(text)
