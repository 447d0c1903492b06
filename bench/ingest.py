"""Ingest of a PDF against parsing alone and embedding alone, in one run.

    python bench/ingest.py [--pages 200] [--json]

The PDF is made here: pages of 45 lines of words in sentences, about 3,000 characters each. The
ratio is (ingest) / (parse + embed); below 1 the two overlap.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import structlog

from xnai.documents.chunking import Chunker
from xnai.documents.library import Library
from xnai.documents.parsers.client import ParserRun, read_all
from xnai.documents.parsers.process import Limits
from xnai.retrieval.embedding import weights
from xnai.retrieval.embedding.onnx import OnnxEmbedder
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.search import HybridSearch
from xnai.settings import Settings
from xnai.types import Chunk

_LINES = 45
_BATCH = 32  # chunks embedded at once where nothing else is done


def _words(count: int) -> list[str]:
    source = random.Random(1)
    syllables = [c + v for c in "bdfgklmnprstvw" for v in "aeiou"]
    return ["".join(source.choices(syllables, k=source.randint(1, 4))) for _ in range(count)]


def make_pdf(path: Path, pages: int) -> None:
    """Write a PDF of made-up prose with pdfium."""
    source, words = random.Random(2), _words(4000)
    document = pypdfium2.PdfDocument.new()
    font = pdfium.FPDFText_LoadStandardFont(document, b"Helvetica")
    for _ in range(pages):
        page = document.new_page(595, 842)
        for line in range(_LINES):
            text = " ".join(source.choices(words, k=12)).capitalize() + "."
            item = pdfium.FPDFPageObj_CreateTextObj(document, font, 10)
            encoded = (text + "\0").encode("utf-16-le")
            buffer = (pdfium.c_ushort * (len(encoded) // 2)).from_buffer_copy(encoded)
            pdfium.FPDFText_SetText(item, buffer)
            pdfium.FPDFPageObj_Transform(item, 1, 0, 0, 1, 50, 790 - line * 17)
            pdfium.FPDFPage_InsertObject(page, item)
        page.gen_content()
        page.close()
    document.save(path)


async def parse_alone(path: Path, settings: Settings) -> float:
    began = time.perf_counter()
    limits = Limits(settings.parse_timeout, settings.parse_memory_mb)
    await read_all(ParserRun(path, "application/pdf", path.name, 10_000_000, limits))
    return time.perf_counter() - began


async def embed_alone(path: Path, settings: Settings, embedder: OnnxEmbedder) -> tuple[float, int]:
    """Seconds to embed the chunks of all pages, and how many they are."""
    limits = Limits(settings.parse_timeout, settings.parse_memory_mb)
    chunker = Chunker.from_file(embedder.tokenizer_path)
    chunks: list[Chunk] = []
    for page in await read_all(ParserRun(path, "application/pdf", path.name, 10_000_000, limits)):
        async with aclosing(chunker.chunks(page, markdown=False)) as steps:
            chunks += [chunk async for step in steps for chunk in step]
    began = time.perf_counter()
    for start in range(0, len(chunks), _BATCH):
        await embedder.embed([chunk.text for chunk in chunks[start : start + _BATCH]])
    return time.perf_counter() - began, len(chunks)


async def ingest(path: Path, library: Library) -> float:
    began = time.perf_counter()
    document = await library.add("bench", path.name, path)
    async with aclosing(library.ingest(document.id)) as events:
        async for _ in events:
            pass
    return time.perf_counter() - began


async def run(pages: int, folder: Path) -> dict[str, float]:
    settings = Settings(data_dir=folder)
    embedder = OnnxEmbedder(settings)
    await embedder.start()
    await embedder.embed(["warm up"])
    # Made at the first run, in the background.
    while weights.quantized(folder / "embedding") is None:
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)  # loaded, too
    index = SqliteIndex(folder / "index.sqlite3", embedder.dimensions)
    await index.start()
    library = Library(settings, index, embedder, HybridSearch(index, embedder))
    await library.start()
    path = folder / "bench.pdf"
    await asyncio.to_thread(make_pdf, path, pages)
    try:
        await parse_alone(path, settings)  # the worker's libraries come from the disk cache
        parse = await parse_alone(path, settings)
        embed, chunks = await embed_alone(path, settings, embedder)
        whole = await ingest(path, library)
    finally:
        await library.close()
        await embedder.close()
    return {
        "pages": pages,
        "chunks": chunks,
        "parse_seconds": round(parse, 2),
        "embed_seconds": round(embed, 2),
        "ingest_seconds": round(whole, 2),
        "pages_per_second": round(pages / whole, 1),
        "chunks_per_second": round(chunks / whole, 1),
        "ratio": round(whole / (parse + embed), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory(prefix="xnai-bench-") as folder:
        figures = asyncio.run(run(arguments.pages, Path(folder)))
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value:10,}")


if __name__ == "__main__":
    main()
