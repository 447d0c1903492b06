"""Whether a model is believed that the documents answer what was asked.

Two things are weighed: how likely it was to name no source, by its own words, and what a probe
reads from a layer in its middle, where there is one for the model.
"""

import math
from collections.abc import Sequence

from xnai.answering.reading.reply import is_none
from xnai.types import TokenLogprob

DOUBT = 0.35  # probability that there is no source, beyond which a quoted one is not believed
# With a probe: its logit, less so many times that probability; the two err on other questions.
_WEIGHT = 3.0
_MISSING = -2.8  # below it nothing is believed,
_UNSURE = -1.2  # and below this no statement; chosen by looking at some 100 questions over 30 files
_LABELS = frozenset({"", "source", "sources"})


class Doubt:
    """What is known of one reply, while it comes."""

    def __init__(self) -> None:
        self._none = 0.0  # probability that there is no source
        self._begun = False  # the source
        self._logit: float | None = None  # of its being there, as the probe has it

    def heard(self, logprobs: Sequence[TokenLogprob]) -> None:
        """Note how likely it was that no source is named, at the token that begins it.

        Of those behind it a line may have the same word: "Insurance: none".
        """
        for token in logprobs:
            if not self._begun and token.token.strip(" *:\n").casefold() not in _LABELS:
                self._begun = True
                self._none = _probability_of_none(token)

    def probed(self, logit: float | None) -> None:
        """Note what the probe says."""
        self._logit = logit

    @property
    def is_strong(self) -> bool:
        """Whether what is told had better be quotations."""
        belief = self._belief
        return self._none >= DOUBT if belief is None else belief < _UNSURE

    @property
    def is_missing(self) -> bool:
        """Whether the documents do not answer, whatever the model has quoted."""
        belief = self._belief
        return belief is not None and belief < _MISSING

    @property
    def _belief(self) -> float | None:
        """Both in one; None without a probe."""
        return None if self._logit is None else self._logit - _WEIGHT * self._none


def _probability_of_none(token: TokenLogprob) -> float:
    """How likely a token was to be the word that there is no source."""
    options = {one.token: one.logprob for one in (*token.alternatives, token)}
    return sum(math.exp(logprob) for text, logprob in options.items() if is_none(text))
