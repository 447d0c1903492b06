"""Misspelt words of a question, put right by the words of the documents.

Only what is one slip away from a word that the documents have is put right, and only where the
model's tokenizer says that it is no word: it cuts "dischrage" into more pieces than "discharge",
and "prize", which is a word, into no more than "price".
"""

import re
from collections.abc import Iterable, Mapping

from xnai.text.detection import detect, small_words

LEAST = 5  # letters; of shorter words too many are one slip apart
_MOST_WORDS = 40  # of a question that are looked at
_ASKING = ("when", "what", "where", "which", "whose", "how", "much", "many", "long")
_SHORTEST_ASKING = 3  # letters
_WORD = re.compile(r"[^\W\d_]+")


def neighbours(question: str, lines: Iterable[str]) -> dict[str, str]:
    """The words of a question that no line has, with the one that some line has a slip away.

    A word with several such neighbours is left as it is.
    """
    known = {word for line in lines for word in _WORD.findall(line.casefold())}
    small = small_words(question)
    found: dict[str, str] = {}
    for word in dict.fromkeys(_WORD.findall(question.casefold())[:_MOST_WORDS]):
        if len(word) < LEAST or word in known or word in small:
            continue
        near = [one for one in known if len(one) >= LEAST and is_a_slip(word, one)]
        if len(near) == 1 and not _is_a_form(word, near[0]):
            found[word] = near[0]
    return found


def asking_words(question: str, lines: Iterable[str]) -> dict[str, str]:
    """The misspelt words of an English question that are one slip from a word that asks.

    A small model takes "by wen" for "by whom".
    """
    if detect(question) != "en":
        return {}
    known = {word for line in lines for word in _WORD.findall(line.casefold())}
    small = small_words(question)
    found: dict[str, str] = {}
    for word in dict.fromkeys(_WORD.findall(question.casefold())[:_MOST_WORDS]):
        near = [one for one in _ASKING if is_a_slip(word, one)]
        if len(near) == 1 and len(word) >= _SHORTEST_ASKING and word not in known | small:
            found[word] = near[0]
    return found


def put_right(question: str, words: Mapping[str, str]) -> str:
    """A question with words in place of others, which are given in lower case."""

    def other(match: re.Match[str]) -> str:
        word = match[0]
        right = words.get(word.casefold(), word)
        return right.title() if word.istitle() else right

    return _WORD.sub(other, question)


def is_a_slip(one: str, other: str) -> bool:
    """Whether a letter is wrong, missing, too many, or two have changed places.

    That is a distance of one as Damerau (1964) counts it.
    """
    if abs(len(one) - len(other)) > 1 or one[0] != other[0]:
        return False
    short, long = sorted((one, other), key=len)
    at = next((i for i, sign in enumerate(short) if sign != long[i]), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    if short[at + 1 :] == long[at + 1 :]:
        return True
    swapped = short[at + 1 : at + 2] + short[at : at + 1]
    return swapped == long[at : at + 2] and short[at + 2 :] == long[at + 2 :]


def _is_a_form(one: str, other: str) -> bool:
    """Whether one word is the other with an ending more: "rooms" is no misspelt "room"."""
    short, long = sorted((one, other), key=len)
    return len(short) < len(long) and long.startswith(short)
