"""Text to tokens and back, by llama.cpp; imported by the worker process alone."""

import ctypes

import llama_cpp.llama_cpp as lib

SPECIAL_ATTRIBUTES = lib.LLAMA_TOKEN_ATTR_CONTROL | lib.LLAMA_TOKEN_ATTR_UNKNOWN
TEXT_SLICE = 16_384  # characters tokenised at once when only the number matters


class NativeError(Exception):
    """llama.cpp refused; the text says what it was asked for."""


class Vocabulary:
    """Text to tokens and back; safe to use while a step runs in another thread."""

    def __init__(self, model: object) -> None:
        self._vocab = lib.llama_model_get_vocab(model)
        self.size = int(lib.llama_vocab_n_tokens(self._vocab))
        self.bos = int(lib.llama_vocab_bos(self._vocab))
        self.adds_bos = self.bos >= 0 and bool(lib.llama_vocab_get_add_bos(self._vocab))

    def tokens(self, text: str, *, special: bool) -> list[int]:
        """Tokenise; ``special`` recognises the spellings of special tokens.

        Raises:
            NativeError: the tokeniser fails on the text.

        """
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
        """Number of tokens of a text of any length."""
        return sum(
            len(self.tokens(text[start : start + TEXT_SLICE], special=False))
            for start in range(0, len(text), TEXT_SLICE)
        )

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
