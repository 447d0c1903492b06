"""What is said of a claim, and how it is decided.

The program decides where it can: a sentence that has all of a claim's words, figures and names, and
denies as the claim does, supports it; one of the same matter with another figure in the place of
the claim's contradicts it. What is said in other words is asked of the model. It is believed that
a claim is supported only where no figure and no name is missing, for a small model overlooks just
these, and hardly where only one of the two denies something; and that one is contradicted only
where the same matter is spoken of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xnai.answering.reading.structure import without_number
from xnai.answering.verification.claim import Statement
from xnai.answering.verification.evidence import Candidate, is_of_another
from xnai.answering.verification.figures import is_replaced
from xnai.types import Citation

Outcome = Literal["supports", "contradicts", "none"]

MOST_SENTENCES = 4  # that are put to the model
_ALL = 0.99  # of a claim's words,
_NEARLY_ALL = 0.75  # and so many that it is about the very thing
_SAME_MATTER = 0.5  # of a claim's words that a sentence about the same has
_LIKELY = 0.65  # probability from which the model is believed that it is so,
_DENIED = 0.5  # and that it is not, about the same matter;
_CERTAIN = 0.8  # and about what may be another
_OPPOSED = 0.15  # that it is not so, where words say that already
_UNLIKELY = 0.2  # that it is not said there, below which another figure contradicts


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


def by_words(claim: Statement, best: Candidate) -> Outcome | None:
    """Return what words alone decide; None where they do not."""
    if is_of_another(claim, best):
        return "none"
    coverage = best.coverage
    sentence = without_number(best.line.text)
    if coverage.share >= _SAME_MATTER and is_replaced(claim.text, sentence):
        return "contradicts"
    alike = claim.is_negated == Statement(best.line.text).is_negated
    if coverage.share >= _ALL and not coverage.lacks and alike:
        return "supports"
    return None


def by_model(
    claim: Statement, best: Candidate, others: Sequence[Candidate], true: float, false: float
) -> Outcome:
    """Return what follows from the model's word, within what the program knows.

    Args:
        claim: what is checked.
        best: the sentence that has most of it.
        others: those that the model had, too.
        true: how likely the model says that it is so, 0 to 1.
        false: how likely it says that it is not.

    """
    together = claim.on([text for one in (best, *others) for text in one.texts])
    same = best.coverage.share >= _SAME_MATTER
    if together.lacks:
        # Another name where the claim has one; other figures were compared before.
        others_named = Statement(without_number(best.line.text)).names - claim.names
        believed = false >= true and true + false >= _UNLIKELY
        replaced = same and together.names and others_named
        return "contradicts" if replaced and believed else "none"
    opposed = claim.is_negated != Statement(best.line.text).is_negated
    if opposed and best.coverage.share >= _NEARLY_ALL:
        if true >= _CERTAIN:
            return "supports"
        return "contradicts" if false >= _OPPOSED else "none"
    if true >= (_LIKELY if same else _CERTAIN):
        return "supports"
    return "contradicts" if false >= (_DENIED if same else _CERTAIN) else "none"
