"""Words of questions and answers: which tell something, and what kind of answer is asked for."""

import re
from typing import Literal

AnswerKind = Literal["number", "date", "name", "thing", "sentence"]

MAX_CHARACTERS = 2000  # of a question; what is cut lies in the middle
_WORD = re.compile(r"\w+")
# [words](address "title"), an image, and a footnote's number [[3]](#note); as in read web pages.
_LINK = re.compile(
    r"!?\[((?:[^\[\]]|\[[^\[\]]{0,80}\]){0,300})\]"
    r"\((?:[^()\s]|\([^()\s]{0,80}\)){0,500}(?:\s\"[^\"]{0,300}\")?\)"
)
_FOOTNOTE = re.compile(r"\[\d{1,3}\]|\[citation needed\]")
# What stands before a full stop that ends no sentence: an initial, a title, a common short form.
_ABBREVIATED = re.compile(
    r"(?:(?<!\w)(?:[^\W\d_]|[^\W\d_]\.[^\W\d_]|dr|mr|mrs|ms|prof|st|jr|sr|gen|col|capt|lt|sgt|rev|hon|"
    r"gov|sen|rep|pres|inc|ltd|corp|co|no|nos|vol|vols|pp|fig|figs|eq|sec|ch|ed|eds|vs|cf|ca|approx|"
    r"etc|al|dept|univ|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)|\be\.g|\bi\.e)\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 8  # characters
# A question of what is not so. Not one that only has a condition ("if it does not start"), a choice
# ("or not") or a relative clause with "not" in it.
_NEGATED = re.compile(
    r"^\W*(?:(?:and|but|so|in|on|at|by|to|for|from|of|with|since|until)\W+){0,2}"
    r"(?:what|which|who|whom|whose|when|where|how (?:many|much))\b"
    r"(?:(?!\b(?:if|when|unless|because|although|while|who|whom|whose|that|which|or|and)\b|[,;])"
    r"[^?])*?(?:\b(?:not|never|cannot)\b|n['\u2019]t\b)(?! only\b)",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:not|no|never|without|neither|nor|cannot|except|unlike|none|nothing|nobody|unless|"
    r"exclu\w+|prohibit\w*|forb[ia]d\w*|bann?(?:ed|s)?|refus\w+|reject\w*|lack\w*|exempt\w*|"
    r"unable|impossible|illegal|fail(?:s|ed)?|closed|free|non-?\w+|un\w{3,}(?:ed|able))\b|"
    r"n['\u2019]t\b",
    re.IGNORECASE,
)
_ENDING = re.compile(r"(?:'s|\u2019s|es|s|ed|ing)$")
_SHORT = 4  # letters; shorter words have no ending to take off


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ARTICLES = _words("the a an")
ABOUT = _words(
    "about around approximately over under nearly almost roughly some at least most more less than "
    "up to only between"
)
PARTS = _words("early late mid middle end beginning start of")
LINKS = _words("of the and to de von van der la le al for")
AUXILIARIES = _words(
    "is are was were be been being am has have had do does did will would can could may might must "
    "shall should"
)
PREPOSITIONS = _words(
    "at by for from in into of on onto per since to under upon until via with within without "
    "during before after between about over through against among as"
)
CLAUSES = _words(
    "but nor while whereas because so if though although that which who whom whose where when"
)
# Words that no answer begins or ends with.
FUNCTION = (
    AUXILIARIES
    | (PREPOSITIONS - {"among", "as"})
    | CLAUSES
    | _words(
        "and or as than this these those then there having no not what why how such it its he him "
        "his she her they them their we us our you your i me my also both either neither each "
        "however whether yet"
    )
)
NUMBERS = _words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred hundreds thousand thousands million millions billion dozen dozens half thirds quarter "
    "quarters none no zero once twice several few many most"
)
TIME = re.compile(
    r"\b(?:(?:jan|febr)uary|march|april|may|june|july|august|(?:sept|nov|dec)ember|october|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|spring|summer|autumn|winter|midnight|noon|"
    r"morning|evening|century|centuries|decades?|era|today|daily|weekly|monthly|yearly|annually)\b|"
    r"\d",
    re.IGNORECASE,
)
# In the order in which they are tried.
_KINDS: dict[AnswerKind, re.Pattern[str]] = {
    "number": re.compile(
        r"\bhow (?:many|much|old|long|far|tall|high|large|big|deep|wide|fast|often|heavy)\b|"
        r"\b(?:what|which) (?:(?:is|was|are|were) the )?(?:\w+ )?(?:percentage|percent|number|"
        r"amount|proportion|fraction|population|price|cost|rate|age|distance|height|length|size|"
        r"temperature|speed)\b",
        re.IGNORECASE,
    ),
    "date": re.compile(
        # "When" that asks, and not that of "what to do when it rains".
        r"^\W*(?:(?:and|but|so|since|until|by|exactly) )*when\b|\bwhen\W*$|"
        r"\bwhen (?:was|were|is|are|did|does|do|will|would|has|have|had|can|could|should|must)\b|"
        r"\b(?:what|which) (?:\w+ )?(?:years?|dates?|days?|months?|decades?|time|era|"
        r"season|century|centuries)\b",
        re.IGNORECASE,
    ),
    "sentence": re.compile(
        r"\bwhy\b|\bhow\b|^\W*(?:explain|describe|compare|tell|list|define|summari[sz]e|is|are|was|"
        r"were|do|does|did|can|could|will|would|has|have|had|should|may|must)\b",
        re.IGNORECASE,
    ),
    "name": re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE),
    "thing": re.compile(r"\b(?:what|which|where)\b|^\W*name\b", re.IGNORECASE),
}


def kind_of_answer(question: str) -> AnswerKind:
    """The kind of answer that a question asks for; a sentence where nothing shorter would do.

    So it is for "why", for yes or no, and for what is not asked in English.
    """
    return next((kind for kind, form in _KINDS.items() if form.search(question)), "sentence")


def is_abbreviation(text: str, end: int) -> bool:
    """Whether the full stop before a place in a text is that of a short form or an initial."""
    return bool(_ABBREVIATED.search(text[max(0, end - _LONGEST_ABBREVIATION) : end]))


def is_negated(question: str) -> bool:
    """Whether it is asked what, who, where, when or how many is not so; in English."""
    return bool(_NEGATED.search(question))


def denies(text: str) -> bool:
    """Whether a text says that something is not so, by "not" or by a word like "excluded"."""
    return bool(_DENIAL.search(text))


def shortened(question: str) -> str:
    """A long question's beginning and end: what is asked stands before or after a pasted text."""
    if len(question) <= MAX_CHARACTERS:
        return question
    half = MAX_CHARACTERS // 2
    return f"{question[:half]} {question[-half:]}"


def readable(text: str) -> str:
    """A sentence on one line, of links only the words, without numbers of footnotes."""
    return " ".join(_FOOTNOTE.sub("", _LINK.sub(r"\1", text)).split())


def stem(word: str) -> str:
    """A word without a common English ending."""
    return _ENDING.sub("", word) if len(word) > _SHORT else word


def stems(text: str) -> frozenset[str]:
    """The words of a text without their endings."""
    return frozenset(stem(word) for word in _WORD.findall(text.casefold()))
