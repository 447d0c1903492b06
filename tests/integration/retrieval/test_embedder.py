"""The embedder with the real model."""

import asyncio
import json
import os
import time
from itertools import pairwise

import numpy as np
import pytest
from model_folders import embedding_model

from rig.waiting import PATIENCE
from xnai.errors import XnaiError
from xnai.retrieval.binary_codes import decode
from xnai.retrieval.embedding import weights
from xnai.retrieval.embedding.model_folder import read_folder
from xnai.retrieval.embedding.onnx import DIMENSIONS, MAX_TOKENS, OnnxEmbedder
from xnai.settings import Settings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


async def started(folder):
    embedder = OnnxEmbedder(Settings(data_dir=folder))
    await embedder.start()
    await embedder.ready()
    return embedder


async def quantized(embedder):
    if embedder._quantizing is not None:
        await embedder._quantizing


@pytest.fixture
async def embedder(folder):
    opened = await started(folder)
    await quantized(opened)
    yield opened
    await opened.close()


async def test_the_quantized_model_agrees_with_the_packaged_one_and_is_kept(tmp_path):
    texts = ["The tariff was raised in March 2021.", "Cats sleep most of the day. " * 30, "x"]
    first = await started(tmp_path)
    before = await first.embed(texts)
    await quantized(first)
    after = await first.embed(texts)
    await first.close()
    second = await started(tmp_path)
    again = await second.embed(texts)
    was_kept = second._quantizing is None
    await second.close()
    assert np.sum(before * after, axis=1).min() > 0.97
    assert not np.array_equal(before, after)
    assert was_kept
    assert np.array_equal(after, again)


@pytest.mark.usefixtures("embedder")
async def test_a_corrupt_quantized_model_is_made_again(folder):
    path = folder / "embedding" / weights.QUANTIZED_NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    other = await started(folder)
    vectors = await other.embed(["still works"])
    await quantized(other)
    await other.close()
    assert vectors.shape == (1, DIMENSIONS)
    assert path.stat().st_size > 0.9 * len(whole)
    assert weights.quantized(folder / "embedding") == path


async def test_what_was_being_made_when_its_process_was_killed_goes(tmp_path):
    folder = tmp_path / "embedding"
    for name, age in (("making-old", 3600), ("making-new", 1), ("kept", 3600)):
        (folder / name).mkdir(parents=True)
        (folder / name / "plain").write_bytes(b"weights")
        os.utime(folder / name, (time.time() - age,) * 2)
    await (await started(tmp_path)).close()
    assert {"making-new", "kept"} == {path.name for path in folder.iterdir() if path.is_dir()}


async def test_vectors_have_unit_length_and_float32(embedder):
    vectors = await embedder.embed(["one", "two words", "three words here"])
    assert ((3, DIMENSIONS), np.float32) == (vectors.shape, vectors.dtype)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


async def test_no_texts_give_no_vectors(embedder):
    assert (await embedder.embed([])).shape == (0, DIMENSIONS)


async def test_a_text_has_the_same_vector_alone_and_in_a_batch_of_any_lengths(embedder):
    texts = [f"{'word ' * (number % 7 * 20)}number {number}" for number in range(20)]
    batch = await embedder.embed(texts)
    alone = np.concatenate([await embedder.embed([text]) for text in texts])
    assert np.abs(batch - alone).max() < 1e-6


async def test_similar_texts_are_nearer_than_others(embedder):
    question, answer, other = await embedder.embed(
        ["When did the tariff go up?", "The tariff was raised in March.", "Cats like to sleep."]
    )
    assert question @ answer > question @ other + 0.3


async def test_only_the_first_256_tokens_count(embedder):
    words = "alpha " * (MAX_TOKENS - 2)  # [CLS] and [SEP] take two
    within, beyond = await embedder.embed([words[: -len("alpha ")], words])
    longer, other = await embedder.embed([words + "beta " * 9, words + "gamma"])
    assert len(embedder._encode(words + "beta").ids) == MAX_TOKENS
    assert not np.array_equal(within, beyond)
    assert np.array_equal(beyond, longer)
    assert np.array_equal(longer, other)


@pytest.mark.parametrize(
    "text", ["", "\x00", "\ud800\udfff", "🙂" * 50, "中文 ไทย עברית", "a" * 200_000]
)
async def test_any_text_is_accepted(embedder, text):
    vectors = await embedder.embed([text, text, text])
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


async def test_a_question_does_not_wait_for_documents(embedder):
    ingest = asyncio.create_task(embedder.embed(["many words of a document " * 60] * 60))
    await asyncio.sleep(0.05)
    await embedder.embed(["a question"])
    was_pending = not ingest.done()
    ingest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ingest
    assert was_pending


async def test_the_event_loop_stays_free_while_documents_are_embedded(embedder):
    beats = []

    async def beat() -> None:
        while True:
            beats.append(time.perf_counter())
            await asyncio.sleep(0.005)

    async def late() -> float:
        beats.clear()
        heart = asyncio.create_task(beat())
        await embedder.embed(["many words of a document " * 60] * 30)
        heart.cancel()
        gaps = [after - before for before, after in pairwise(beats)]
        return float(np.percentile(gaps, 95))

    # A percentile, and the best of several, because the machine that runs this test has other work
    # too: what the embedder itself held up would be in each of them.
    assert min([await late() for _ in range(3)]) < 0.05


async def test_cancelled_texts_are_not_embedded(embedder):
    task = asyncio.create_task(embedder.embed(["many words of a document " * 60] * 5000))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(PATIENCE):  # far less than the rest of them would take
        await embedder.embed(["one", "two", "three"])


async def test_closing_tells_those_who_wait(folder):
    embedder = await started(folder)
    waiting = asyncio.create_task(embedder.embed(["many words of a document " * 60] * 500))
    await asyncio.sleep(0.05)
    await embedder.close()
    with pytest.raises(XnaiError) as caught:
        await waiting
    assert caught.value.code == "shutting_down"


async def test_an_embedder_that_was_not_started_says_so(tmp_path):
    embedder = OnnxEmbedder(Settings(data_dir=tmp_path))
    with pytest.raises(XnaiError) as caught:
        await embedder.embed(["x"])
    await embedder.close()
    assert caught.value.code == "search_down"


async def test_a_missing_package_is_named(tmp_path, monkeypatch):
    gone = weights.PackagedFile("xnai-no-such-package", "model.onnx", "0")
    monkeypatch.setattr(weights, "MODEL", gone)
    embedder = OnnxEmbedder(Settings(data_dir=tmp_path))
    await embedder.start()
    with pytest.raises(XnaiError) as caught:
        await embedder.embed(["x"])
    await embedder.close()
    assert caught.value.code == "embedding_model_missing"
    assert gone.package in caught.value.message


def test_a_changed_file_is_noticed_although_the_old_one_was_verified(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert weights.is_intact(path, sha256, tmp_path)
    assert weights.is_intact(path, sha256, tmp_path)
    path.write_bytes(b"abcd")
    assert not weights.is_intact(path, sha256, tmp_path)


def test_a_broken_stamp_file_is_no_matter(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    (tmp_path / "verified.json").write_text("{")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert weights.is_intact(path, sha256, tmp_path)


async def test_chunks_have_the_vectors_of_embed_and_codes_of_their_tokens(embedder):
    texts = ["The lamp was replaced in 1987.", "", "Bread!"]
    stored = await embedder.embed_chunks(texts)
    exact = await embedder.embed_tokens(texts)
    assert np.array_equal(stored.vectors, await embedder.embed(texts))
    for codes, tokens in zip(stored.codes, exact, strict=True):
        back = decode(codes, DIMENSIONS)
        assert back.starts.tolist() == tokens.starts.tolist()
        assert np.array_equal(back.vectors > 0, tokens.vectors > 0)
    assert [texts[0][start:][:4] for start in exact[0].starts[:2]] == ["The ", "lamp"]


async def test_a_code_ranks_tokens_as_their_vectors_do(embedder):
    asked = await embedder.embed_question("When was the lamp of the lighthouse replaced?")
    text = (
        "The keepers bake bread on Tuesdays. Ada Holm put in another lamp in 1987. The sea is wide."
    )
    (exact,) = await embedder.embed_tokens([text])
    (codes,) = (await embedder.embed_chunks([text])).codes
    whole = asked.tokens.vectors @ exact.vectors.T
    estimated = asked.tokens.vectors @ decode(codes, DIMENSIONS).vectors.T
    assert np.corrcoef(whole.ravel(), estimated.ravel())[0, 1] > 0.97
    assert np.abs(whole.max(axis=1) - estimated.max(axis=1)).max() < 0.1


async def test_a_question_is_told_with_its_tokens_and_what_they_weigh(embedder):
    asked = await embedder.embed_question("When was the lamp replaced?")
    (vector,) = await embedder.embed(["When was the lamp replaced?"])
    assert np.array_equal(asked.vector, vector)
    assert len(asked.weights) == len(asked.tokens.vectors) == len(asked.tokens.starts)


@pytest.mark.parametrize("prompt", ["query: ", ""])
async def test_of_a_model_with_prefixes_the_prefix_is_no_part_of_the_tokens(tmp_path, prompt):
    path = embedding_model(tmp_path / "own")
    prompts = {"prompts": {"query": prompt, "passage": "passage: "}}
    (path / "config_sentence_transformers.json").write_text(json.dumps(prompts), encoding="utf-8")
    own = OnnxEmbedder(Settings(data_dir=tmp_path), read_folder(path, "XNAI_EMBEDDER"))
    await own.start()
    asked = await own.embed_question("the lamp")
    (tokens,) = await own.embed_tokens(["the lamp"])
    await own.close()
    assert asked.tokens.starts.tolist() == tokens.starts.tolist() == [0, 4]
    assert len(asked.weights) == 2
