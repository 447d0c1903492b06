"""Time of the two searches over one, 20 and 1,000 libraries that hold the same 100,000 chunks.

    PYTHONPATH=. python bench/libraries.py [--documents 1000] [--questions 60]

Each document has 100 chunks and stands in one library of each set; half of them belong to a chat of
their own, so that the words of 501 places are searched. Vectors and words are drawn.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path

import numpy as np

from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.libraries import NamedLibrary, Standing
from xnai.retrieval.protocol import Embedded, Vectors
from xnai.types import Chunk, Document, Scope

DIMENSIONS = 384
CHUNKS = 100  # of a document
SETS = (1, 20, 1000)
VOCABULARY = [f"word{number}" for number in range(3000)]
ZIPF = [1 / rank for rank in range(1, len(VOCABULARY) + 1)]

drawn = np.random.default_rng(1)
chosen = random.Random(1)


def vectors(count: int) -> Vectors:
    """Draw vectors of unit length."""
    rows = drawn.normal(size=(count, DIMENSIONS)).astype(np.float32)
    unit: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


async def fill(index: SqliteIndex, documents: int) -> None:
    """Store the documents, and have each stand in a library of each set."""
    for count in SETS:
        for number in range(count):
            name = f"{count}-{number}"
            await index.libraries.create(NamedLibrary(name, "me", name, name, 0.0, 0.0))
    for number in range(documents):
        place = f"thread:{number}" if number % 2 else ""
        document = Document(
            id=f"{number:032x}",
            owner="me",
            collection=place,
            file_name=f"{number}.txt",
            media_type="text/plain",
            size=1,
            sha256="x",
            created_at=float(number),
            status="processed",
            page_count=1,
            chunk_count=CHUNKS,
        )
        texts = [" ".join(chosen.choices(VOCABULARY, ZIPF, k=40)) for _ in range(CHUNKS)]
        chunks = [Chunk(None, 0, len(text), text) for text in texts]
        await index.upsert(document, [], chunks, Embedded(vectors(CHUNKS), (b"",) * CHUNKS))
        for count in SETS:
            library = f"{count}-{number % count}"
            await index.libraries.put(library, document.id, Standing(0.0, "me"))


async def timed(search: Awaitable[object], times: list[float]) -> None:
    """Search once and keep the milliseconds."""
    began = time.perf_counter()
    await search
    times.append(1000 * (time.perf_counter() - began))


def scopes() -> dict[int, Scope]:
    """Return what is asked, by the number of libraries."""
    return {
        count: Scope("me", libraries=tuple(f"{count}-{one}" for one in range(count)))
        for count in SETS
    }


async def main(documents: int, questions: int) -> None:
    """Fill an index and ask each set of libraries."""
    with tempfile.TemporaryDirectory() as folder:
        index = SqliteIndex(Path(folder) / "index.sqlite3", DIMENSIONS)
        await index.start()
        await fill(index, documents)
        times: dict[tuple[int, str], list[float]] = {}
        for _ in range(questions):
            [vector] = vectors(1)
            words = " ".join(chosen.choices(VOCABULARY[:200], k=6))
            # The same question one after the other, each first as often as the others, so that a
            # busy neighbour and a cold page slow all alike.
            asked = list(scopes().items())
            chosen.shuffle(asked)
            for count, scope in asked:
                by_vector = index.search_vectors(vector, scope, 100)
                await timed(by_vector, times.setdefault((count, "vectors"), []))
                by_words = index.search_text(words, scope, 100)
                await timed(by_words, times.setdefault((count, "words"), []))
        for (count, way), taken in sorted(times.items()):
            p50, p95 = np.percentile(taken, [50, 95])
            ratio = p95 / np.percentile(times[SETS[0], way], 95)
            print(
                f"{count:5} libraries, {way}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, "
                f"{ratio:.2f} x the p95 of one"
            )
        await index.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--questions", type=int, default=60)
    given = parser.parse_args()
    asyncio.run(main(given.documents, given.questions))
