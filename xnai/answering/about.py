"""Questions about what a document is, "What is this notice about?", and for its summary.

A small model answers the former with a word of the title. Asked for a summary in two sentences it
says what the document tells, so that is what it is asked for. Its examples of a summary are
English; to write one in another language it has to be told which.
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
_SUMMARY = re.compile(
    r"^\W*(?:(?:bitte|könntest du|kannst du|können sie)\W+)?"
    r"(?:fass(?:e|en sie)?\b.{0,200}\bzusammen|(?:gib|geben sie|schreib|schreibe|erstelle)\b"
    r".{0,40}\b(?:zusammenfassung|überblick)|zusammenfassung (?:des|der|von)|"
    r"(?:peux-tu |pouvez-vous )?(?:résum(?:e|er|ez)|fai(?:s|tes)[- ](?:moi )?un résumé)|"
    r"(?:puedes |podrías )?(?:resum(?:e|ir|a)|haz(?:me)? un resumen))\b",
    re.IGNORECASE,
)
_AS_SUMMARY = {
    "en": "Summarise this document in two sentences.",
    "de": "Fasse dieses Dokument in zwei Sätzen zusammen.",
    "fr": "Résume ce document en deux phrases.",
    "es": "Resume este documento en dos frases.",
}
_IN_LANGUAGE = {
    "de": "Antworte auf Deutsch.",
    "fr": "Réponds en français.",
    "es": "Responde en español.",
}


def is_about(question: str) -> bool:
    """Whether a question asks what a document is, as a whole."""
    return bool(_ABOUT.search(question))


def asks_summary(question: str) -> bool:
    """Whether a question asks for a summary in German, French or Spanish."""
    return bool(_SUMMARY.search(question))


def as_summary(question: str, language: str) -> str:
    """A question as the model gets it: for a whole document a summary in its language."""
    if is_about(question) and language in _AS_SUMMARY:
        question = _AS_SUMMARY[language]
    elif not asks_summary(question):
        return question
    return f"{question} {_IN_LANGUAGE.get(language, '')}".strip()
