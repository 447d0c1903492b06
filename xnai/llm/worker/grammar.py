"""Binding an answer to a form, by llguidance; imported by the worker process alone.

llama.cpp's own grammars take 4-30 ms to look through a vocabulary of 49,152 tokens, grow without
bound on ambiguous ones and end the process on others. llguidance takes 0.01-4 ms, and gives up at
fixed limits: https://github.com/guidance-ai/llguidance
"""

import functools
import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xnai.errors import GRAMMAR_INVALID
from xnai.llm.ipc import RefusedError
from xnai.llm.worker.gbnf import GrammarSyntaxError, to_lark
from xnai.llm.worker.tokenizer import Vocabulary

if TYPE_CHECKING:
    from llguidance import LLTokenizer
    from llguidance._lib import JsonCompileOptions

MAX_FORM = 32_768  # characters of a schema or grammar
MAX_REASON = 200
ITEMS_PER_TOKEN = 4  # of the vocabulary, in one step: 0.2 s at the very worst, then it is refused
MAX_LEXER_STATES = 50_000  # 1-2 kB each
# A small model that may write any white space writes nothing else.
JSON_OPTIONS: "JsonCompileOptions" = {
    "whitespace_flexible": True,
    "whitespace_pattern": r" ?|\n {0,16}",
}
_tokenizer_lock = threading.Lock()


class Grammar:
    """What may come next in one answer, and what has come.

    Args:
        text: a JSON Schema, or GBNF.
        vocabulary: the model's.
        is_schema: which of the two it is.

    Raises:
        RefusedError: it cannot be understood, or is too large.

    """

    def __init__(self, text: str, vocabulary: Vocabulary, *, is_schema: bool) -> None:
        from llguidance import LLMatcher, LLParserLimits  # noqa: PLC0415 - most answers need none

        self._form = "JSON Schema" if is_schema else "grammar"
        if len(text) > MAX_FORM:
            raise self._refusal(f"it has more than {MAX_FORM:,} characters")
        try:
            if is_schema:
                rules = LLMatcher.grammar_from_json_schema(text, overrides=JSON_OPTIONS)
            else:
                rules = LLMatcher.grammar_from_lark(to_lark(text))
        except (GrammarSyntaxError, ValueError) as exc:
            raise self._refusal(str(exc)) from exc
        limits = LLParserLimits(
            step_max_items=ITEMS_PER_TOKEN * vocabulary.size,
            max_lexer_states=MAX_LEXER_STATES,
            verbose_errors=False,
        )
        self._matcher = LLMatcher(_tokenizer(vocabulary), rules, log_level=0, limits=limits)
        self._check()
        self._size = vocabulary.size
        self._mask = np.zeros((vocabulary.size + 31) // 32, np.int32)

    @property
    def complete(self) -> bool:
        """Whether the answer is whole and nothing can be added."""
        return self._matcher.is_stopped()

    def allows(self, token: int) -> bool:
        """Whether a token may come next; one that ends the answer may when it is whole."""
        return self._matcher.validate_tokens([token]) == 1

    def allowed(self) -> NDArray[np.intp]:
        """The tokens that may come next.

        Raises:
            RefusedError: there are none, or finding them takes too much.

        """
        self._matcher.unsafe_compute_mask_ptr(self._mask.ctypes.data, self._mask.nbytes)
        self._check()
        bits = np.unpackbits(self._mask.view(np.uint8), bitorder="little", count=self._size)
        tokens = np.flatnonzero(bits)
        if not tokens.size:
            raise self._refusal("no text fits it")
        return tokens

    def accept(self, token: int) -> None:
        """Go on after a token that was allowed.

        Raises:
            RefusedError: the grammar has become too complex to follow.

        """
        self._matcher.consume_token(token)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            reason = self._matcher.get_error()
            raise self._refusal("no text fits it" if "NoExtension" in reason else reason)

    def _refusal(self, reason: str) -> RefusedError:
        line = reason.strip().partition("\n")[0][:MAX_REASON]
        shown = "".join(char if char.isprintable() else " " for char in line).rstrip(" .:")
        return RefusedError(GRAMMAR_INVALID, form=self._form, reason=shown)


def _tokenizer(vocabulary: Vocabulary) -> "LLTokenizer":
    with _tokenizer_lock:
        return _build_tokenizer(vocabulary)


@functools.lru_cache(maxsize=1)
def _build_tokenizer(vocabulary: Vocabulary) -> "LLTokenizer":
    """The vocabulary as llguidance wants it, 0.3 s and 25 MB for 49,152 tokens."""
    from llguidance import LLTokenizer, TokenizerWrapper  # noqa: PLC0415

    ends = [token for token in range(vocabulary.size) if vocabulary.ends(token)]
    if not ends:
        raise RefusedError(
            GRAMMAR_INVALID, form="form", reason="the model has no token that ends an answer"
        )
    pieces = [vocabulary.piece(token) for token in range(vocabulary.size)]
    for token in ends:
        pieces[token] = b"\xff" + vocabulary.spelling(token).encode()  # no text begins so
    wrapper = TokenizerWrapper(_Encoder(vocabulary, pieces, ends))
    return LLTokenizer(wrapper, n_vocab=vocabulary.size, eos_token=ends)


class _Encoder:
    """What ``TokenizerWrapper`` asks for."""

    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary, pieces: list[bytes], ends: list[int]) -> None:
        self._vocabulary = vocabulary
        self.tokens = pieces
        self.eos_token_id = ends[0]
        self.special_token_ids = ends

    def __call__(self, text: str) -> list[int]:
        return self._vocabulary.tokens(text, special=False)
