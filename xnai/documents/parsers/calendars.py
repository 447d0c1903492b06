"""Calendars and cards (ICS, VCF) as labels and values; used in the worker process only."""

import re
from collections.abc import Iterator

_FOLDED = re.compile(r"\r?\n[ \t]")
# Possessive, as a parameter could be parted in many ways.
_LINE = re.compile(
    r"(?:[\w-]{1,40}+\.)?+(?P<name>[A-Za-z-]{1,40}+)(?P<more>(?:;[^:;\"]*+|\"[^\"]*+\")*+):(?P<value>.*)"
)
_ZONE = re.compile(r";TZID=\"?([^;:\"]{1,60})")
_PERSON = re.compile(r";CN=\"?([^;:\"]{1,80})")
_MOMENT = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)(?:T(\d\d):?(\d\d):?(\d\d)?(Z?))?")
_BEGINNINGS = ("BEGIN:VCALENDAR", "BEGIN:VCARD")
_LONGEST = 20_000  # characters of a line
_BLANKS = re.compile(r"\n{3,}")
_KINDS = {"VEVENT": "Event", "VTODO": "Task", "VJOURNAL": "Entry", "VCARD": "Card"}
_LABELS = {
    "SUMMARY": "Title",
    "DTSTART": "Begins",
    "DTEND": "Ends",
    "DUE": "Due",
    "DURATION": "Duration",
    "LOCATION": "Place",
    "DESCRIPTION": "Description",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "RRULE": "Repeats",
    "STATUS": "Status",
    "CATEGORIES": "Categories",
    "COMMENT": "Comment",
    "URL": "Address on the web",
    "FN": "Name",
    "ORG": "Organization",
    "TITLE": "Title",
    "ROLE": "Role",
    "TEL": "Telephone",
    "EMAIL": "E-mail",
    "ADR": "Address",
    "BDAY": "Born",
    "NOTE": "Note",
    "NICKNAME": "Nickname",
}
_DATES = {"DTSTART", "DTEND", "DUE", "BDAY"}
_PEOPLE = {"ORGANIZER", "ATTENDEE"}
_PARTED = {"ADR", "ORG"}


def is_one(text: str) -> bool:
    """Whether a text is a calendar or a card."""
    return text.lstrip("\ufeff").startswith(_BEGINNINGS)


def said(text: str) -> str:
    """What a calendar or a card says, entry by entry (RFC 5545 and 6350)."""
    lines = _lines(_FOLDED.sub("", text.lstrip("\ufeff")))
    return _BLANKS.sub("\n\n", "\n".join(lines)).strip()


def _lines(text: str) -> Iterator[str]:
    open_parts: list[str] = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line[:_LONGEST].strip())
        if match is None:
            continue
        name, value = match["name"].upper(), match["value"]
        if name == "BEGIN":
            open_parts.append(value.upper())
            if kind := _KINDS.get(open_parts[-1]):
                yield ""
                yield kind
        elif name == "END":
            del open_parts[-1:]
        elif open_parts and open_parts[-1] in _KINDS and name in _LABELS:
            shown = _shown(name, match["more"], value)
            yield f"{_LABELS[name]}: {shown}" if shown else ""


def _shown(name: str, more: str, value: str) -> str:
    if name in _DATES:
        return _moment(more, value)
    if name in _PEOPLE:
        address = value.removeprefix("mailto:").removeprefix("MAILTO:")
        person = _PERSON.search(more)
        return f"{person[1]} ({address})" if person else address
    if name in _PARTED:
        return ", ".join(filter(None, map(_plain, re.split(r"(?<!\\);", value))))
    return _plain(value)


def _plain(value: str) -> str:
    """A value without the signs that keep it in one line."""
    text = re.sub(r"\\([nN,;\\])", lambda sign: " " if sign[1] in "nN" else sign[1], value)
    return " ".join(text.split())


def _moment(more: str, value: str) -> str:
    """A date as 2024-09-12 15:30, with the zone that it is told in."""
    match = _MOMENT.fullmatch(value.strip())
    if match is None:
        return _plain(value)
    year, month, day, hour, minute, _, is_utc = match.groups()
    zone = _ZONE.search(more)
    where = " UTC" if is_utc else f" ({zone[1]})" if zone and hour else ""
    return f"{year}-{month}-{day}" + (f" {hour}:{minute}{where}" if hour else "")
