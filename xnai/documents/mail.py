"""E-mail messages (.eml); used in the worker process only."""

from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

from xnai.documents.failures import Failure
from xnai.documents.names import display_name
from xnai.documents.plain import html_text, tidy
from xnai.errors import FILE_DAMAGED, FILE_TEXT_TOO_LONG
from xnai.types import Page

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
_LONGEST_HEADER = 1000  # characters
_ENCODED = 2  # bytes of a message for a character of its text, in the most wasteful encoding
_ROOM = 2**26  # bytes of attachments, which are not read


def mail_page(path: Path, limit: int) -> Page:
    """Read headers, text and the names of attachments as one page.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    if path.stat().st_size > _ENCODED * limit + _ROOM:
        raise Failure(FILE_TEXT_TOO_LONG, limit=limit)
    with path.open("rb") as file:
        message = BytesParser(policy=policy.default).parse(file)
    assert isinstance(message, EmailMessage)
    lines = [
        f"{name}: {' '.join(str(message[name]).split())[:_LONGEST_HEADER]}"
        for name in _HEADERS
        if message[name]
    ]
    attached = [display_name(part.get_filename() or "") for part in message.iter_attachments()]
    if attached:
        lines.append(f"Attachments (not read): {', '.join(attached)}")
    return Page(None, tidy("\n".join(lines) + "\n\n" + _body(message)))


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        text = part.get_content()
    except (LookupError, ValueError) as exc:
        raise Failure(FILE_DAMAGED, reason="its text is in no known encoding") from exc
    return html_text(str(text)) if part.get_content_subtype() == "html" else str(text)
