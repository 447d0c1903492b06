"""Messages as Outlook saves them (MSG), made into those that the mail reader knows; worker only."""

import email.utils
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from oxmsg import Message
from oxmsg.attachment import Attachment
from oxmsg.domain import constants
from oxmsg.properties import Properties

from xnai.documents.parsers.attached import as_file
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.mail import POLICY
from xnai.documents.parsers.packed_rtf import unpacked
from xnai.documents.parsers.rtf.words import rtf_page
from xnai.documents.parsers.seen import Seen
from xnai.errors import FILE_DAMAGED

_DEEPEST = 3  # messages within messages
_MOST = 200  # attachments
_HEAD = 24  # bytes, of what a message within another says first
_EMBEDDED = "3701000D"  # where a message lies that is attached to another
_NO_YEAR = 1601
_TEXT = 10_000_000  # characters of a body in RTF
_STARTS, _ENDS = constants.PID_START_DATE, 0x0061  # of an appointment


def message(path: Path) -> EmailMessage:
    """Read a message with all that is attached to it.

    Raises:
        Failure: FILE_DAMAGED.

    """
    try:
        return _made(Message.load(str(path)), 0)
    except (Failure, MemoryError, RecursionError):
        raise
    except Exception as exc:  # of a library that takes such files to be whole
        raise Failure(FILE_DAMAGED, reason="it is not a whole message") from exc


def _made(found: Message, depth: int) -> EmailMessage:
    made = EmailMessage(policy=POLICY)
    for name, value in _headers(found):
        with suppress(Exception):  # of what no header may hold
            made[name] = " ".join(value.split())
    plain, html = _bodies(found)
    made.set_content(plain)
    if html:
        made.add_alternative(html, subtype="html")
    for attached in found.attachments[:_MOST]:
        number = _text(attached.properties, constants.PID_ATTACH_CONTENT_ID)
        if not number or f"cid:{number}" not in html:  # not the pictures of a letter's paper
            _attach(made, attached, depth)
    return made


def _headers(found: Message) -> Iterator[tuple[str, str]]:
    sent = {name.lower(): str(value) for name, value in found.message_headers.items()}
    own = found.properties
    yield "From", found.sender or ""
    yield "To", sent.get("to") or _text(own, constants.PID_DISPLAY_TO)
    yield "Cc", sent.get("cc") or _text(own, constants.PID_DISPLAY_CC)
    date = _date(own, constants.PID_CLIENT_SUBMIT_TIME)
    yield "Date", sent.get("date") or (email.utils.format_datetime(date) if date else "")
    yield "Subject", found.subject


def _text(properties: Properties, number: int) -> str:
    with suppress(Exception):  # of what is not there, or in no known encoding
        return (properties.str_prop_value(number) or "").replace("\0", "")
    return ""


def _date(properties: Properties, number: int) -> datetime | None:
    """A date; None where there is none, or the year zero of such files."""
    date = properties.date_prop_value(number)
    return date if date is not None and date.year > _NO_YEAR else None


def _bodies(found: Message) -> tuple[str, str]:
    """The text of a message, plain and as HTML; what it has as RTF alone is plain text."""
    plain, html = _text(found.properties, constants.PID_BODY), ""
    with suppress(Exception):  # as above
        html = found.html_body or ""
    if not plain.strip() and not html.strip():
        plain = _rich(found.properties)
    times = (("Start", _STARTS), ("End", _ENDS))
    dates = [(name, _date(found.properties, number)) for name, number in times]
    lines = [f"{name}: {date:%Y-%m-%d %H:%M} UTC" for name, date in dates if date]
    return "\n".join([*lines, plain]), html.replace("\0", "")


def _rich(properties: Properties) -> str:
    packed = properties.binary_prop_value(constants.PID_RTF_COMPRESSED)
    with as_file(unpacked(packed or b"")) as path:
        return rtf_page(path, _TEXT, Seen()).text if path is not None and packed else ""


def _as_whole(storage: Any) -> Any:
    """A message within another as if it were a file, whose head is eight bytes longer."""
    streams = [
        replace(one, bytes_=one.bytes_[:_HEAD] + bytes(8) + one.bytes_[_HEAD:])
        if one.name == "__properties_version1.0"
        else one
        for one in storage.streams
    ]
    return replace(storage, streams=tuple(streams))


def _attach(made: EmailMessage, attached: Attachment, depth: int) -> None:
    """Add what is attached; what lies somewhere else is named, as an empty file."""
    names = (constants.PID_ATTACH_LONG_FILENAME, constants.PID_ATTACH_FILENAME)
    name = next(filter(None, (_text(attached.properties, one) for one in names)), "attachment")
    storage: Any = attached._storage  # noqa: SLF001 - the library knows no messages within messages
    inner = [one for one in storage.storages if one.name.endswith(_EMBEDDED)]
    if inner and depth < _DEEPEST:
        made.add_attachment(_made(Message(_as_whole(inner[0])), depth + 1))
        return
    main, _, sub = (attached.mime_type or "").partition("/")
    if main in {"", "multipart", "message"} or not sub:
        main, sub = "application", "octet-stream"
    content = attached.file_bytes or b""
    made.add_attachment(content, maintype=main, subtype=sub, filename=name)
