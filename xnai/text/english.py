"""Short forms in English texts, and questions of any length."""

import re

MAX_CHARACTERS = 2000  # of a question; what is cut lies in the middle
# What stands before a full stop that ends no sentence: an initial, a title, a common short form.
_ABBREVIATED = re.compile(
    r"(?:(?<!\w)(?:[^\W\d_]|[^\W\d_]\.[^\W\d_]|dr|mr|mrs|ms|prof|st|jr|sr|gen|col|capt|lt|sgt|rev|hon|"
    r"gov|sen|rep|pres|inc|ltd|corp|co|no|nos|vol|vols|pp|fig|figs|eq|sec|ch|ed|eds|vs|cf|ca|approx|"
    r"etc|al|dept|univ|jan|feb|mar|apr|jun|jul|aug|sept|sep|oct|nov|dec)|\be\.g|\bi\.e)\.$",
    re.IGNORECASE,
)
_LONGEST_ABBREVIATION = 8  # characters


def is_abbreviation(text: str, end: int) -> bool:
    """Whether the full stop before a place in a text is that of a short form or an initial."""
    return bool(_ABBREVIATED.search(text[max(0, end - _LONGEST_ABBREVIATION) : end]))


def shortened(question: str) -> str:
    """A long question's beginning and end: what is asked stands before or after a pasted text."""
    if len(question) <= MAX_CHARACTERS:
        return question
    half = MAX_CHARACTERS // 2
    return f"{question[:half]} {question[-half:]}"
