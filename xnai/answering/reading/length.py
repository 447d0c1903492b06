"""How long an answer may be: as long as was asked for, and a summary shorter than its text."""

import re

from xnai.answering.reading.lines import Sheet
from xnai.text.number_words import NUMBER_WORDS

_SPELT = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
_ASKED = re.compile(
    rf"(?<![A-Za-z\u00c0-\u024f\u0400-\u04ff\d])(?P<number>\d{{1,2}}|{_SPELT})[\s-]{{0,2}}"
    r"(?:short |brief |kurzen |phrases? |)"
    r"(?:sentences?|sätzen?|satz|phrases?|frases?|oraciones|предложени\w{1,4}|句|文(?!字|書|档|件)|جمل)",
    re.IGNORECASE,
)
_LEAST, _MOST = 3, 6  # sentences of a summary whose length was not asked for


def asked_sentences(question: str) -> int | None:
    """The number of sentences that a question asks for; None if it does not say."""
    match = _ASKED.search(question)
    if match is None:
        return None
    number = match["number"].casefold()
    return max(1, int(number) if number.isdigit() else NUMBER_WORDS[number])


def most_sentences(question: str, sheet: Sheet, *, summary: bool) -> int | None:
    """How many sentences an answer may have; None: as many as it takes.

    A small model that is asked for a summary of a short text tends to copy it to its end.
    """
    asked = asked_sentences(question)
    if asked is not None or not summary:
        return asked
    return min(_MOST, max(_LEAST, len(sheet.lines) // 2))
