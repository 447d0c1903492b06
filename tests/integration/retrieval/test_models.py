"""Other models from folders, and the change from one to another under a living index."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import apsw
import pytest
import structlog
from model_folders import cross_encoder, embedding_model

from xnai.documents.library import Library
from xnai.documents.reembed import complete, reembed, settle
from xnai.errors import XnaiError
from xnai.retrieval.cross_encoder import reranker
from xnai.retrieval.embedding.switching import Embedders
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.search import HybridSearch
from xnai.settings import Settings
from xnai.types import Passage, Scope

TEXTS = {
    "lamp.txt": "The lamp of the lighthouse was replaced in October.",
    "bread.txt": "The keepers bake bread on Tuesdays.",
}


@asynccontextmanager
async def house(folder, **settings):
    """Library, index, embedders and whether another model is to follow."""
    configured = Settings(data_dir=folder, **settings)
    embedders = Embedders(configured)
    index = SqliteIndex(folder / "index.sqlite3", embedders.dimensions)
    await embedders.start()
    is_changing = await settle(index, embedders)
    search = HybridSearch(index, embedders, reranker(configured))
    library = Library(configured, index, embedders, search)
    await library.start()
    try:
        yield library, index, embedders, is_changing
    finally:
        await library.close()
        await embedders.close()


async def add(library, name, text):
    async def content() -> AsyncIterator[bytes]:
        yield text.encode()

    document = await library.add("me", name, content())
    async for _ in library.ingest(document.id):
        pass


async def found(library, question="When was the lamp replaced?"):
    return [p.file_name for p in await library.search(question, Scope("me"), 2)]


async def vector(embedders, question):
    return (await embedders.embed_question(question)).vector


def quietly(done, total): ...


async def test_a_model_from_a_folder_embeds_documents_and_questions(tmp_path):
    folder = str(embedding_model(tmp_path / "own"))

    async with house(tmp_path / "data", embedder=folder) as (library, _, embedders, changing):
        for name, text in TEXTS.items():
            await add(library, name, text)
        assert (embedders.dimensions, changing) == (16, False)
        assert (await found(library))[0] == "lamp.txt"


async def test_after_a_change_the_old_vectors_serve_until_the_new_ones_are_there(tmp_path):
    first, second = (str(embedding_model(tmp_path / n, d)) for n, d in (("a", 16), ("b", 24)))
    async with house(tmp_path / "data", embedder=first) as (library, *_):
        await add(library, "lamp.txt", TEXTS["lamp.txt"])

    async with house(tmp_path / "data", embedder=second) as (library, index, embedders, changing):
        assert changing
        assert embedders.dimensions == 16
        await add(library, "bread.txt", TEXTS["bread.txt"])
        assert (await found(library))[0] == "lamp.txt"
        told = []
        await reembed(
            index, embedders, library.reading_paused, lambda *how_far: told.append(how_far)
        )
        assert told == [(0, 2), (1, 2)]
        assert embedders.dimensions == 24
        assert (await found(library))[0] == "lamp.txt"
        assert len(await index.search_vectors(await vector(embedders, "x"), Scope("me"), 9)) == 2

    async with house(tmp_path / "data", embedder=second) as (library, _, embedders, changing):
        assert (changing, embedders.dimensions) == (False, 24)
        assert (await found(library, "who bakes bread"))[0] == "bread.txt"


async def test_a_change_that_was_broken_off_goes_on_where_it_was(tmp_path):
    first, second = (str(embedding_model(tmp_path / n, d)) for n, d in (("a", 16), ("b", 24)))
    async with house(tmp_path / "data", embedder=first) as (library, *_):
        for name, text in TEXTS.items():
            await add(library, name, text)

    async with house(tmp_path / "data", embedder=second) as (library, index, embedders, _):

        def stop(done, total) -> None:
            if (done, total) == (1, 2):
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await reembed(index, embedders, library.reading_paused, stop)

    async with house(tmp_path / "data", embedder=second) as (library, index, embedders, changing):
        assert changing
        told = []
        await reembed(
            index, embedders, library.reading_paused, lambda *how_far: told.append(how_far)
        )
        assert told == [(0, 1)]
        assert (await found(library))[0] == "lamp.txt"


async def test_when_the_old_model_is_gone_words_are_searched_meanwhile(tmp_path):
    first = embedding_model(tmp_path / "a")
    async with house(tmp_path / "data", embedder=str(first)) as (library, *_):
        await add(library, "lamp.txt", TEXTS["lamp.txt"])
    (first / "model.onnx").unlink()
    second = str(embedding_model(tmp_path / "b", 24))

    for _ in range(2):  # a second start finds it unfinished too
        async with house(tmp_path / "data", embedder=second) as (
            library,
            index,
            embedders,
            changing,
        ):
            assert changing
            assert await found(library) == ["lamp.txt"]
    async with house(tmp_path / "data", embedder=second) as (library, index, embedders, _):
        await reembed(index, embedders, library.reading_paused, quietly)
        question = await vector(embedders, "lamp")
        assert len(await index.search_vectors(question, Scope("me"), 9)) == 1
    async with house(tmp_path / "data", embedder=second) as (*_, changing):
        assert not changing


def as_of_before_codes(path):
    """Take an index back to the schema before m006."""
    connection = apsw.Connection(str(path))
    connection.execute(
        "DROP TABLE synced_files; DROP TABLE former_documents; DROP INDEX documents_by_content; "
        "DROP TABLE library_documents; DROP TABLE library_members; DROP TABLE libraries; "
        "DROP TABLE token_codes; DROP TABLE next_token_codes; "
        "ALTER TABLE signatures DROP COLUMN codes; "
        "ALTER TABLE next_signatures DROP COLUMN codes; "
        "DROP INDEX documents_by_owner; DROP INDEX documents_by_collection; "
        "ALTER TABLE documents DROP COLUMN collection; "
        "CREATE INDEX documents_by_owner ON documents (owner, created_at); "
        "DROP INDEX chunks_unchecked; DROP INDEX pages_unchecked; "
        "ALTER TABLE chunks DROP COLUMN checksum; ALTER TABLE pages DROP COLUMN checksum; "
        "ALTER TABLE documents DROP COLUMN report; ALTER TABLE pages DROP COLUMN places; "
        "ALTER TABLE pages DROP COLUMN blocks; "
        "DELETE FROM migrations WHERE name >= 'm006'"
    )
    connection.close()


async def test_an_index_of_before_codes_is_searched_and_given_what_it_lacks(tmp_path):
    folder, data = str(embedding_model(tmp_path / "a", 64)), tmp_path / "data"
    async with house(data, embedder=folder) as (library, *_):
        for name, text in TEXTS.items():
            await add(library, name, text)
        order = await found(library)
    as_of_before_codes(data / "index.sqlite3")

    async with house(data, embedder=folder) as (library, index, embedders, changing):
        assert (changing, len(await index.without_codes())) == (False, 2)
        assert await found(library) == order
        await complete(index, embedders)
        ids = [p.chunk_id for p in await index.everything(Scope("me"), 9)]
        assert sorted(await index.token_codes(ids, 64)) == ids
        assert (await index.without_codes(), await found(library)) == ([], order)


async def test_codes_of_a_document_deleted_meanwhile_are_not_stored(tmp_path):
    folder, data = str(embedding_model(tmp_path / "a", 64)), tmp_path / "data"
    async with house(data, embedder=folder) as (library, *_):
        for name, text in TEXTS.items():
            await add(library, name, text)
    as_of_before_codes(data / "index.sqlite3")

    async with house(data, embedder=folder) as (library, index, embedders, _):
        doomed, kept = await library.documents("me")
        texts = await index.texts(doomed.id)
        await library.delete(doomed.id)
        await index.put_codes(texts, (await embedders.embed_chunks(texts.texts)).codes)
        assert await index.without_codes() == [kept.id]
        assert await index.token_codes([texts.first], 64) == {}


async def test_after_a_change_the_codes_are_those_of_the_new_model(tmp_path):
    first, second = (str(embedding_model(tmp_path / n, d)) for n, d in (("a", 16), ("b", 24)))
    async with house(tmp_path / "data", embedder=first) as (library, *_):
        await add(library, "lamp.txt", TEXTS["lamp.txt"])
    async with house(tmp_path / "data", embedder=second) as (library, index, embedders, _):
        (chunk,) = await index.everything(Scope("me"), 9)
        before = await index.token_codes([chunk.chunk_id], 16)
        await reembed(index, embedders, library.reading_paused, quietly)
        after = await index.token_codes([chunk.chunk_id], 24)
        (wanted,) = (await embedders.embed_chunks([chunk.text])).codes
        assert (len(before), after) == (1, {chunk.chunk_id: wanted})
        assert await index.token_codes([chunk.chunk_id], 16) == {}
        assert await index.without_codes() == []


async def test_a_document_deleted_while_it_is_embedded_anew_stays_deleted(tmp_path):
    first, second = (str(embedding_model(tmp_path / n, d)) for n, d in (("a", 16), ("b", 24)))
    async with house(tmp_path / "data", embedder=first) as (library, *_):
        for name, text in TEXTS.items():
            await add(library, name, text)

    async with house(tmp_path / "data", embedder=second) as (library, index, embedders, _):
        doomed = (await library.documents("me"))[0]
        texts = await index.texts(doomed.id)
        by = await embedders.wanted()
        await index.begin_reembedding(by)
        await library.delete(doomed.id)
        await index.put_next(texts, await embedders.following.embed_chunks(texts.texts))
        await reembed(index, embedders, library.reading_paused, quietly)
        assert await index.count() == 1


async def test_a_cross_encoder_from_a_folder_decides_the_order(tmp_path):
    folder = str(cross_encoder(tmp_path / "ranker", "bread"))
    ranker = reranker(Settings(data_dir=tmp_path, reranker=folder))
    passages = [Passage("d", n, None, 0, len(t), t, 0.5) for n, t in TEXTS.items()]

    ranked = await ranker.rerank("Which is it?", passages)

    assert [p.file_name for p in ranked] == ["bread.txt", "lamp.txt"]
    assert 0 < ranked[1].score < 0.5 < ranked[0].score < 1


async def test_a_cross_encoder_that_fails_leaves_the_passages_as_they_are(tmp_path):
    own, ranker = embedding_model(tmp_path / "own"), cross_encoder(tmp_path / "ranker", "bread")
    data = tmp_path / "data"
    async with house(data, embedder=str(own)) as (library, *_):
        for name, text in TEXTS.items():
            await add(library, name, text)
        order = await found(library)

    (ranker / "model.onnx").write_bytes(b"no model at all")
    async with house(data, embedder=str(own), reranker=str(ranker)) as (library, *_):
        with structlog.testing.capture_logs() as logs:
            assert await found(library) == order
    assert "search.not_reranked" in [entry["event"] for entry in logs]


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json", "config.json"])
def test_what_a_folder_lacks_is_named_with_the_setting(tmp_path, missing):
    folder = embedding_model(tmp_path / "own")
    (folder / missing).unlink()

    with pytest.raises(XnaiError, match="XNAI_EMBEDDER=") as caught:
        Embedders(Settings(data_dir=tmp_path, embedder=str(folder)))

    assert f"it has no {missing}" in caught.value.message
