"""Many messages in one file (mbox), and saved web pages (MHTML); worker process only."""

import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import BinaryIO

from xnai.documents.parsers import mail
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import html_text, tidy
from xnai.documents.parsers.seen import ReadPages, Seen
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG
from xnai.types import Page

MARK = b"From "
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_MOST = 50_000  # messages
_LONGEST = 2**26  # bytes of a message


def mailbox_pages(path: Path, limit: int, seen: Seen, read: ReadPages) -> Iterator[Page]:
    """Read the messages of a mailbox, one page each.

    Raises:
        Failure: FILE_TEXT_TOO_LONG.

    """
    room = limit
    with path.open("rb") as file:
        seen.tell_total(min(sum(begins for _, begins in _lines(file)), _MOST))
        file.seek(0)
        for number, data in enumerate(_messages(file), start=1):
            if number > _MOST:
                seen.warnings.append(f"Only the first {_MOST:,} messages were read.")
                return
            page = _page(number, data, room, seen, read)
            room -= len(page.text)
            if room < 0:
                raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
            yield page


def _page(number: int, data: bytes, room: int, seen: Seen, read: ReadPages) -> Page:
    """A message; one that cannot be read is noted, since the others can."""
    if len(data) > _LONGEST:
        seen.unreadable.append(number)
        return Page(number, "")
    try:
        return Page(number, mail.text_of_message(data, room, seen, read))
    except Failure as failure:
        if failure.kind is FILE_TEXT_TOO_LONG:
            raise
        seen.unreadable.append(number)
        return Page(number, "")


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """The lines of a mailbox, and whether each parts two messages."""
    before = b"\n"
    for line in file:
        yield line, line.startswith(MARK) and not before.strip()
        before = line


def _messages(file: BinaryIO) -> Iterator[bytes]:
    """The messages, of which each begins with a line of its own after an empty one."""
    lines: list[bytes] = []
    length = 0
    for line, begins in _lines(file):
        if begins:
            if lines:
                yield _ESCAPED.sub(rb"\1", b"".join(lines))
            lines, length = [], 0
        else:
            length += len(line)
            # Of one that is too long so much is kept that this can be told.
            lines += [line] if length <= _LONGEST + len(line) else []
    if lines:
        yield _ESCAPED.sub(rb"\1", b"".join(lines))


def web_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read the HTML of a web page that was saved in one file.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    message = mail.parsed(path, limit)
    for part, _ in mail.leaves(message):
        if part.get_content_type() in {"text/html", "application/xhtml+xml"}:
            text = tidy(html_text(_html(part.get_payload(decode=True), part), seen))
            if len(text) > limit:
                raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
            return Page(None, text)
    raise Failure(FILE_DAMAGED, reason="it has no page of HTML")


def _html(data: object, part: EmailMessage) -> str:
    codec = part.get_content_charset() or "utf-8"
    try:
        return data.decode(codec, "replace") if isinstance(data, bytes) else ""
    except LookupError:
        return data.decode("utf-8", "replace") if isinstance(data, bytes) else ""
