"""Time of a scoped hybrid search over 1,000, 10,000 and 100,000 chunks of one owner.

``python bench/search.py [sizes...]``; the peer is a scan of all the owner's vectors by numpy, in
memory, without text, without storage. Vectors are drawn in clusters with a spectrum that falls as
1/rank (as sentence embeddings' does), texts by Zipf's law; a question is made of words of one chunk
and its vector lies near that chunk's. The question's own embedding is not part of the time, the
reranking of the ten best by the real model is.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xnai.retrieval.embedder import OnnxEmbedder
from xnai.retrieval.late_interaction import rerank
from xnai.retrieval.protocol import Vectors
from xnai.retrieval.search import HybridSearch
from xnai.retrieval.sqlite_index import SqliteIndex
from xnai.settings import Settings
from xnai.types import Chunk, Document, Scope

DIMENSIONS = 384
PER_DOCUMENT = 500
WORDS_PER_CHUNK = 120
WORDS_PER_QUESTION = 8
VOCABULARY = 30_000
QUESTIONS = 40
OTHERS = 1000  # chunks of another owner
LIMIT = 100
QUANTISING = 15  # seconds until the embedding model has been made smaller

Texts = list[list[str]]


class KnownVectors:
    """Knows the vectors of the questions; tokens are embedded by the real model."""

    dimensions = DIMENSIONS

    def __init__(self, vectors: dict[str, NDArray[np.float32]], real: OnnxEmbedder) -> None:
        self._vectors = vectors
        self.embed_tokens = real.embed_tokens

    async def embed(self, texts: list[str]) -> Vectors:
        """Look the vectors up."""
        return np.stack([self._vectors[text] for text in texts])

    async def embed_question(self, text: str) -> Vectors:
        """Look the vector up."""
        return self._vectors[text]


def unit(vectors: NDArray[np.float32]) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, np.float32)


def draw_vectors(draw: np.random.Generator, count: int) -> Vectors:
    spectrum = (1 / np.sqrt(np.arange(1, DIMENSIONS + 1))).astype(np.float32)
    rotation = np.linalg.qr(draw.standard_normal((DIMENSIONS, DIMENSIONS)))[0].astype(np.float32)
    centres = draw.standard_normal((max(1, count // 50), DIMENSIONS), np.float32)
    own = draw.standard_normal((count, DIMENSIONS), np.float32)
    return unit((centres[draw.integers(len(centres), size=count)] + own) * spectrum @ rotation)


def draw_texts(draw: np.random.Generator, count: int) -> Texts:
    weights = 1 / np.arange(1, VOCABULARY + 1)
    words = draw.choice(VOCABULARY, (count, WORDS_PER_CHUNK), p=weights / weights.sum())
    return [[f"w{word}" for word in row] for row in words]


async def store(index: SqliteIndex, owner: str, texts: Texts, vectors: Vectors) -> None:
    for start in range(0, len(texts), PER_DOCUMENT):
        part = slice(start, start + PER_DOCUMENT)
        chunks = [Chunk(1, 0, 1, " ".join(words)) for words in texts[part]]
        name = f"{owner}-{start}"
        document = Document(name, owner, name, "text/plain", 1, "0", float(start))
        await index.upsert(document, [], chunks, vectors[part])


def spread(seconds: list[float]) -> tuple[float, float]:
    p50, p95 = np.percentile(seconds, (50, 95))
    return 1000 * float(p50), 1000 * float(p95)


async def measure(count: int, folder: Path, real: OnnxEmbedder) -> str:
    draw = np.random.default_rng(count)
    texts, vectors = draw_texts(draw, count), draw_vectors(draw, count)
    index = SqliteIndex(folder / f"{count}.db", DIMENSIONS)
    began = time.perf_counter()
    await store(index, "me", texts, vectors)
    chunks_per_second = count / (time.perf_counter() - began)
    await store(index, "you", texts[:OTHERS], vectors[:OTHERS])

    targets = draw.integers(count, size=QUESTIONS)
    asked = [" ".join(draw.choice(texts[target], WORDS_PER_QUESTION)) for target in targets]
    noise = draw.standard_normal((QUESTIONS, DIMENSIONS), np.float32) * 0.02
    near = unit(vectors[targets] + noise)
    search = HybridSearch(index, KnownVectors(dict(zip(asked, near, strict=True)), real))
    scope = Scope("me")

    hybrid, reranking, words, meaning, scan, shared = [], [], [], [], [], []
    for question, vector in zip(asked, near, strict=True):
        began = time.perf_counter()
        found = await search.search(question, scope, 10)
        hybrid.append(time.perf_counter() - began)
        began = time.perf_counter()
        await rerank(real, question, found)
        reranking.append(time.perf_counter() - began)
        began = time.perf_counter()
        await index.search_text(question, scope, LIMIT)
        words.append(time.perf_counter() - began)
        began = time.perf_counter()
        hits = await index.search_vectors(vector, scope, LIMIT)
        meaning.append(time.perf_counter() - began)
        began = time.perf_counter()
        scores = vectors @ vector
        best = np.argpartition(-scores, min(LIMIT, count - 1))[:LIMIT]
        best = best[np.argsort(-scores[best])]
        scan.append(time.perf_counter() - began)
        shared.append(len({chunk - 1 for chunk, _ in hits} & set(best.tolist())) / LIMIT)
    await index.close()
    columns = [
        *spread(hybrid),
        spread(reranking)[0],
        spread(words)[0],
        *spread(meaning),
        *spread(scan),
    ]
    ratio = spread(meaning)[0] / spread(scan)[0]
    figures = " ".join(f"{value:8.2f}" for value in columns)
    return f"{count:8,d} {figures} {ratio:8.2f} {np.mean(shared):7.3f} {chunks_per_second:9,.0f}"


async def main(sizes: list[int]) -> None:
    print(
        "milliseconds per search; ratio: vectors p50 / numpy p50; recall@100 of the vector search"
    )
    print(
        "  chunks    whole      p95   rerank     BM25  vectors      p95    numpy      p95    ratio"
        "  recall   store/s"
    )
    with tempfile.TemporaryDirectory() as folder:
        real = OnnxEmbedder(Settings(data_dir=Path(folder)))
        await real.start()
        await real.ready()
        await asyncio.sleep(QUANTISING)
        for count in sizes:
            print(await measure(count, Path(folder), real), flush=True)
        await real.close()


if __name__ == "__main__":
    asyncio.run(main([int(size) for size in sys.argv[1:]] or [1000, 10_000, 100_000]))
