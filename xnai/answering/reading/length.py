"""How long an answer may be: as long as was asked for, and a summary shorter than its text."""

import re
from dataclasses import dataclass

from xnai.answering.reading.lines import Sheet
from xnai.text.number_words import NUMBER_WORDS

_SPELT = "|".join(sorted(NUMBER_WORDS, key=len, reverse=True))
_ASKED = re.compile(
    rf"(?<![A-Za-z\u00c0-\u024f\u0400-\u04ff\d])(?P<number>\d{{1,2}}|{_SPELT})[\s-]{{0,2}}"
    r"(?:short |brief |kurzen |phrases? |)"
    r"(?:sentences?|sätzen?|satz|phrases?|frases?|oraciones|предложени\w{1,4}|句|文(?!字|書|档|件)|جمل)",
    re.IGNORECASE,
)
_SHORTEST = 200  # characters after which a summary may end
_PART = 2  # of a text one part of so many is told
_LEAST, _MOST = 3, 6  # sentences of a summary whose length was not asked for


def asked_sentences(question: str) -> int | None:
    """The number of sentences that a question asks for; None if it does not say."""
    match = _ASKED.search(question)
    if match is None:
        return None
    number = match["number"].casefold()
    return max(1, int(number) if number.isdigit() else NUMBER_WORDS[number])


@dataclass(frozen=True, slots=True)
class Bounds:
    """What keeps an answer short.

    Attributes:
        sentences: that are told; None: as many as it takes.
        characters: after which no other sentence is begun; None: no limit.
        doubts: whether a model that nearly found no source is not believed.
        always: there is something to be told in any case, whatever source the model names.

    """

    sentences: int | None = None
    characters: int | None = None
    doubts: bool = True
    always: bool = False

    def are_reached(self, sentences: int, characters: int) -> bool:
        """Whether no more may be told."""
        enough = self.sentences is not None and sentences >= self.sentences
        return enough or (self.characters is not None and characters >= self.characters)


UNBOUNDED = Bounds()


def bounds_of(question: str, sheet: Sheet, *, summary: bool) -> Bounds:
    """How long the answer to a question may be.

    A small model that is asked for a summary of a short text tends to copy it to its end.
    """
    asked = asked_sentences(question)
    if not summary:
        return Bounds(asked)
    if asked is not None:
        return Bounds(asked, doubts=False, always=True)
    text = sum(len(line.text) for line in sheet.lines)
    sentences = min(_MOST, max(_LEAST, len(sheet.lines) // 2))
    return Bounds(sentences, max(_SHORTEST, text // _PART), doubts=False, always=True)
