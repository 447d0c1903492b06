"""Time of a scoped hybrid search over 1,000, 10,000 and 100,000 chunks of one owner, and LanceDB's.

    PYTHONPATH=. python bench/search.py [--folder KEPT] [--peer] [sizes...]

``--peer`` needs LanceDB, which is not installed with XNAi: in an environment of its own, ``pip
install --require-hashes -r locks/peers.lock``, and that environment's site-packages in PYTHONPATH
after the dot. It searches the same vectors and texts with its own indexes (IVF-PQ, full text with
stemming, scalar on the owner) and fuses by rank, without reranking. Both are asked in turn.

Vectors are drawn in clusters with a spectrum that falls as 1/rank (as sentence embeddings' does),
texts by Zipf's law; a question is made of words of one chunk and its vector lies near that chunk's.
Codes of tokens are drawn, 200 for each chunk, which is the most that the chunker makes. The time of
a whole search includes the question's embedding by the real model; the peer's does not. The scan by
numpy is of all the owner's vectors, in memory, without text and without storage. Indexes are
made once in ``--folder`` (2.5 GB for all sizes).
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from figures import judge
from numpy.typing import NDArray

from xnai.retrieval.embedding import weights
from xnai.retrieval.embedding.onnx import DIMENSIONS, OnnxEmbedder
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.protocol import Embedded, SearchQuery, Vectors
from xnai.retrieval.search import RERANKED, HybridSearch, fuse
from xnai.settings import Settings
from xnai.types import Chunk, Document, Scope

PER_DOCUMENT = 500
WORDS_PER_CHUNK = 120
WORDS_PER_SENTENCE = 15
WORDS_PER_QUESTION = 8
TOKENS = 200
VOCABULARY = 30_000
QUESTIONS = 100
WARMING = 5  # questions before the clock runs
LIMIT = 100
REFINED = 10  # candidates a hit that LanceDB compares exactly, as many as ours
TARGET = 350  # milliseconds of a whole search, p95, at 100,000 chunks
LARGEST = 100_000

Texts = list[list[str]]


class KnownVectors:
    """The real model, but each question's vector is the drawn one."""

    def __init__(self, vectors: dict[str, NDArray[np.float32]], real: OnnxEmbedder) -> None:
        self._vectors = vectors
        self._real = real
        self.embed_tokens = real.embed_tokens

    async def embed_question(self, text: str) -> SearchQuery:
        """Embed it, and put the drawn vector in place of its own."""
        return replace(await self._real.embed_question(text), vector=self._vectors[text])


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
    odds = 1 / np.arange(1, VOCABULARY + 1)
    words = draw.choice(VOCABULARY, (count, WORDS_PER_CHUNK), p=odds / odds.sum())
    return [[f"w{word}" for word in row] for row in words]


def prose(words: list[str]) -> str:
    starts = range(0, len(words), WORDS_PER_SENTENCE)
    return " ".join(" ".join(words[at : at + WORDS_PER_SENTENCE]) + "." for at in starts)


def draw_codes(draw: np.random.Generator, text: str) -> bytes:
    """Codes as ``binary_codes.encode`` lays them out, of tokens that lie evenly in the text."""
    starts = np.linspace(0, len(text) - 1, TOKENS).astype("<u2")
    scales = np.full(TOKENS, 1 / 15.6, "<f2")
    return starts.tobytes() + scales.tobytes() + draw.bytes(TOKENS * DIMENSIONS // 8)


async def store(
    index: SqliteIndex, draw: np.random.Generator, texts: Sequence[str], vectors: Vectors
) -> None:
    for start in range(0, len(texts), PER_DOCUMENT):
        part = slice(start, start + PER_DOCUMENT)
        chunks = [Chunk(1, 0, len(text), text) for text in texts[part]]
        codes = tuple(draw_codes(draw, text) for text in texts[part])
        document = Document(f"{start}", "me", f"{start}", "text/plain", 1, "0", float(start))
        await index.upsert(document, [], chunks, Embedded(vectors[part], codes))


class LanceDb:
    """A table of the same chunks, searched as its documentation shows hybrid search."""

    def __init__(self, folder: Path) -> None:
        import lancedb  # noqa: PLC0415 - only there when asked for
        from lancedb.rerankers import RRFReranker  # noqa: PLC0415

        self._database = lancedb.connect(folder)
        self._table: Any = None
        self._fusion = RRFReranker()

    def fill(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Store and index, unless that was done."""
        import pyarrow as pa  # noqa: PLC0415
        from lancedb.index import FTS, Bitmap, IvfPq  # noqa: PLC0415

        if "chunks" in self._database.list_tables().tables:
            self._table = self._database.open_table("chunks")
            return
        flat = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSIONS)
        columns = {"text": list(texts), "owner": ["me"] * len(texts), "vector": flat}
        self._table = self._database.create_table("chunks", pa.table(columns))
        self._table.create_index("text", config=FTS())
        self._table.create_index("owner", config=Bitmap())
        if len(texts) >= LARGEST:  # fewer are scanned
            self._table.create_index("vector", config=IvfPq(distance_type="cosine"))

    def hybrid(self, question: str, vector: Vectors) -> int:
        """Number of hits by words and meaning."""
        query = self._table.search(query_type="hybrid").vector(vector).text(question)
        query = query.where("owner = 'me'", prefilter=True).rerank(self._fusion)
        return len(query.refine_factor(REFINED).limit(LIMIT).to_list())

    def nearest(self, vector: Vectors) -> list[int]:
        """Row numbers of the nearest."""
        query = self._table.search(vector).distance_type("cosine")
        query = query.where("owner = 'me'", prefilter=True).with_row_id(True)  # noqa: FBT003
        return [row["_rowid"] for row in query.refine_factor(REFINED).limit(LIMIT).to_list()]


class Times:
    """Milliseconds by what took them."""

    def __init__(self) -> None:
        self._all: dict[str, list[float]] = {}

    async def of(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Await the work and note how long it took."""
        began = time.perf_counter()
        result = await work()
        self._all.setdefault(name, []).append(1000 * (time.perf_counter() - began))
        return result

    def p(self, name: str, share: float) -> float:
        """A percentile after the warming."""
        return float(np.percentile(self._all[name][WARMING:], share))

    def print(self, count: int) -> None:
        """One line a name."""
        for name in self._all:
            print(f"{count:8,d}  {name:28} {self.p(name, 50):8.1f} {self.p(name, 95):8.1f}")


async def measure(count: int, folder: Path, real: OnnxEmbedder, *, with_peer: bool) -> float:
    """Print all times of one size; p95 of a whole search."""
    draw = np.random.default_rng(count)
    words, vectors = draw_texts(draw, count), draw_vectors(draw, count)
    texts = [prose(chunk) for chunk in words]
    path = folder / f"{count}.db"
    is_new = not path.exists()
    index = SqliteIndex(path, DIMENSIONS)
    if is_new or await index.count() != count:
        await store(index, draw, texts, vectors)
    lance = LanceDb(folder / f"{count}.lance") if with_peer else None
    if lance:
        await asyncio.to_thread(lance.fill, texts, vectors)

    asking = np.random.default_rng(count + 1)
    targets = asking.integers(count, size=QUESTIONS + WARMING)
    asked = [" ".join(asking.choice(words[target], WORDS_PER_QUESTION)) for target in targets]
    noise = asking.standard_normal((len(targets), DIMENSIONS), np.float32) * 0.02
    near = unit(vectors[targets] + noise)
    embedder = KnownVectors(dict(zip(asked, near, strict=True)), real)
    search, scope, times = HybridSearch(index, embedder), Scope("me"), Times()
    shared: dict[str, list[float]] = {}

    async def fused(question: str) -> None:
        by_words = asyncio.create_task(index.search_text(question, scope, LIMIT))
        vector = (await embedder.embed_question(question)).vector
        by_meaning = await index.search_vectors(vector, scope, LIMIT)
        await index.passages(fuse([by_meaning, await by_words])[:RERANKED])

    async def scan(vector: Vectors) -> set[int]:
        scores = vectors @ vector
        return set(np.argpartition(-scores, min(LIMIT, count - 1))[:LIMIT].tolist())

    for question, vector in zip(asked, near, strict=True):
        await times.of("whole, reranked", lambda q=question: search.find(q, scope, 10))
        await times.of("whole, not reranked", lambda q=question: fused(q))
        await times.of("question's embedding", lambda q=question: real.embed_question(q))
        await times.of("BM25", lambda q=question: index.search_text(q, scope, LIMIT))
        ours = await times.of("vectors", lambda v=vector: index.search_vectors(v, scope, LIMIT))
        exact = await times.of("numpy scan", lambda v=vector: scan(v))
        shared.setdefault("xnai", []).append(len({c - 1 for c, _ in ours} & exact) / LIMIT)
        if lance:
            await times.of(
                "LanceDB hybrid",
                lambda q=question, v=vector: asyncio.to_thread(lance.hybrid, q, v),
            )
            theirs = await times.of(
                "LanceDB vectors", lambda v=vector: asyncio.to_thread(lance.nearest, v)
            )
            shared.setdefault("LanceDB", []).append(len(set(theirs) & exact) / LIMIT)
    await index.close()
    times.print(count)
    for name, recall in shared.items():
        print(f"{count:8,d}  {name + ' recall@100 of vectors':28} {np.mean(recall):8.3f}")
    print(f"{count:8,d}  {'bytes a chunk in the file':28} {path.stat().st_size / count:8,.0f}")
    if lance:
        for share in (50, 95):
            ratio = times.p("whole, reranked", share) / times.p("LanceDB hybrid", share)
            print(f"{count:8,d}  reranked / LanceDB hybrid p{share:<2}  {ratio:8.2f}", flush=True)
    return times.p("whole, reranked", 95)


async def main(sizes: list[int], folder: Path, *, with_peer: bool) -> None:
    real = OnnxEmbedder(Settings(data_dir=folder))
    await real.start()
    await real.ready()
    while weights.quantized(folder / "embedding") is None:  # made at the first run
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)  # and loaded
    print(f"  chunks  milliseconds{'p50':>25}{'p95':>9}")
    for count in sizes:
        p95 = await measure(count, folder, real, with_peer=with_peer)
        if count == LARGEST:
            judge("whole search with reranking, p95 in ms", p95, "<=", TARGET)
    await real.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sizes", nargs="*", type=int, default=[1000, 10_000, LARGEST])
    parser.add_argument("--folder", type=Path, help="keep the indexes here for the next run")
    parser.add_argument("--peer", action="store_true", help="LanceDB beside it")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        kept: Path = given.folder or Path(scratch)
        kept.mkdir(parents=True, exist_ok=True)
        asyncio.run(main(given.sizes, kept, with_peer=given.peer))
