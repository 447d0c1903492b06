"""Messages that a question names by their day: "what does the mail of 3 March say"."""

import re
from collections.abc import Sequence

from xnai.answering.reading.lines import NumberedLine
from xnai.text.dates import Day, days_in
from xnai.types import PageText

_MESSAGE = re.compile(
    r"\b(?:e-?mails?|mails?|messages?|letters?|repl(?:y|ies)|nachricht(?:en)?|schreiben|antwort|"
    r"courriels?|courriers?|correos?|mensajes?|writes?|wrote|sent|schrieb\w*|geschickt|gesendet|"
    r"écrit|envoyé|escribió|enviado)\b|メール|邮件|郵件|رسالة|بريد",
    re.IGNORECASE,
)
# The lines that tell when a message was sent, its own and those of messages that are quoted.
_SENT = re.compile(
    r"(?:>[ \t]?){0,9}\**(?:date|sent|gesendet|datum|envoyé|enviado|fecha|data|日期|日時)\**"
    r"[ \t]?:",
    re.IGNORECASE,
)
_WROTE = re.compile(r"\b(?:wrote|schrieb|écrit|escribió)\b.{0,80}:\s*$", re.IGNORECASE)
_HEADER = re.compile(r"(?:>[ \t]?){0,9}\**[^\W\d_][\w-]{0,20}\**[ \t]?:[ \t]")
_MOST_HEADERS = 8
_MOST_LINES = 60  # of messages that are read alone


def asked_days(question: str) -> frozenset[Day]:
    """The days of the messages that a question names."""
    return days_in(question) if _MESSAGE.search(question) else frozenset()


def _is_sent(line: str) -> bool:
    return bool(_SENT.match(line) or _WROTE.search(line))


def _is_of(line: str, days: frozenset[Day]) -> bool:
    found = days_in(line)
    return any(day.may_be(one) for day in days for one in found)


def _messages(lines: Sequence[str], days: frozenset[Day]) -> list[range]:
    """Which lines are those of messages of some days, with their headers."""
    starts: list[tuple[int, bool]] = []
    for number, line in enumerate(lines):
        if _is_sent(line):
            first = number
            while first and number - first < _MOST_HEADERS and _HEADER.match(lines[first - 1]):
                first -= 1
            if not starts or first > starts[-1][0]:
                starts.append((first, _is_of(line, days)))
    ends = [first for first, _ in starts[1:]] + [len(lines)]
    return [range(first, end) for (first, wanted), end in zip(starts, ends, strict=True) if wanted]


def dated_stretches(pages: Sequence[PageText], days: frozenset[Day], most: int) -> list[PageText]:
    """The beginnings of the messages of some days, of at most so many characters."""
    found = []
    for page in pages:
        lines = page.text.splitlines(keepends=True)
        for part in _messages(lines, days):
            at = sum(map(len, lines[: part.start]))
            text = "".join(lines[part.start : part.stop])[:most]
            found.append(
                PageText(page.document_id, page.file_name, page.page_count, page.page, text, at)
            )
    return found


def messages_of(lines: Sequence[NumberedLine], question: str) -> list[NumberedLine]:
    """The lines of the messages that a question names, unless these are all or very many."""
    days = asked_days(question)
    if not days:
        return []
    found: list[NumberedLine] = []
    for _, page in _by_page(lines):
        for part in _messages([line.text for line in page], days):
            found += page[part.start : part.stop]
    return found if len(found) <= min(_MOST_LINES, len(lines) - 1) else []


def _by_page(
    lines: Sequence[NumberedLine],
) -> list[tuple[tuple[str, int | None], list[NumberedLine]]]:
    pages: dict[tuple[str, int | None], list[NumberedLine]] = {}
    for line in lines:
        pages.setdefault((line.source.document_id, line.source.page), []).append(line)
    return list(pages.items())
