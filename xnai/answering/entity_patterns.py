"""Things of a fixed form, which need no model to be found: dates, sums, addresses, links."""

import re

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_YEAR = r"(?:1[0-9]{3}|20[0-9]{2})"
_BARE_YEAR = r"(?<![\w#$.,-])(?:1[5-9][0-9]{2}|20[0-9]{2})(?![\w-]|[.,][0-9])|(?<=\bin )1[0-9]{3}\b"
_DAY = r"(?:3[01]|[12]?[0-9])(?:st|nd|rd|th)?"
_DATE = (
    rf"\b{_DAY}\.?\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?\b|\b{_MONTH}\s+{_DAY}(?:,?\s+{_YEAR})?\b|"
    rf"\b{_MONTH}\s+{_YEAR}\b|\b{_YEAR}-[01]?[0-9]-[0-3]?[0-9]\b|"
    rf"\b[0-3]?[0-9][./][0-3]?[0-9][./](?:{_YEAR}|[0-9]{{2}})\b|{_BARE_YEAR}"
)
_SUM = (
    r"[$\u20ac\u00a3\u00a5]\s?[0-9](?:[0-9.,]{0,20}[0-9])?(?:\s(?:million|billion))?|"
    r"\b[0-9](?:[0-9.,]{0,20}[0-9])?\s?(?:(?:million|billion)\s)?"
    r"(?:(?:USD|EUR|GBP|dollars|euros?|pounds)\b|[\u20ac\u00a3])"
)
_KINDS = {
    r"dates?|years?": _DATE,
    r"sums?|amounts?|prices?|costs?": _SUM,
    r"e-?mails?(?: address(?:es)?)?": r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+",
    r"links?|urls?|web ?sites?": r"https?://[^\s<>\"')\]]{1,500}",
}

_UNCONDITIONAL = re.compile(
    rf"\b(?:all|every|each)\b(?:\s+of)?(?:\s+the)?\s+(?:{'|'.join(_KINDS)})"
    r"(?:\s+of\s+money)?(?:\s+(?:mentioned|named|given|found))?(?:\s+(?:in|from)\b[^,;]{0,40})?\W*$",
    re.IGNORECASE,
)


def is_unconditional(question: str) -> bool:
    """Whether all of a form are wanted: "all dates in the log", not "dates on which it failed"."""
    return bool(_UNCONDITIONAL.search(question))


def pattern_of(question: str) -> re.Pattern[str] | None:
    """The form of what is to be listed, if it has a fixed one, as in "List all dates"."""
    for words, form in _KINDS.items():
        asked = rf"\b(?:all|every|each)\b(?:\s+of)?(?:\s+the)?\s+(?:{words})\b"
        if re.search(asked, question, re.IGNORECASE):
            return re.compile(form, re.IGNORECASE)
    return None
