"""How well the right documents or passages are ranked."""

from collections.abc import Sequence
from dataclasses import dataclass

from xnai.evaluation.measures import contains, mean, ndcg, recall, reciprocal_rank
from xnai.evaluation.sets import EvalQuestion, EvalSet
from xnai.evaluation.workspace import Progress, Workspace
from xnai.types import Passage

DEPTH = 10


@dataclass(frozen=True, slots=True)
class Ranking:
    """What was found for one question, and which of it is relevant by how much."""

    found: tuple[str, ...]
    gains: dict[str, float]


async def rankings(
    space: Workspace, wanted: EvalSet, questions: Sequence[EvalQuestion], progress: Progress
) -> dict[str, float]:
    """Search every question that has an answer; the means of recall@k, MRR@10 and nDCG@10.

    In a set of files a passage is relevant if it is of the document named and holds an answer. How
    many such passages there are is not known, so one counts as enough.
    """
    results = []
    asked = [q for q in questions if q.answers is None or q.answerable]
    for done, question in enumerate(asked):
        progress("searches", done, len(asked))
        # A document may be found by several of its passages, and counts once.
        count = 2 * DEPTH if wanted.by_document else DEPTH
        passages = await space.library.search(question.text, space.scope(), count)
        rank = _by_document if wanted.by_document else _by_passage
        results.append(rank(space, question, passages))
    progress("searches", len(asked), len(asked))
    if not results:
        return {}
    means = {
        f"recall@{k}": mean([recall(r.found, r.gains, k) for r in results]) for k in (1, 5, 10)
    }
    return {
        "questions": len(results),
        "hit@1": mean([reciprocal_rank(r.found, r.gains, 1) for r in results]),
        **means,
        "mrr@10": mean([reciprocal_rank(r.found, r.gains, DEPTH) for r in results]),
        "ndcg@10": mean([ndcg(r.found, r.gains, DEPTH) for r in results]),
    }


def _by_document(space: Workspace, question: EvalQuestion, passages: Sequence[Passage]) -> Ranking:
    found = dict.fromkeys(space.names[passage.document_id] for passage in passages)
    return Ranking(tuple(found), dict(question.gains))


def _by_passage(space: Workspace, question: EvalQuestion, passages: Sequence[Passage]) -> Ranking:
    def holds(passage: Passage) -> bool:
        named = not question.gains or space.names[passage.document_id] in question.gains
        return named and contains(passage.text, question.answers or ())

    first = next((rank for rank, passage in enumerate(passages) if holds(passage)), None)
    found = ["right" if rank == first else f"{rank}" for rank in range(len(passages))]
    return Ranking(tuple(found), {"right": 1.0})
