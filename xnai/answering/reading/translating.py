"""A question in another language than the documents, as it is put in theirs.

A small model that has a German question and an English text before it often quotes the line beside
the right one, or none. Asked in the language of the text it finds it, and still answers in the
language of whoever asks.
"""

from collections.abc import Sequence
from pathlib import Path

from babel import Locale

from xnai.answering.few_shot import example_turns
from xnai.answering.reading.files import by_file
from xnai.answering.reading.lines import Sheet
from xnai.text.detection import KNOWN, detect
from xnai.types import Message, Sampling

_SYSTEM = (
    "Write the question in the language of the text, with the same meaning. Do not answer it. Keep "
    "names, figures and dates as they are. Write the question only."
)
_EXAMPLES = Path(__file__).with_name("translating.txt")
_LONGEST = 300  # characters of a question that is translated
_SHOWN = 240  # characters of the documents that show their language and words
_NEAREST = 3  # lines
_LEAST = 20  # characters of a line that shows any
_LOOKED_AT = 3000  # by which it is told
_TOKENS = 64
_MARKS = ("?", "\uff1f", "\u061f")


def language_of(question: str, language: str, sheet: Sheet) -> str:
    """The language that a question is to be put in: that of the documents, a code.

    Empty where one of them is in the question's, or where a language is not known.
    """
    if language not in KNOWN or len(question) > _LONGEST:
        return ""
    languages = [detect(_longest(one.sheet)) for one in by_file(sheet)]
    if not languages or None in languages or language in languages:
        return ""
    return languages[0] or ""


def messages(
    question: str, language: str, sheet: Sheet, cosines: Sequence[float]
) -> tuple[Message, ...]:
    """The prompt that asks for a question in the language of the documents.

    The language is named: a small model that is to see it from the text takes Spanish for French.

    Args:
        question: as it was asked.
        language: the code of the documents' language.
        sheet: the documents.
        cosines: of the question and each line, if they are known. The lines nearest to it are shown
            to the model, so that it takes their words: a "Kaution" is a deposit in one lease, and a
            bond in another.

    """
    best = sorted(range(len(cosines)), key=lambda at: -cosines[at])[:_NEAREST]
    near = [sheet.lines[at].text for at in best if len(sheet.lines[at].text) >= _LEAST]
    shown = " ".join(text[: _SHOWN // 2] for text in near) or _longest(sheet)
    name = Locale("en").languages[language]
    asked = f"Text: {shown[:_SHOWN]} Question: {' '.join(question.split())} In {name}:"
    return (Message("system", _SYSTEM), *example_turns(_EXAMPLES), Message("user", asked))


def _longest(sheet: Sheet) -> str:
    """The longest lines: whole sentences tell a language, and names and figures do not."""
    lines = sorted((line.text for line in sheet.lines), key=len, reverse=True)
    return " ".join(lines)[:_LOOKED_AT]


def sampling(base: Sampling) -> Sampling:
    """One line."""
    return Sampling(
        max_tokens=_TOKENS, temperature=0.0, repeat_penalty=1.0, seed=base.seed, stop=("\n",)
    )


def translated(written: str, question: str) -> str:
    """What the model has written, where it is a question as the one that was asked; else that."""
    one = written.strip()
    asks = one.endswith(_MARKS) or not question.rstrip().endswith(_MARKS)
    return one if one and asks and len(one) <= 2 * _LONGEST else question
