"""Late interaction: every token of the question looks for its best match in the passage.

MaxSim of ColBERT (Khattab and Zaharia, SIGIR 2020), here with the token vectors of the same model
that embeds whole chunks, and with rare words of the question counting more than common ones. The
sentence that matches best is the passage's evidence.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from xnai.retrieval.binary_codes import decode
from xnai.retrieval.protocol import QuestionEmbedder, SearchQuery, TokenVectors, Vectors
from xnai.text.scripts import script_of
from xnai.text.sentences import in_context
from xnai.types import Passage, Sentence

# Whole passages rank by both: the sentence alone forgets what the passage is about.
SENTENCE_SHARE = 0.4
RANKED_SENTENCES = 3  # of each passage, kept with their scores
# What the rank of the searches adds to the cosine, at most: it knows exact words and the passage
# as a whole, which tokens do not.
PRIOR = 0.1
EMBEDDED_NOW = 10  # passages without codes whose tokens are embedded for the question


async def rerank(
    embedder: QuestionEmbedder,
    asked: SearchQuery,
    passages: Sequence[Passage],
    codes: Mapping[int, bytes],
) -> list[Passage]:
    """Order passages by MaxSim with the question and their scores so far; mark the evidence.

    Scores become cosines, 0 to 1; passages that come out equal keep their order. ``codes`` are
    those of the chunks' tokens by chunk id. Of passages that have none, which only an index of a
    former version holds for a while, the first ten are read with the model and the others left out.
    """
    bare = [passage for passage in passages if passage.chunk_id not in codes][:EMBEDDED_NOW]
    found = await embedder.embed_tokens([passage.text for passage in bare]) if bare else []
    embedded = {passage.chunk_id: tokens for passage, tokens in zip(bare, found, strict=True)}
    return await asyncio.to_thread(_ranked, asked, list(passages), codes, embedded)


def _ranked(
    asked: SearchQuery,
    passages: list[Passage],
    codes: Mapping[int, bytes],
    embedded: Mapping[int, TokenVectors],
) -> list[Passage]:
    ranked: list[tuple[float, Passage]] = []
    for passage in passages:
        tokens = embedded.get(passage.chunk_id)
        if tokens is None and passage.chunk_id in codes:
            tokens = decode(codes[passage.chunk_id], len(asked.vector))
        if tokens is not None:
            scored = _scored(asked, tokens, passage)
            ranked.append((scored.score + PRIOR * passage.score, scored))
    return [passage for _, passage in sorted(ranked, key=lambda entry: -entry[0])]


def _scored(asked: SearchQuery, tokens: TokenVectors, passage: Passage) -> Passage:
    if not len(asked.tokens.vectors) or not len(tokens.vectors):
        return replace(passage, score=0.0)
    same, other = asked.floors
    floor = same if same == other or script_of(passage.text) == asked.script else other
    similarity = asked.tokens.vectors @ tokens.vectors.T
    found = [
        Sentence(*span, _max_sim(similarity[:, columns], asked.weights, floor))
        for columns, span in _columns(tokens, passage)
    ]
    ranked = tuple(sorted(found, key=lambda sentence: -sentence.score)[:RANKED_SENTENCES])
    whole = _max_sim(similarity, asked.weights, floor)
    return replace(
        passage,
        score=SENTENCE_SHARE * ranked[0].score + (1 - SENTENCE_SHARE) * whole,
        evidence=(ranked[0].start, ranked[0].end),
        ranked=ranked,
    )


def _max_sim(similarity: Vectors, weights: Vectors | None, floor: float) -> float:
    """Weighted mean over the question's tokens of the best cosine, 0 to 1; 0 without tokens."""
    if not similarity.shape[1]:
        return 0.0
    mean = float(np.average(similarity.max(axis=1), weights=weights))
    return min(1.0, max(0.0, (mean - floor) / (1 - floor)))


def _columns(tokens: TokenVectors, passage: Passage) -> list[tuple[slice, tuple[int, int]]]:
    """The tokens of each sentence, and its span; a passage without sentences is one."""
    spans = in_context(passage.text) or [(0, len(passage.text))]
    places = np.searchsorted(tokens.starts, np.array(spans, np.int32))
    return [(slice(*place), span) for place, span in zip(places.tolist(), spans, strict=True)]
