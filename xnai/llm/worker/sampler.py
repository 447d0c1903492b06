"""Draws the next token of one answer; imported by the worker process alone."""

import ctypes
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import llama_cpp.llama_cpp as lib
import numpy as np
from numpy.typing import NDArray

from xnai.llm.worker.grammar import Grammar
from xnai.llm.worker.tokenizer import NativeError, Vocabulary
from xnai.types import Sampling, TokenLogprob

REPEAT_WINDOW = 64  # generated tokens that the penalties look back on
MAX_SEED = 0xFFFF_FFFF

_TOKEN_DATA = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A token, its log probabilities if they were asked for, and whether it must be the last.

    ``last``: the form that binds the answer is complete with this token, nothing may follow.
    """

    token: int
    logprobs: TokenLogprob | None = None
    last: bool = False


class Sampler:
    """Draws tokens in the way that a request asks for.

    llama.cpp's chain is faster than the same over candidates picked by numpy, as long as what
    leaves few candidates comes first: ``top_k``, else ``min_p``. It makes a list of the whole
    vocabulary first, though (0.14 ms for 152,000 tokens), and the likeliest token alone is found
    without (0.013 ms), while the cores of the model wait. Only generated tokens are
    penalised, an answer is meant to repeat words of its documents. Making one may take 0.3 s (the
    first grammar), and needs no lock; drawing is for one thread at a time.

    Raises:
        RefusedError: the schema or grammar is not usable.

    """

    def __init__(self, sampling: Sampling, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._alternatives = sampling.logprobs
        self._takes_likeliest = sampling.temperature <= 0 and not _penalises(sampling)
        self._grammar: Grammar | None = None
        form = sampling.json_schema or sampling.grammar
        if form is not None:
            is_schema = sampling.json_schema is not None
            self._grammar = Grammar(form, vocabulary, is_schema=is_schema)
            self._candidates = np.zeros(vocabulary.size, _TOKEN_DATA)
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        for step in _steps(sampling, vocabulary.size):
            lib.llama_sampler_chain_add(self._chain, step)

    def sample(self, context: object, row: int) -> Drawn:
        """Draw the next token from the logits of a row of the last batch, and remember it.

        Raises:
            NativeError: the row has no logits.
            RefusedError: no token fits the grammar, or it takes too much to tell.

        """
        logits = self._logits(context, row)
        if self._grammar is not None:
            token = self._bound(logits, self._grammar)
        elif self._takes_likeliest:
            token = int(logits.argmax())
        else:
            token = int(lib.llama_sampler_sample(self._chain, context, row))
        last = self._grammar is not None and self._grammar.complete
        return Drawn(token, self._logprobs(logits, token), last)

    def free(self) -> None:
        """Give the memory back; may be called twice."""
        if self._chain:
            lib.llama_sampler_free(self._chain)
            self._chain = None

    def _logits(self, context: object, row: int) -> Logits:
        pointer = lib.llama_get_logits_ith(context, row)
        if not pointer:
            raise NativeError(f"row {row} of the batch has no logits")
        array = (ctypes.c_float * self._vocabulary.size).from_address(
            ctypes.addressof(pointer.contents)
        )
        return np.frombuffer(memoryview(array), np.float32)

    def _bound(self, logits: Logits, grammar: Grammar) -> int:
        """Draw freely, and only if the grammar forbids the token, among those it allows."""
        token = self._pick(logits, None)
        if not grammar.allows(token):
            token = self._pick(logits, grammar.allowed())
        lib.llama_sampler_accept(self._chain, token)
        grammar.accept(token)
        return token

    def _pick(self, logits: Logits, tokens: NDArray[np.intp] | None) -> int:
        if tokens is None:
            tokens = np.arange(logits.size)
        candidates = self._candidates[: tokens.size]
        candidates["id"] = tokens
        candidates["logit"] = logits[tokens]
        array = lib.llama_token_data_array(selected=-1, sorted=False, size=tokens.size)
        array.data = candidates.ctypes.data_as(lib.llama_token_data_p)
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)  # a sampler may have moved the data

    def _logprobs(self, logits: Logits, token: int) -> TokenLogprob | None:
        count = self._alternatives
        if count is None:
            return None
        highest = logits.max()
        total = highest + np.log(np.exp(logits - highest).sum(dtype=np.float64))
        best = np.argpartition(logits, -count)[-count:] if count else np.empty(0, np.intp)
        best = best[np.argsort(-logits[best], kind="stable")]

        def entry(one: int, among: Iterable[TokenLogprob] = ()) -> TokenLogprob:
            data = self._vocabulary.piece(one) or self._vocabulary.spelling(one).encode()
            text = data.decode("utf-8", "replace")
            return TokenLogprob(text, data, float(logits[one] - total), tuple(among))

        return entry(token, (entry(int(one)) for one in best))


def _penalises(sampling: Sampling) -> bool:
    """Whether a token's chances depend on those that were generated before it."""
    penalties = sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty
    return penalties != (1.0, 0.0, 0.0)


def _steps(sampling: Sampling, vocab_size: int) -> Iterable[object]:
    """The samplers of a chain, in order."""
    if sampling.top_k > 0:
        yield lib.llama_sampler_init_top_k(sampling.top_k)
    if _penalises(sampling):
        yield lib.llama_sampler_init_penalties(
            vocab_size,
            REPEAT_WINDOW,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        )
    if sampling.temperature <= 0:
        yield lib.llama_sampler_init_greedy()
        return
    # The other way round, top_p would sort the whole vocabulary when there is no top_k.
    yield lib.llama_sampler_init_min_p(sampling.min_p, 1)
    yield lib.llama_sampler_init_top_p(sampling.top_p, 1)
    yield lib.llama_sampler_init_temp(sampling.temperature)
    seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
    yield lib.llama_sampler_init_dist(seed & MAX_SEED)
