"""Questions about what a document is: "What is this notice about?".

A small model answers them with a word of the title. Asked for a summary in two sentences it says
what the document tells, so that is what it is asked for.
"""

import re

_THING = (
    r"(?:documents?|files?|notice|letter|text|report|papers?|page|contract|agreement|e-?mail|form|"
    r"table|list|book|presentation|deck|sheet|pdf)"
)
_ABOUT = re.compile(
    r"^\W*(?:what(?:'s| is| are) "
    rf"(?:this|these|it|that|(?:this|these|the) (?:\w+ )?{_THING}) about|"
    rf"what (?:kind|sort|type) of {_THING} (?:is|are) (?:this|these|it|that)|"
    rf"what(?:'s| is| are) (?:this|these) {_THING}|"
    r"worum geht (?:es|'s)(?: hier| in \w+ \w+)?|wovon handelt \w+ \w+|"
    r"was ist das für ein \w+|was für ein \w+ ist (?:das|dies)|"
    r"de quoi (?:parle|traite) \w+ \w+|de quoi s'agit-il|"
    r"de qué (?:trata|habla) \w+ \w+|qué es este \w+)\W*$",
    re.IGNORECASE,
)
_AS_SUMMARY = {
    "en": "Summarise this document in two sentences.",
    "de": "Fasse dieses Dokument in zwei Sätzen zusammen.",
    "fr": "Résume ce document en deux phrases.",
    "es": "Resume este documento en dos frases.",
}


def is_about(question: str) -> bool:
    """Whether a question asks what a document is, as a whole."""
    return bool(_ABOUT.search(question))


def as_summary(question: str, language: str) -> str:
    """A question as the model gets it: for one about a document a summary in its language."""
    return _AS_SUMMARY.get(language, question) if is_about(question) else question
