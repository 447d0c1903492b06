"""Yes or no, asked a second time of a few lines alone.

The first answer was given with the whole text before it, where a model leans to "Yes". The second
has nothing but the lines that it quoted itself, and those that have the question's words; it is
believed against the first, or against a refusal, only where it is sure.
"""

import re
from collections.abc import Sequence

from xnai.answering import one_word
from xnai.types import Message, TokenLogprob

EVEN = 0.5
SURE = 0.7  # probability of the other word beyond which the second look is believed
_SYSTEM = "Answer the question with Yes or No, from the text alone."
_EXAMPLES = (
    ("Films are lent to members only.", "Does everybody get films?", "No"),
    ("Children may come alone from the age of eight.", "May a child of nine come alone?", "Yes"),
    ("Dogs must not enter the hall, guide dogs excepted.", "May I bring my dog?", "No"),
    ("Dogs must not enter the hall, guide dogs excepted.", "Are guide dogs allowed?", "Yes"),
    ("Both partners sign the form.", "Is one signature enough?", "No"),
    ("Electricity wanted: yes", "Is electricity wanted?", "Yes"),
    ("Insurance: none", "Is there an insurance?", "No"),
    ("The fee is not refunded once the course has begun.", "Do I get the fee back later?", "No"),
    ("Parking is free on Sundays.", "Does parking cost something on Sundays?", "No"),
    ("The gate is open from six to ten.", "Is the gate open at eight?", "Yes"),
)
_OPPOSITES = (
    ("yes", "no"),
    ("ja", "nein"),
    ("oui", "non"),
    ("sí", "no"),
    ("si", "no"),
    ("да", "нет"),
    ("はい", "いいえ"),
)
_WORDS = {word: yes for pair in _OPPOSITES for word, yes in zip(pair, (True, False), strict=True)}
_OTHER = {no: yes.title() for yes, no in reversed(_OPPOSITES)} | {
    yes: no.title() for yes, no in _OPPOSITES
}
_FIRST = re.compile(r"\W*(\w+)")
# What questions for yes or no begin with, and the two words of their languages.
_BEGINNINGS = (
    (
        "is are was were do does did can could may must has have had will would should shall am",
        ("Yes", "No"),
    ),
    (
        "ist sind war waren darf dürfen kann können muss müssen hat haben wird werden soll gibt",
        ("Ja", "Nein"),
    ),
    ("est-ce puis-je peut-on doit-on faut-il y-a-t-il a-t-il sont-ils", ("Oui", "Non")),
    ("puedo puede pueden debe deben está están hay tiene tienen", ("Sí", "No")),
    ("можно может могут нужно есть ли является", ("Да", "Нет")),
)
_STARTS = {start: words for starts, words in _BEGINNINGS for start in starts.split()}
# What people put before them: "and can I", "ok to". What is allowed is asked without a verb, too.
_BEFORE = re.compile(
    r"\W{0,3}(?:(?:and|but|so|then|also|well|hey|please|und|aber|also|et|mais|y|pero)\W{1,3}){0,2}",
    re.IGNORECASE,
)
_ALLOWED = re.compile(
    r"(?:ok|okay|fine|safe|alright|allowed|possible|permitted|legal|any (?:chance|way|need))"
    r" (?:to|if|for|that|of)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.!,;:\u2013-]\s+(?=\w)")
_ASKING = re.compile(
    r"\W{0,3}(?:and |but |so |und |et |y )?(?:wh\w{1,4}|how|w(?:er|en|em|as|ann|o|ie|arum)|"
    r"welche\w?|qu\w{1,4}|combien|comment|où|cuá\w{1,4}|cómo|dónde|list|tell|show|name|give|compare)\b",
    re.IGNORECASE,
)
_START = re.compile(r"(\w{1,20}(?:-\w{1,9}){0,3})")
_ENGLISH = re.compile(
    r"\b(?:is|are|was|were|do|does|did|can|may|must|has|have|had|will|would|should|the|any)\b",
    re.IGNORECASE,
)


def words_for(question: str) -> tuple[str, str] | None:
    """Yes and no in the language of a question that asks for one of them; None if it does not."""
    if words := _words_at(question, 0):
        return words
    # "It shows 200 degrees, may I open it?"
    *_, last = [0, *(match.end() for match in _CLAUSE.finditer(question))]
    return _words_at(question, last) if last and not _ASKING.match(question) else None


def _words_at(question: str, at: int) -> tuple[str, str] | None:
    """Yes and no where a part of a question begins."""
    if before := _BEFORE.match(question, at):
        at = before.end()
    if _ALLOWED.match(question, at):
        return _BEGINNINGS[0][1]
    match = _START.match(question, at)
    return _STARTS.get(match[1].casefold()) if match else None


def is_sure(yes: float, first: bool | None) -> bool:
    """Whether a second look is sure of either word, or leans to the one that was said first."""
    return max(yes, 1 - yes) >= SURE or first == (yes > EVEN)


def said(answer: str) -> bool | None:
    """Whether an answer begins with yes (True) or no (False); None if with neither."""
    match = _FIRST.match(answer)
    return _WORDS.get(match[1].casefold()) if match else None


def messages(lines: Sequence[str], question: str) -> tuple[Message, ...]:
    """The prompt of the second look."""
    return one_word.messages(_SYSTEM, "Question", _EXAMPLES, " ".join(lines), question)


def probability_of_yes(logprobs: Sequence[TokenLogprob]) -> float | None:
    """How likely "Yes" is beside "No" as the first token; None if neither was considered."""
    return one_word.shares(logprobs, ("yes", "no")).get("yes")


def corrected(answer: str, yes: float | None, question: str) -> str:
    """The answer, its first word exchanged where the second look is sure of the other one.

    What else it says goes then, for it argues for the wrong word.
    """
    match, first = _FIRST.match(answer), said(answer)
    if match is None or first is None or yes is None or (yes if not first else 1 - yes) < SURE:
        return answer
    word = match[1].casefold()
    if word == "no" and not _ENGLISH.search(question):
        return answer  # it is Spanish or Italian as well
    return f"{_OTHER[word]}."
