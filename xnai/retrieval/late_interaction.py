"""Late interaction: every token of the question looks for its best match in the passage.

MaxSim of ColBERT (Khattab and Zaharia, SIGIR 2020), here with the token vectors of the same model
that embeds whole chunks. The sentence that matches best is the passage's evidence.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xnai.retrieval.protocol import Embedder, TokenVectors, Vectors
from xnai.retrieval.sentences import sentences
from xnai.types import Passage

# Whole passages rank by both: the sentence alone forgets what the passage is about.
SENTENCE_SHARE = 0.5


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
        _scored(asked.vectors, tokens, passage)
        for tokens, passage in zip(found, passages, strict=True)
    ]
    return sorted(scored, key=lambda passage: -passage.score)


def _scored(asked: Vectors, tokens: TokenVectors, passage: Passage) -> Passage:
    if not len(asked) or not len(tokens.vectors):
        return replace(passage, score=0.0)
    similarity = asked @ tokens.vectors.T
    best_sentence, span = max(
        ((_max_sim(similarity[:, columns]), span) for columns, span in _columns(tokens, passage)),
        key=lambda pair: pair[0],
    )
    score = SENTENCE_SHARE * best_sentence + (1 - SENTENCE_SHARE) * _max_sim(similarity)
    return replace(passage, score=max(0.0, score), evidence=span)


def _max_sim(similarity: Vectors) -> float:
    """Mean over the question's tokens of the best cosine; 0 without tokens."""
    return float(similarity.max(axis=1).mean()) if similarity.shape[1] else 0.0


def _columns(tokens: TokenVectors, passage: Passage) -> list[tuple[list[int], tuple[int, int]]]:
    spans = sentences(passage.text) or [(0, len(passage.text))]
    starts = np.array([start for start, _ in tokens.spans])
    return [
        (np.flatnonzero((starts >= start) & (starts < end)).tolist(), (start, end))
        for start, end in spans
    ]
