"""Questions as a model gets them: about what a document is, for its summary, in their language.

A small model answers "What is this notice about?" with a word of the title, and a request for the
gist with the headings. Asked for a summary in so many sentences, with figures, it says what the
document tells, so that is what it is asked for. Its examples are English; to answer in another
language it has to be told which.
"""

import re
from pathlib import Path

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
    r"de qué (?:trata|habla|va|es) \w+ \w+|qué es este \w+)\W*$",
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
# All that may stand in a request for a summary that asks for nothing in particular.
_PLAIN = frozenset(Path(__file__).with_name("summary_words.txt").read_text("utf-8").split())
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_SUMMARISED = {
    "en": "Summarise this document in four sentences, with its most important names, dates and "
    "figures.",
    "de": "Fasse dieses Dokument in vier Sätzen zusammen, mit den wichtigsten Namen, Daten und "
    "Zahlen.",
    "fr": "Résume ce document en quatre phrases, avec les noms, dates et chiffres les plus "
    "importants.",
    "es": "Resume este documento en cuatro frases, con los nombres, fechas y cifras más "
    "importantes.",
}
_AS_SUMMARY = {
    "en": "Summarise this document in two sentences.",
    "de": "Fasse dieses Dokument in zwei Sätzen zusammen.",
    "fr": "Résume ce document en deux phrases.",
    "es": "Resume este documento en dos frases.",
}
_IN_ENGLISH = "Answer in English."
_IN_LANGUAGE = {
    "de": "Antworte auf Deutsch.",
    "fr": "Réponds en français.",
    "es": "Responde en español.",
    "ja": "日本語で答えてください。",
    "zh": "请用中文回答。",
    "ar": "أجب بالعربية.",
}


def is_about(question: str) -> bool:
    """Whether a question asks what a document is, as a whole."""
    return bool(_ABOUT.search(question))


def asks_summary(question: str) -> bool:
    """Whether a question asks for a summary in German, French or Spanish."""
    return bool(_SUMMARY.search(question))


def as_asked(question: str, language: str, *, whole: bool = False, translated: bool = False) -> str:
    """A question as the model gets it.

    Args:
        question: as the person wrote it, or as it was translated for the model.
        language: the person's language, a code.
        whole: whether a summary of one document is asked for.
        translated: whether the question is in another language than the person's.

    """
    if is_about(question) and language in _AS_SUMMARY:
        question = _AS_SUMMARY[language]
    elif whole and language in _SUMMARISED and _is_plain(question):
        question = _SUMMARISED[language]
    hint = _IN_LANGUAGE.get(language, _IN_ENGLISH if translated else "")
    return f"{question} {hint}".strip()


def _is_plain(question: str) -> bool:
    """Whether a request for a summary says nothing of how long, for whom or of what part."""
    return all(word in _PLAIN for word in _WORDS.findall(question.casefold()))
