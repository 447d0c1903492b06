"""What a request may hold, told from its number of characters before anything is tokenised.

Tokenising, rendering and searching cost time that grows with the text, and the model's worker does
them one request after the other. A text that cannot fit the context whatever it says is refused
here, by its length alone.
"""

import re
from collections.abc import Sequence

from xnai.errors import QUESTION_TOO_LONG, XnaiError
from xnai.types import Message

MESSAGES_MAX = 1_000  # of one conversation
# Prose has about four; only long runs of one sign have more, and nobody asks those.
CHARACTERS_PER_TOKEN = 16
# While the model is not there yet its context is not known; the passages are searched anyway.
UNKNOWN_CONTEXT = 32_768


MEGABYTE = 1024 * 1024
# A parser holds the event loop for as long as it works, and that goes by the number of values.
VALUES_MAX = 50_000
# An unclosed string goes to the end, so that no part of it is looked at twice.
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)', re.DOTALL)
_SIGNS = (b"[", b"{", b",")


def has_too_many_values(json: bytes, most: int = VALUES_MAX) -> bool:
    """Tell, without parsing it, whether JSON holds more lists, objects and items than ``most``."""
    if sum(map(json.count, _SIGNS)) <= most:
        return False
    return sum(map(_STRING.sub(b"", json).count, _SIGNS)) > most


def body_limit(context_tokens: int) -> int:
    """Return the most bytes of a chat request: what fits, some of it escaped, and old turns."""
    return min(10 * MEGABYTE, max(MEGABYTE, 4 * room(context_tokens)))


def room(context_tokens: int) -> int:
    """Return how many characters a prompt may have at most."""
    return (context_tokens or UNKNOWN_CONTEXT) * CHARACTERS_PER_TOKEN


def check_question(text: str, system: str, context_tokens: int) -> None:
    """See that a question may fit, for it is never cut.

    Raises:
        XnaiError: QUESTION_TOO_LONG.

    """
    characters = len(text) + len(system)
    if characters > room(context_tokens):
        least = characters // CHARACTERS_PER_TOKEN
        limit = context_tokens or UNKNOWN_CONTEXT
        raise XnaiError(QUESTION_TOO_LONG, tokens=f"at least {least}", limit=limit)


def recent(history: Sequence[Message], context_tokens: int) -> list[Message]:
    """Return the newest turns that may fit; the oldest are the first that a prompt leaves out."""
    left = room(context_tokens)
    kept: list[Message] = []
    for message in reversed(history[-MESSAGES_MAX:]):
        left -= len(message.content)
        if left < 0:
            break
        kept.append(message)
    return kept[::-1]
