"""Which script a text is written in."""

import unicodedata
from collections import Counter

_LOOKED_AT = 200  # characters
# Japanese is written in three, Chinese in one of them.
_SAME = {"HIRAGANA": "CJK", "KATAKANA": "CJK"}


def script_of(text: str) -> str:
    """The script of most letters at a text's beginning, as Unicode names it; empty without any."""
    names = (
        unicodedata.name(character, "") for character in text[:_LOOKED_AT] if character.isalpha()
    )
    counted = Counter(name.replace("-", " ").partition(" ")[0] for name in names)
    for name in _SAME.keys() & counted.keys():
        counted[_SAME[name]] += counted.pop(name)
    return max(counted, key=lambda name: (counted[name], name), default="")
