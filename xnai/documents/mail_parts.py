"""What an e-mail consists of, however it was put together; used in the worker process only."""

import base64
import codecs
from collections.abc import Iterator
from contextlib import suppress
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser

from xnai.documents.failures import Failure
from xnai.documents.names import display_name
from xnai.documents.plain import html_text
from xnai.documents.sniff import MAIL
from xnai.errors import FILE_DAMAGED

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_LONGEST_HEADER = 1000  # characters
_NEVER_TEXT = {"image", "audio", "video"}


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
        inner = BytesParser(policy=policy.default).parsebytes(data)
    return inner if isinstance(inner, EmailMessage) else None


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
