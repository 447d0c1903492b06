"""E-mail messages (.eml) and what is attached to them; used in the worker process only."""

import base64
import codecs
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from pathlib import Path

from xnai.documents.media_types import MAIL, PACKED
from xnai.documents.names import display_name
from xnai.documents.parsers import media_type as sniff
from xnai.documents.parsers.attached import Within, as_file, text_of_file
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import html_text, tidy
from xnai.documents.parsers.seen import ATTACHED, ReadPages, Seen
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG
from xnai.types import Page

_ENCODED = 2  # bytes of a message for a character of its text, in the most wasteful encoding
_ROOM = ATTACHED * 3 // 2  # bytes of attachments, in the encoding of messages
_MOST = 50  # attachments of a message that are read
_DEEPEST = 2  # messages within messages
_SIGNATURES = {
    "application/pgp-signature",
    "application/pkcs7-signature",
    "application/x-pkcs7-signature",
}


def mail_page(path: Path, limit: int, seen: Seen, read: ReadPages) -> Page:
    """Read headers, text and attachments as one page, the attachments after the text.

    What is attached and cannot be read (a picture, a damaged file, one that is too long) is named.

    Args:
        path: of the message.
        limit: most characters of all.
        seen: what is seen in it is noted there.
        read: reads attached files.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    return Page(None, tidy(_MailReading(seen, read).text(parsed(path, limit), limit)))


def text_of_message(data: bytes, limit: int, seen: Seen, read: ReadPages) -> str:
    """Return what ``mail_page`` reads, of a message among others."""
    message = BytesParser(policy=POLICY).parsebytes(data)
    assert isinstance(message, EmailMessage)
    return tidy(_MailReading(seen, read).text(message, limit))


def page_of_message(message: EmailMessage, limit: int, seen: Seen, read: ReadPages) -> Page:
    """Read a message that was made of another form, as ``mail_page`` does."""
    return Page(None, tidy(_MailReading(seen, read).text(message, limit)))


def parsed(path: Path, limit: int) -> EmailMessage:
    """Parse a message that is read to so many characters.

    Raises:
        Failure: FILE_TEXT_TOO_LONG.

    """
    if path.stat().st_size > _ENCODED * limit + _ROOM:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    with path.open("rb") as file:
        message = BytesParser(policy=POLICY).parse(file)
    assert isinstance(message, EmailMessage)
    return message


@dataclass(frozen=True, slots=True)
class _MailReading:
    """How a message and all that is attached to it are read."""

    seen: Seen
    read: ReadPages

    def text(self, message: EmailMessage, limit: int, depth: int = 0) -> str:
        """Return headers, text and attachments of a message that lies so deep within others."""
        body, said = body_of(message)
        parts = [*headers(message), "", said]
        attached, left_out = [], []
        for part, within in leaves(message):
            if part is body or part.get_content_type() in _SIGNATURES:
                continue
            if is_text(part):
                # Some programs go on with the text after each file.
                with suppress(Failure):
                    parts += ["", text_of(part)] if within != "alternative" else []
            elif within != "related":  # the pictures of a letter's paper
                attached.append(part)
        room = limit - sum(map(len, parts))
        read = 0
        for part in attached:
            name = name_of(part)
            text = self._attachment(part, name, room, depth) if read < _MOST else None
            if text is None:
                left_out.append(name)
                continue
            read += 1
            room -= len(text)
            parts += ["", f"Attachment: {name}", "", text]
        if left_out:
            left_out = list(dict.fromkeys(left_out))
            parts += ["", f"Attachments (not read): {', '.join(left_out)}"]
            self.seen.left_out += left_out
        return "\n".join(parts)

    def _attachment(self, part: EmailMessage, name: str, room: int, depth: int) -> str | None:
        """An attachment's text; None if it has none, cannot be read, or is longer than the room."""
        try:
            inner = message_in(part)
            if inner is not None:
                text = self._message(inner, room, depth)
            else:
                content = content_of(part, ATTACHED)
                text = self._file(content, name, room, depth) if content else ""
        except Exception:  # noqa: BLE001 - of any library; the message itself can be read
            return None
        return text if text.strip() and len(text) <= room else None

    def _message(self, message: EmailMessage, room: int, depth: int) -> str:
        return self.text(message, room, depth + 1) if depth < _DEEPEST else ""

    def _file(self, content: bytes, name: str, room: int, depth: int) -> str:
        with as_file(content) as path:
            if path is None:
                return ""
            media_type = sniff.media_type(path, name)
            if media_type == MAIL:
                return self._message(parsed(path, room), room, depth)
            if media_type in PACKED:
                return ""
            return text_of_file(path, media_type, name, Within(room, self.seen, self.read))


_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_LONGEST_HEADER = 1000  # characters
_LONGEST_SOURCE = 8_000  # characters; the parser reads a longer one again from each of its quotes
_STUB, _TIMES = 60, 3  # words of a text that may stand for another, and how much more that has
_NEVER_TEXT = {"image", "audio", "video"}


class _Bounded(policy.EmailPolicy):
    """The usual policy, with headers of a bounded length."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:_LONGEST_SOURCE]


POLICY = _Bounded()


def headers(message: EmailMessage) -> list[str]:
    """The lines that people read; the parser fails on some malformed ones, which are left out."""
    lines = []
    for name in _HEADERS:
        with suppress(Exception):
            value = " ".join(str(message[name] or "").split())
            lines += [f"{name}: {value[:_LONGEST_HEADER]}"] if value else []
    return lines


def leaves(part: EmailMessage, within: str = "") -> Iterator[tuple[EmailMessage, str]]:
    """The parts that hold something, and what kind of multipart each stands in.

    What stands anywhere within an alternative to the message's text is of the kind "alternative".
    """
    if part.get_content_type() == MAIL or not part.is_multipart():
        yield part, within
        return
    kind = within if within == "alternative" else part.get_content_subtype()
    for inner in part.iter_parts():
        if isinstance(inner, EmailMessage):
            yield from leaves(inner, kind)


def is_text(part: EmailMessage) -> bool:
    """Whether a part is text of the message itself, and no file."""
    if part.get_content_type() not in {"text/plain", "text/html"}:
        return False
    with suppress(Exception):
        return not part.get_filename()
    return False


def text_of(part: MIMEPart | None) -> str:
    """The text of such a part.

    Raises:
        Failure: FILE_DAMAGED.

    """
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except (LookupError, ValueError) as exc:
        raise Failure(FILE_DAMAGED, reason="its text is in no known encoding") from exc
    return html_text(text) if part.get_content_subtype() == "html" else text


def body_of(message: EmailMessage) -> tuple[MIMEPart | None, str]:
    """The part that is a message's text, and that text.

    Plain text is taken before HTML, unless it says hardly more than that there is HTML.
    """
    plain = message.get_body(("plain",))
    html = message.get_body(("html",))
    said = text_of(plain)
    if html is None or (plain is not None and len(said.split()) >= _STUB):
        return plain or html, said if plain is not None else text_of(html)
    with suppress(Failure):
        whole = text_of(html)
        if plain is None or len(whole.split()) > _TIMES * len(said.split()):
            return html, whole
    return plain, said


def name_of(part: EmailMessage) -> str:
    """What an attachment is called; a message that was passed on is called by its subject."""
    name = ""
    with suppress(Exception):
        name = part.get_filename() or ""
        if not name and (inner := message_in(part)) is not None:
            name = f"{inner['Subject'] or 'message'}.eml"
    return display_name(name)


def message_in(part: EmailMessage) -> EmailMessage | None:
    """The message that was attached as such."""
    if part.get_content_type() != MAIL or not part.is_multipart():
        return None
    inner = next(iter(part.iter_parts()), None)
    if not isinstance(inner, EmailMessage):
        return None
    # Not allowed, but sent: the message in base64, which the parser takes for one without headers.
    if not inner.keys() and str(part["Content-Transfer-Encoding"]).lower() == "base64":
        data = base64.b64decode(str(inner.get_payload()))
        parsed = BytesParser(policy=POLICY).parsebytes(data)
        return parsed if isinstance(parsed, EmailMessage) else None
    return inner


def content_of(part: EmailMessage, most: int) -> bytes:
    """The bytes of an attached file; none if it cannot have text or is too large.

    A text that says which encoding it is in becomes UTF-8, marked as such.
    """
    if part.get_content_maintype() in _NEVER_TEXT:
        return b""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes) or len(content) > most:
        return b""
    if part.get_content_maintype() == "text" and part.get_content_charset():
        with suppress(LookupError, ValueError):
            content = codecs.BOM_UTF8 + str(part.get_content()).encode("utf-8", "replace")
    return content if len(content) <= most else b""
