"""Asking a model for one word about a text, and how sure it is of each that it may say."""

import math
from collections.abc import Iterable, Mapping, Sequence

from xnai.types import Message, Sampling, TokenLogprob

_ALTERNATIVES = 10


def messages(
    system: str, kind: str, examples: Iterable[tuple[str, str, str]], text: str, asked: str
) -> tuple[Message, ...]:
    """The prompt: examples of a text, of what is asked of it and of the word, then one's own.

    Args:
        system: what is to be done.
        kind: what each of those asked is called, as "Question".
        examples: text, what is asked, and the word.
        text: what is asked of.
        asked: the last one.

    """
    turns = [
        message
        for shown, one, word in examples
        for message in (
            Message("user", f"Text: {shown}\n{kind}: {one}"),
            Message("assistant", word),
        )
    ]
    own = Message("user", f"Text: {text}\n{kind}: {asked}")
    return (Message("system", system), *turns, own)


def sampling(seed: int | None = None) -> Sampling:
    """One token with its alternatives."""
    return Sampling(
        max_tokens=1, temperature=0.0, repeat_penalty=1.0, seed=seed, logprobs=_ALTERNATIVES
    )


def shares(logprobs: Sequence[TokenLogprob], words: Iterable[str]) -> Mapping[str, float]:
    """How likely each of some words is as the first token, beside the others.

    Args:
        logprobs: of the tokens that were written, with their alternatives.
        words: in small letters.

    Returns:
        Shares that sum to 1; nothing where none of the words was considered.

    """
    weights = dict.fromkeys(words, 0.0)
    first = (logprobs[0], *logprobs[0].alternatives) if logprobs else ()
    for token in {one.token: one for one in first}.values():
        word = token.token.strip().casefold()
        if word in weights:
            weights[word] += math.exp(token.logprob)
    total = sum(weights.values())
    return {word: weight / total for word, weight in weights.items()} if total else {}
