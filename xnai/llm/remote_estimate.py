"""How many tokens a text has at most, by rules of thumb, where no tokenizer can be asked."""

import re

_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+| (?=[!-~])|[^\x00-\x7f]+|.", re.DOTALL)
_LONG = 200_000  # characters; the pieces of a longer text are not looked at
_ASTRAL = 0x10000
_MESSAGE = 8  # tokens a template adds around a message
_PROMPT = 32  # and around all of them


def estimate_tokens(text: str) -> int:
    """Tokens of ``text``, rather too many than too few.

    A run of letters counts a token for every two, every digit, sign, line break and further space
    one, other scripts three for four bytes of UTF-8, emoji one a byte; and a twelfth on top for
    languages that a vocabulary hardly knows. Over the vocabularies in llama.cpp's source (32,000 to
    256,000 tokens) that is 1.0 to 1.9 times the greediest one's count on prose in nine languages,
    tables and source code, and 2.2 to 2.4 times a current vocabulary's on English. Encoded data
    (Base64) can have a tenth more tokens than this says: no vocabulary knows it. Of texts of more
    than 200,000 characters every byte counts as one, which no byte-level vocabulary exceeds.
    """
    if len(text) > _LONG:
        return len(text.encode("utf-8", "replace"))
    pieces = sum(_piece(match.group()) for match in _PIECE.finditer(text))
    return pieces + -(-pieces // 12)


def estimate_prompt(counts: list[int]) -> int:
    """Tokens of a rendered prompt whose messages have so many."""
    return sum(counts) + _MESSAGE * len(counts) + _PROMPT


def _piece(piece: str) -> int:
    if not piece.isascii():
        astral = sum(ord(char) >= _ASTRAL for char in piece)
        rest = len(piece.encode("utf-8", "replace")) - 4 * astral
        return 4 * astral + -(-rest * 3 // 4)
    if piece.isalpha():
        return -(-len(piece) // 2)
    return 0 if piece == " " else 1
