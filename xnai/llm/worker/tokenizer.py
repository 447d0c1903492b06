"""Text to tokens and back, by llama.cpp; imported by the worker process alone."""

import ctypes
from collections.abc import Iterator

import llama_cpp.llama_cpp as lib

SPECIAL_ATTRIBUTES = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
TEXT_SLICE = 16_384  # characters tokenised at once when only the number matters
# Some tokenisers are superlinear in text without a blank, and a call cannot be ended: what is
# longer goes in slices. A prompt of ordinary size is never cut.
PROMPT_SLICE = 65_536
_CUT_WITHIN = 4_096  # characters before the end of a slice in which a blank is looked for


def slices(text: str, size: int) -> Iterator[str]:
    """Cut a long text, before blanks where there are some: there a token begins anyway."""
    start = 0
    while len(text) - start > size:
        end = start + size
        blank = max(text.rfind(sign, end - _CUT_WITHIN, end) for sign in " \n")
        end = blank if blank > start else end
        yield text[start:end]
        start = end
    yield text[start:]


class NativeError(Exception):
    """llama.cpp refused; the text says what it was asked for."""


class Vocabulary:
    """Text to tokens and back; safe to use while a step runs in another thread."""

    def __init__(self, model: object) -> None:
        self._vocab = lib.llama_model_get_vocab(model)
        self.size = int(lib.llama_vocab_n_tokens(self._vocab))
        self.bos = int(lib.llama_vocab_bos(self._vocab))
        # Some tokenisers put a blank before every text, and so before every slice.
        first = self._tokens("a", special=False)[:1]
        self._puts_blank = bool(first) and self.piece(first[0]).startswith(b" ")
        self.adds_bos = self.bos >= 0 and bool(lib.llama_vocab_get_add_bos(self._vocab))

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """Tokenise; ``special`` recognises the spellings of special tokens.

        Raises:
            NativeError: the tokeniser fails on the text.

        """
        found: list[int] = []
        for number, part in enumerate(slices(text, PROMPT_SLICE)):
            spared = number and self._puts_blank and part.startswith(" ")
            found += self._tokens(part[1:] if spared else part, special=special)
        return found

    def _tokens(self, text: str, *, special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        for _ in range(2):
            buffer = (lib.llama_token * room)()
            count = lib.llama_tokenize(
                self._vocab,
                data,
                len(data),
                buffer,
                room,
                False,  # noqa: FBT003
                special,
            )
            if count >= 0:
                return list(buffer[:count])
            room = -count
        raise NativeError("the text cannot be tokenised")

    def count(self, text: str) -> int:
        """Number of tokens of a part of a text."""
        return len(self._tokens(text, special=False))

    def parts(self, text: str) -> Iterator[str]:
        """Cut a text of any length into parts that are counted apart."""
        return (text[at : at + TEXT_SLICE] for at in range(0, len(text), TEXT_SLICE))

    def piece(self, token: int) -> bytes:
        """The bytes of a token, none for a special one."""
        room = 64
        for _ in range(2):
            buffer = ctypes.create_string_buffer(room)
            count = lib.llama_token_to_piece(self._vocab, token, buffer, room, 0, False)  # noqa: FBT003
            if count >= 0:
                return buffer.raw[:count]
            room = -count
        return b""

    def spelling(self, token: int) -> str:
        """How a token is written in the vocabulary; empty for one that does not exist."""
        if token < 0:
            return ""
        return (lib.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")

    def specials(self) -> list[str]:
        """The spellings that are recognised as special tokens."""
        return [
            self.spelling(token)
            for token in range(self.size)
            if lib.llama_vocab_get_attr(self._vocab, token) & SPECIAL_ATTRIBUTES
        ]

    def ends(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return bool(lib.llama_vocab_is_eog(self._vocab, token))

    @property
    def eos(self) -> int:
        """The token that ends a text; negative if there is none."""
        return int(lib.llama_vocab_eos(self._vocab))
