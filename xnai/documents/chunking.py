"""Cuts pages into chunks that the embedding model can take whole."""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import Executor
from pathlib import Path

from semantic_text_splitter import MarkdownSplitter, TextSplitter
from tokenizers import Tokenizer

from xnai.retrieval.embedding.model_folder import MAX_TOKENS, load_tokenizer
from xnai.types import Chunk, Page

CHUNK_TOKENS = 200  # of the embedding model; it takes 256
CHUNK_CHARACTERS = 2_000  # a tokenizer may call a "word" of any length one unknown token
COPIED_PIECES = 100_000  # a splitter keeps a copy of its tokenizer: 250 MB for 250,000 pieces

# A page is cut in steps, so that embedding can begin and a cancelled ingest stops.
_STEP = 20_000
_BREAKS = tuple(re.compile(pattern) for pattern in (r"\n\s*\n", r"\n", r"\s"))

Splitter = TextSplitter | MarkdownSplitter


def _steps(text: str) -> Iterator[tuple[int, str]]:
    """Parts of a text with their offsets, cut at the last paragraph, line or word of each."""
    start = 0
    while start < len(text):
        end = min(start + _STEP, len(text))
        if end < len(text):
            floor = start + _STEP // 2
            for pattern in _BREAKS:
                breaks = [found.end() for found in pattern.finditer(text, floor, end)]
                if breaks:
                    end = breaks[-1]
                    break
        yield start, text[start:end]
        start = end


class Chunker:
    """Splits at headings, paragraphs, sentences and words, in this order of preference."""

    def __init__(self, tokenizer: Tokenizer, pool: Executor | None = None) -> None:
        self._pool = pool
        self._plain: Splitter
        self._markdown: Splitter
        if tokenizer.get_vocab_size() <= COPIED_PIECES:
            self._plain = TextSplitter.from_huggingface_tokenizer(tokenizer, CHUNK_TOKENS)
            self._markdown = MarkdownSplitter.from_huggingface_tokenizer(tokenizer, CHUNK_TOKENS)
        else:

            def count(text: str) -> int:
                return len(tokenizer.encode(text, add_special_tokens=False))

            self._plain = TextSplitter.from_callback(count, CHUNK_TOKENS)
            self._markdown = MarkdownSplitter.from_callback(count, CHUNK_TOKENS)
        self._by_characters = TextSplitter(CHUNK_CHARACTERS)

    @classmethod
    def from_file(cls, path: Path, pool: Executor | None = None) -> "Chunker":
        """Load the embedding model's ``tokenizer.json``, or share the embedder's; blocks."""
        # As shipped it cuts every text at 128 tokens and would count no further.
        return cls(load_tokenizer(path, MAX_TOKENS), pool)

    def _split(self, part: str, markdown: bool) -> Iterator[tuple[int, str]]:
        splitter = self._markdown if markdown else self._plain
        # A word of unbounded length must not reach the tokenizer.
        for at, piece in splitter.chunk_indices(part):
            if len(piece) <= CHUNK_CHARACTERS:
                yield at, piece
                continue
            for further, smaller in self._by_characters.chunk_indices(piece):
                yield at + further, smaller

    def _chunks_of_step(self, page: Page, at: int, part: str, markdown: bool) -> list[Chunk]:
        return [
            Chunk(page.number, at + offset, at + offset + len(text), text)
            for offset, text in self._split(part, markdown)
            if text
        ]

    async def chunks(self, page: Page, *, markdown: bool) -> AsyncGenerator[list[Chunk], None]:
        """Yield a page's chunks in their order, a few at a time; the work is done in ``pool``."""
        loop = asyncio.get_running_loop()
        for at, part in _steps(page.text):
            yield await loop.run_in_executor(
                self._pool, self._chunks_of_step, page, at, part, markdown
            )
