"""What is said of a claim, and how it is decided.

The program decides where it can: a line that has all of a claim's words, figures and names, and
denies as little or as much as the claim, supports it; one that has its words with another figure
or name in their place contradicts it. What is said in other words is asked of the model: whether
the claim is true by the lines alone, false, or not said. It is believed that a claim is supported
only where no figure and no name is missing; a small model overlooks just these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xnai.answering.reading.lines import NumberedLine
from xnai.answering.verification.claim import Claim, Coverage, heading_of, is_negated
from xnai.types import Citation

Outcome = Literal["supports", "contradicts", "none"]

_WORD_FOR_WORD = 0.99
MOST_LINES = 4  # that are put to the model
_LEAST_SHARE = 0.25  # of a claim's words, for a line to be looked at
_SAME_MATTER = 0.6  # of a claim's words: then the line is about the same
_TRUE = 0.62  # probability of the word, from which the model is believed
_FALSE = 0.62


@dataclass(frozen=True, slots=True)
class Verdict:
    """What documents say of a claim.

    ``sentence`` is the one that decides, with its place; None where none does. ``confidence`` is
    0 to 1; ``read`` says how many lines were compared.
    """

    claim: str
    verdict: Outcome
    sentence: Citation | None
    confidence: float
    read: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A line that a claim may stand on, with the heading of its page."""

    line: NumberedLine
    texts: tuple[str, ...]
    alone: Coverage
    coverage: Coverage

    @property
    def rank(self) -> tuple[float, float]:
        """How well it carries the claim, the best highest."""
        together, alone = self.coverage, self.alone
        missing = len(together.figures) + len(together.names)
        return (together.share - 0.2 * missing, alone.share)


def candidates(claim: Claim, lines: Sequence[NumberedLine]) -> list[Candidate]:
    """Return the lines that have most of a claim, the best first."""
    found = []
    for line in lines:
        alone = claim.on([line.text])
        heading = heading_of(line, lines)
        texts = (heading.text, line.text) if heading is not None else (line.text,)
        if alone.share >= _LEAST_SHARE or (claim.figures and not alone.figures):
            found.append(Candidate(line, texts, alone, claim.on(texts)))
    return sorted(found, key=lambda one: one.rank, reverse=True)


def by_words(claim: Claim, best: Candidate) -> Outcome | None:
    """Return what words alone decide; None where they do not."""
    coverage = best.coverage
    if coverage.share >= _WORD_FOR_WORD and not coverage.figures and not coverage.names:
        alike = claim.is_negated == is_negated(best.line.text)
        return "supports" if alike else None
    return None


def by_model(claim: Claim, best: Candidate, true: float, false: float) -> Outcome:
    """Return what follows from the model's word, within what the program knows.

    Args:
        claim: what is checked.
        best: the line that has most of it.
        true: how likely the model says that it is so, 0 to 1.
        false: how likely it says that it is not.

    """
    coverage = best.coverage
    lacks = bool(coverage.figures or coverage.names)
    if lacks:
        # Another figure or name in the place of the claim's.
        other = _has_others(claim, best)
        if coverage.share >= _SAME_MATTER and other and false >= true:
            return "contradicts"
        return "contradicts" if false >= _FALSE and other else "none"
    if true >= _TRUE:
        return "supports"
    return "contradicts" if false >= _FALSE else "none"


def _has_others(claim: Claim, best: Candidate) -> bool:
    """Whether a line has figures or names that the claim has not."""
    there = Claim(" ".join(best.texts))
    if best.coverage.figures:
        return bool(there.figures - claim.figures)
    return bool(there.names - claim.names)
