"""Small talk: what asks for nothing, such as thanks or goodbye.

A small model that is told to quote its sources says of a goodbye that it is not in the documents.
"""

import re
from pathlib import Path

from xnai.locale import marked

REPLY = marked("You are welcome. Ask me anything about your documents, whenever you like.")
_LONGEST = 120  # characters
_WORDS = re.compile(r"[^\W\d_]+")
# A word of the first line says that it is small talk; all others must be of the second.
_SAID, _BESIDE = (
    frozenset(line.split())
    for line in Path(__file__).with_name("small_talk_words.txt").read_text("utf-8").splitlines()
)


def is_small_talk(text: str) -> bool:
    """Whether a text is made of nothing but the words of thanks, greetings and goodbyes."""
    if len(text) > _LONGEST or any(map(str.isdigit, text)):
        return False
    words = _WORDS.findall(text.casefold())
    known = _SAID | _BESIDE
    return any(word in _SAID for word in words) and all(word in known for word in words)
