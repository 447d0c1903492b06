"""When something ends whose first day and length are written: "on 1 April 2025, for three years".

A small model answers such a question with the first day. The program works out the last one, and
the line it says so on stands on the lines that have the two.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine, RowPlace, Sheet, of_lines
from xnai.text.dates import WrittenDate, dates_in
from xnai.text.detection import small_words
from xnai.text.stretches import stretches_in

_MOST = 3  # documents whose ends are told
_TITLE = 4  # lines at the beginning of a document that say what it is
_LABEL = 80  # characters of a line that has one thing to say
_STEM = 4  # letters
_ASKS = re.compile(
    r"\b(?:end(?:s|ing)?|expir(?:es?|y|ation)|until when|runs? out|last day|"
    r"how long .{0,60}valid|endet?|läuft .{0,60}\baus|ablauf\w*|wann .{0,60}zu ende|bis wann|"
    r"gilt .{0,60}bis|"
    r"finit|se termine|prend fin|expire|jusqu'à quand|échéance|"
    r"termina|acaba|vence|hasta cuándo|finaliza|scade|finisce|fino a quando)\b|"
    r"заканчивается|истекает|до какого|什么时候结束|何时(?:结束|到期)|到期|いつまで|終了",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\b(?:when|what day|what date|which day|until|last day|expiry|expiration|how long|wann|bis|"
    r"ablauf\w*|quand|quelle date|échéance|cuándo|qué fecha|quando|data)\b|когда|какого|"
    r"什么时候|何时|哪天|到期|いつ",
    re.IGNORECASE,
)
# German joins words: what may stand inside of one has no borders here.
_BEGINS = re.compile(
    r"\b(?:begin\w*|start\w*|commenc\w*|effective|from|since|ab|vom|"
    r"début\w*|à compter|à partir|dès|prend effet|inicio|comienz\w*|empieza|desde|"
    r"a partir|inizi\w*|decorre\w*|dal)\b|beginn|начинается|начало|\b\u0441\s|起|开始|開始|から",
    re.IGNORECASE,
)
_RUNS = re.compile(
    r"\b(?:terms?|period|duration|runs?|lasts?|for|läuft|auf|für|"
    r"befristet|durée|pour|plazo|duración|durante|por|durata|per)\b|laufzeit|dauer|срок|"
    r"(?<!\w)на\s|期限|为期|期間",
    re.IGNORECASE,
)
_IS_LENGTH = re.compile(
    r"\b(?:term|period|duration|befristet|durée|plazo|duración|durata)\b|laufzeit|dauer|срок|"
    r"期限|为期|期間",
    re.IGNORECASE,
)
# Other lengths of time that agreements have.
_OTHER = re.compile(
    r"\b(?:notice|warrant|guarant|probation|trial|renew|extend|extension|within|"
    r"garantie|gewähr|probezeit|verläng|innerhalb|préavis|essai|"
    r"renouvel|preaviso|garantía|prueba|prórroga|preavviso|garanzia|prova|rinnov)|kündig|frist(?!et)|"
    r"уведомлен|гаранти|испытат|продл|通知|保修|试用|续",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"\b(?:end(?:s|ing|et)?|expir\w*|until|bis|ablauf|fin|jusqu\w*|au|hasta|vence|termina|fino|"
    r"scade\w*|al)\b|до\s|окончан|结束|到期|终止|まで",
    re.IGNORECASE,
)


def end_alone(sheet: Sheet, question: str) -> Sheet | None:
    """The last day of what a question asks the end of, with all other lines hidden.

    None where the end is not asked for, is written itself, or does not follow from two lines.
    """
    if not (_ASKS.search(question) and _WHEN.search(question)):
        return None
    subject, found = _subject(question), []
    for _, lines in groupby(sheet.lines, key=lambda line: line.source.document_id):
        own = [line for line in lines if not line.stands_on]
        if (end := _end(own, subject)) is not None:
            found.append(end)
    return of_lines(found, sheet.lines) if 0 < len(found) <= _MOST else None


def _subject(question: str) -> frozenset[str]:
    """The words of what a question asks the end of."""
    rest = _WHEN.sub(" ", _ASKS.sub(" ", question))
    return words_of(rest) - small_words(question)


def _is_about(lines: Sequence[NumberedLine], subject: frozenset[str]) -> bool:
    """Whether a subject is named on lines, by words that begin alike: "tenancy", "tenant"."""
    known = words_of(" ".join([lines[0].source.file_name, *(line.text for line in lines)]))
    return all(any(one.startswith(word[:_STEM]) for one in known) for word in subject)


def _end(lines: Sequence[NumberedLine], subject: frozenset[str]) -> NumberedLine | None:
    """The line that says when a document's one time ends."""
    if any(_ENDS.search(line.text) and dates_in(line.text) for line in lines):
        return None  # or something else that ends: the model has to tell
    first = list(_first_days(lines))
    lengths = [
        (line, length)
        for line in lines
        if _RUNS.search(line.text) and not _OTHER.search(line.text)
        for length in stretches_in(line.text)
    ]
    together = [
        (line, day, other, length)
        for line, day in first
        for other, length in lengths
        if line is other
    ]
    apart = [
        (*one, *other)
        for one in first
        for other in lengths
        if max(len(one[0].text), len(other[0].text)) <= _LABEL and _IS_LENGTH.search(other[0].text)
    ]
    for pairs in (together, apart):
        about = [one for one in pairs if _is_about([one[0], one[2]], subject)]
        if len(own := pairs if len(pairs) == 1 else about) == 1:
            line, day, other, length = own[0]
            last = length.last_day(day.day)
            if last is not None and _is_about([*lines[:_TITLE], line, other], subject):
                text = f"It ends on {day.like(last)}: {day.text} + {length.text}"
                shown = f"{day.like(last)} ({day.text} + {length.text})"
                return _told([line] if line is other else [line, other], text, shown)
    return None


def _first_days(lines: Iterable[NumberedLine]) -> Iterator[tuple[NumberedLine, WrittenDate]]:
    """The lines that say when something begins, with the day."""
    for line in lines:
        days = dates_in(line.text)
        if len(days) == 1 and _BEGINS.search(line.text) and not _OTHER.search(line.text):
            yield line, days[0]


def _told(lines: Sequence[NumberedLine], text: str, shown: str) -> NumberedLine:
    places = tuple(
        RowPlace(line.source.document_id, line.source.page, line.start, line.end) for line in lines
    )
    first = lines[0]
    return NumberedLine(0, first.source, first.start, first.end, text, places, shown)
