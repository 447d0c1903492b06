import time

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from xnai.documents.chunking import CHUNK_CHARACTERS, CHUNK_TOKENS, Chunker
from xnai.types import Page


@pytest.fixture
def chunker(tmp_path):
    """A chunker whose tokens are words; the file truncates as the model's does."""
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.enable_truncation(max_length=128)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return Chunker.from_file(path)


async def all_chunks(chunker, text, *, number=1, markdown=False):
    page = Page(number, text)
    return [c async for step in chunker.chunks(page, markdown=markdown) for c in step]


TEXTS = {
    "prose": "\n\n".join(
        f"Paragraph {n}. " + "It has words in sentences. " * 30 for n in range(80)
    ),
    "markdown": "\n\n".join(f"# Part {n}\n\n" + "- item one\n- item two\n" * 40 for n in range(40)),
    "one long word": "x" * 100_000,
    "no spaces": "这是一个没有空格的句子。" * 3000,
    "beyond the BMP": "🙂 smile 𐍈 Gothic " * 5000,
    "blank lines": "\n" * 50_000 + "word",
    "table": "| a | b |\n| --- | --- |\n" + "| cell | 1 |\n" * 3000,
}


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_every_chunk_is_the_slice_of_its_page(chunker, text, markdown):
    chunks = await all_chunks(chunker, text, markdown=markdown)
    assert [c.text for c in chunks] == [text[c.start : c.end] for c in chunks]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_no_character_but_white_space_is_lost(chunker, text):
    covered = "".join(c.text for c in await all_chunks(chunker, text))
    assert "".join(text.split()) == "".join(covered.split())


async def test_no_chunk_is_longer_than_the_model_takes(chunker):
    chunks = [c for text in TEXTS.values() for c in await all_chunks(chunker, text)]
    assert max(len(c.text.split()) for c in chunks) <= CHUNK_TOKENS
    assert max(len(c.text) for c in chunks) <= CHUNK_CHARACTERS


@pytest.mark.parametrize("markdown", [False, True])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_a_large_tokenizer_is_not_copied_and_cuts_the_same(
    chunker, tmp_path, monkeypatch, text, markdown
):
    monkeypatch.setattr("xnai.documents.chunking.COPIED_PIECES", 0)
    shared = Chunker.from_file(tmp_path / "tokenizer.json")
    chunks = await all_chunks(shared, text, markdown=markdown)
    assert chunks == await all_chunks(chunker, text, markdown=markdown)


async def test_a_long_text_gives_full_chunks_past_the_tokenizers_own_cut(chunker):
    chunks = await all_chunks(chunker, "word " * 1000)
    assert len(chunks[0].text.split()) == CHUNK_TOKENS


async def test_chunks_know_their_page(chunker):
    assert {7} == {c.page for c in await all_chunks(chunker, "some words", number=7)}


async def test_a_page_without_words_has_no_chunks(chunker):
    assert [] == await all_chunks(chunker, " \n\t ")


async def test_a_text_without_a_break_is_cut_in_little_time(chunker):
    began = time.monotonic()
    await all_chunks(chunker, "a" * 1_000_000)
    assert time.monotonic() - began < 10
