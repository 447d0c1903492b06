"""Late interaction: every token of the question looks for its best match in the passage.

MaxSim of ColBERT (Khattab and Zaharia, SIGIR 2020), here with the token vectors of the same model
that embeds whole chunks, and with rare words of the question counting more than common ones. The
sentence that matches best is the passage's evidence.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xnai.retrieval.protocol import Embedder, TokenVectors, Vectors
from xnai.retrieval.sentences import in_context
from xnai.types import Passage, Sentence

# Whole passages rank by both: the sentence alone forgets what the passage is about.
SENTENCE_SHARE = 0.5
RANKED_SENTENCES = 3  # of each passage, kept with their scores


async def rerank(embedder: Embedder, question: str, passages: Sequence[Passage]) -> list[Passage]:
    """Order passages by MaxSim with the question and mark the evidence in each.

    Scores become cosines, 0 to 1; passages with equal scores keep their order.
    """
    if not passages:
        return []
    asked, *found = await embedder.embed_tokens([question, *(p.text for p in passages)])
    return await asyncio.to_thread(_ranked, asked, found, list(passages))


def _ranked(
    asked: TokenVectors, found: Sequence[TokenVectors], passages: list[Passage]
) -> list[Passage]:
    scored = [
        _scored(asked, tokens, passage) for tokens, passage in zip(found, passages, strict=True)
    ]
    return sorted(scored, key=lambda passage: -passage.score)


def _scored(asked: TokenVectors, tokens: TokenVectors, passage: Passage) -> Passage:
    if not len(asked.vectors) or not len(tokens.vectors):
        return replace(passage, score=0.0)
    similarity = asked.vectors @ tokens.vectors.T
    found = [
        Sentence(*span, max(0.0, _max_sim(similarity[:, columns], asked.weights)))
        for columns, span in _columns(tokens, passage)
    ]
    ranked = tuple(sorted(found, key=lambda sentence: -sentence.score)[:RANKED_SENTENCES])
    whole = _max_sim(similarity, asked.weights)
    return replace(
        passage,
        score=max(0.0, SENTENCE_SHARE * ranked[0].score + (1 - SENTENCE_SHARE) * whole),
        evidence=(ranked[0].start, ranked[0].end),
        ranked=ranked,
    )


def _max_sim(similarity: Vectors, weights: Vectors | None) -> float:
    """Weighted mean over the question's tokens of the best cosine; 0 without tokens."""
    if not similarity.shape[1]:
        return 0.0
    return float(np.average(similarity.max(axis=1), weights=weights))


def _columns(tokens: TokenVectors, passage: Passage) -> list[tuple[list[int], tuple[int, int]]]:
    spans = in_context(passage.text) or [(0, len(passage.text))]
    starts = np.array([start for start, _ in tokens.spans])
    return [
        (np.flatnonzero((starts >= start) & (starts < end)).tolist(), (start, end))
        for start, end in spans
    ]
