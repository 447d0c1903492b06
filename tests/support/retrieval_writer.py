"""A process that stores documents for ever and prints each when it is acknowledged.

``python retrieval_writer.py DATABASE PREFIX CHUNKS``
"""

import asyncio
import itertools
import sys
from pathlib import Path

import numpy as np

from xnai.retrieval.binary_codes import encode
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.protocol import Embedded, TokenVectors
from xnai.types import Chunk, Document, Page

DIMENSIONS = 64


async def main(path: Path, prefix: str, count: int) -> None:
    """Store documents of ``count`` chunks each."""
    index = SqliteIndex(path, DIMENSIONS)
    vectors = np.eye(count, DIMENSIONS, dtype=np.float32)
    tokens = (
        TokenVectors(np.tile(row, (200, 1)), np.arange(200, dtype=np.int32)) for row in vectors
    )
    embedded = Embedded(vectors, tuple(encode(of) for of in tokens))
    for number in itertools.count():
        name = f"{prefix}{number}"
        text = f"document {name} "
        chunks = [Chunk(None, 0, len(text), text) for _ in range(count)]
        document = Document(name, "me", name, "text/plain", 1, "0", float(number), "processed")
        await index.upsert(document, [Page(None, text)], chunks, embedded)
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
