"""The index on real files, with real processes that write and die."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager

import apsw
import numpy as np
import pytest
from paths import ROOT, SUPPORT

from xnai.errors import XnaiError
from xnai.retrieval.binary_codes import decode, encode
from xnai.retrieval.index.sqlite import schema
from xnai.retrieval.index.sqlite.connections import open_database
from xnai.retrieval.index.sqlite.index import MIN_CANDIDATES, SqliteIndex
from xnai.retrieval.protocol import Embedded, TokenVectors
from xnai.types import Chunk, Document, Page, Passage, Scope

WRITER = SUPPORT / "retrieval_writer.py"
DIMENSIONS = 64


@pytest.fixture
async def index(tmp_path):
    opened = SqliteIndex(tmp_path / "index.db", DIMENSIONS)
    yield opened
    await opened.close()


def unit(*values: float):
    vector = np.zeros(DIMENSIONS, np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def document(name, owner="me", **changes):
    values = {"file_name": f"{name}.txt", "media_type": "text/plain", "size": 1, "sha256": "0"}
    return Document(name, owner, **(values | {"created_at": 1.0} | changes))


async def put(index, name, texts, owner="me", vectors=None):
    if vectors is None:
        vectors = np.tile(unit(1), (len(texts), 1))
    chunks = [Chunk(None, 0, len(text), text) for text in texts]
    pages = [Page(None, "\n".join(texts))]
    await index.upsert(document(name, owner), pages, chunks, embedded(np.stack(list(vectors))))


def embedded(vectors):
    """What is stored of chunks of one token each, whose vector is the chunk's."""
    start = np.zeros(1, np.int32)
    return Embedded(vectors, tuple(encode(TokenVectors(row[None], start)) for row in vectors))


async def texts_of(index, hits):
    return [passage.text for passage in await index.passages(hits)]


async def test_a_document_comes_back_as_it_was_put(index):
    whole = document("a", file_name="é\u202e.txt", notes=("page 2 has no text", "x"), page_count=3)
    await index.put_document(whole)
    assert whole == await index.get("a")


async def test_putting_a_record_again_keeps_its_chunks(index):
    await put(index, "a", ["one"])
    await index.put_document(document("a", status="processed"))
    assert ((await index.get("a")).status, await index.count()) == ("processed", 1)


async def test_documents_come_by_owner_oldest_first(index):
    for name, owner, created in (("a", "me", 3.0), ("b", "you", 1.0), ("c", "me", 2.0)):
        await index.put_document(document(name, owner, created_at=created))
    assert [d.id for d in await index.documents("me")] == ["c", "a"]
    assert [d.id for d in await index.documents()] == ["b", "c", "a"]


async def test_passages_say_where_they_stand(index):
    chunk = Chunk(7, 3, 8, "wörld")
    await index.upsert(document("a"), [Page(7, "he wörld")], [chunk], embedded(unit(1)[None]))
    hits = await index.search_text("world", Scope("me"), 5)
    (passage,) = await index.passages([(hits[0][0], 0.5)])
    assert Passage("a", "a.txt", 7, 3, 8, "wörld", 0.5, hits[0][0]) == passage


async def test_page_texts_come_back_with_any_character_but_lone_surrogates(index):
    pages = [Page(None, "a\x00b 🙂 \ud800!"), Page(2, "")]
    await index.upsert(document("a"), pages, [], embedded(np.empty((0, DIMENSIONS), np.float32)))
    assert await index.page_text("a", None) == "a\x00b 🙂 \ufffd!"
    assert [await index.page_text("a", page) for page in (2, 3)] == ["", None]


async def test_storing_again_replaces_the_old_text(index):
    await put(index, "a", ["apples", "pears"])
    await put(index, "a", ["plums"])
    found = [await index.search_text(word, Scope("me"), 5) for word in ("apples", "plums")]
    assert ([len(hits) for hits in found], await index.count()) == ([0, 1], 1)


async def test_nearest_vectors_come_first_with_their_cosine(index):
    vectors = [unit(0, 1), unit(1, 1), unit(1)]
    await put(index, "a", ["across", "between", "along"], vectors=vectors)
    hits = await index.search_vectors(unit(2), Scope("me"), 2)
    assert await texts_of(index, hits) == ["along", "between"]
    assert [round(score, 4) for _, score in hits] == [1.0, 0.7071]


async def test_the_best_of_many_vectors_is_found(index):
    count = 3 * MIN_CANDIDATES
    vectors = np.random.default_rng(1).standard_normal((count, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    await put(index, "a", [f"t{number}" for number in range(count)], vectors=vectors)
    wanted = [f"t{number}" for number in range(0, count, 100)]
    hits = [await index.search_vectors(row, Scope("me"), 1) for row in vectors[::100]]
    assert wanted == [(await texts_of(index, best))[0] for best in hits]


async def test_another_owners_chunks_never_appear_even_when_they_match_better(index):
    await put(index, "mine", ["a tariff among many other words here"], vectors=[unit(1, 1)])
    await put(index, "yours", ["tariff", "tariff tariff"], owner="you")
    for scope in (Scope("me"), Scope("me", ("mine", "yours"))):
        found = [
            await index.search_text("tariff", scope, 5),
            await index.search_vectors(unit(1), scope, 5),
        ]
        assert [await texts_of(index, hits) for hits in found] == [
            ["a tariff among many other words here"]
        ] * 2
    assert (
        await index.count(Scope("me")),
        await index.count(Scope("you")),
        await index.count(),
    ) == (1, 2, 3)


async def test_better_chunks_of_others_do_not_use_up_the_limit(index):
    await put(index, "yours", ["tariff"] * 2000, owner="you")
    await put(index, "mine", ["tariff and more"], vectors=[unit(0, 1)])
    await put(index, "other", ["tariff"] * 2000)
    scope = Scope("me", ("mine",))
    assert await texts_of(index, await index.search_text("tariff", scope, 1)) == ["tariff and more"]
    hits = await index.search_vectors(unit(1), scope, 1)
    assert await texts_of(index, hits) == ["tariff and more"]


async def test_a_rare_word_is_found_beside_words_that_all_chunks_have(index, monkeypatch):
    monkeypatch.setattr("xnai.retrieval.index.sqlite.scope.MAX_RANKED", 100)
    texts = [f"common frequent number{number % 200}" for number in range(400)]
    await put(index, "a", texts)
    hits = await index.search_text("common frequent number7", Scope("me"), 10)
    assert await texts_of(index, hits) == ["common frequent number7"] * 2
    assert len(await index.search_text("common frequent", Scope("me"), 10)) == 10


@pytest.mark.parametrize("ids", [(), ("absent",), ('"', "\ud800")])
async def test_a_scope_without_documents_finds_nothing(index, ids):
    await put(index, "a", ["tariff"])
    scope = Scope("me", ids)
    assert await index.search_text("tariff", scope, 5) == []
    assert await index.search_vectors(unit(1), scope, 5) == []


@pytest.mark.parametrize("others", [1, 2000])
async def test_deleting_leaves_nothing_in_the_files(index, tmp_path, others):
    marks = [b"zanzibarmark", b"zanzibarpage", b"zanzibarname", unit(3, 1, 4, 1, 5).tobytes()]
    marks.append(b"zanzibarcode")
    of_one = Embedded(np.tile(unit(3, 1, 4, 1, 5), (10, 1)), (b"zanzibarcode" * 200,) * 10)
    chunks = [Chunk(1, 0, 1, f"zanzibarmark number {number}") for number in range(10)]
    record = document("a", file_name="zanzibarname.txt")
    await put(index, "kept", ["before"] * others)
    await index.upsert(record, [Page(1, "zanzibarpage " * 2000)], chunks, of_one)
    await put(index, "kept too", ["after"])

    def left() -> list[bytes]:
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        return [mark for mark in marks if mark in content]

    assert marks == left()
    assert await index.delete("a")
    assert left() == []
    assert (await index.get("a"), await index.count()) == (None, others + 1)
    assert not await index.delete("a")


async def test_the_inverted_index_is_sound_after_deletions(index, tmp_path):
    for number in range(20):
        await put(index, f"d{number}", [f"word{number} 中文字 naïve", "and more"])
    for number in range(0, 20, 3):
        await index.delete(f"d{number}")
    connection = open_database(tmp_path / "index.db")
    connection.execute("INSERT INTO chunks_fts (chunks_fts) VALUES ('integrity-check')")
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()


@asynccontextmanager
async def writer(path, prefix, chunks=200):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, WRITER, path, prefix, str(chunks)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def acknowledged(process, count):
    return [(await process.stdout.readline()).decode().strip() for _ in range(count)]


async def test_kill_9_in_mid_upsert_loses_no_acknowledged_document_and_leaves_no_half_one(tmp_path):
    path = tmp_path / "index.db"
    names = []
    for attempt in range(3):
        async with writer(path, f"run{attempt}-") as process:
            names += await acknowledged(process, 4)
            await asyncio.sleep(0.01 * attempt)
            process.send_signal(signal.SIGKILL)
            names += (await process.stdout.read()).decode().split()
    index = SqliteIndex(path, DIMENSIONS)
    kept = {record.id for record in await index.documents()}
    counts = {await index.count(Scope("me", (name,))) for name in kept}
    hits = [len(await index.search_text(name, Scope("me", (name,)), 300)) for name in names]
    passages = await index.everything(Scope("me"), 1_000_000)
    codes = await index.token_codes([passage.chunk_id for passage in passages], DIMENSIONS)
    lacking = await index.without_codes()
    await index.close()
    assert (len(passages), []) == (len(codes), lacking)
    assert {len(decode(of_one, DIMENSIONS).starts) for of_one in codes.values()} == {200}
    assert set() == set(names) - kept
    assert ({200}, {200}) == (counts, set(hits))


async def test_two_processes_write_at_once_and_both_are_read(tmp_path):
    path = tmp_path / "index.db"
    async with writer(path, "a", 20) as one, writer(path, "b", 20) as two:
        batches = await asyncio.gather(acknowledged(one, 5), acknowledged(two, 5))
        names = {name for batch in batches for name in batch}
        index = SqliteIndex(path, DIMENSIONS)
        kept = {record.id for record in await index.documents("me")}
        await index.close()
    assert set() == names - kept


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "index.db"
    path.write_bytes(b"not a database " * 1000)
    index = SqliteIndex(path, DIMENSIONS)
    with pytest.raises(XnaiError) as caught:
        await index.start()
    await index.close()
    assert caught.value.code == "index_damaged"
    assert path.read_bytes() == b"not a database " * 1000


async def test_damage_within_the_file_is_told(tmp_path):
    path = tmp_path / "index.db"
    index = SqliteIndex(path, DIMENSIONS)
    await put(index, "a", [f"some words {number}" for number in range(500)])
    await index.close()
    content = bytearray(path.read_bytes())
    content[3 * 8192 :] = os.urandom(len(content) - 3 * 8192)
    path.write_bytes(content)
    index = SqliteIndex(path, DIMENSIONS)
    with pytest.raises(XnaiError) as caught:
        await index.search_vectors(unit(1), Scope("me"), 5)
    await index.close()
    assert caught.value.code == "index_damaged"


async def test_a_full_disk_is_told_and_nothing_is_half_stored(index):
    await put(index, "a", ["one"])
    # The size limit of the connection stands for that of the disk: SQLite reports both alike.
    await index._connections.write(lambda c: c.pragma("max_page_count", 20))
    with pytest.raises(XnaiError) as caught:
        await put(index, "b", ["many words"] * 2000)
    assert caught.value.code == "disk_full"
    assert ([d.id for d in await index.documents()], await index.count()) == (["a"], 1)


async def test_an_index_of_another_program_version_is_refused(tmp_path):
    path = tmp_path / "index.db"
    connection = open_database(path)
    connection.execute("INSERT INTO migrations VALUES ('m999_future', 0)")
    connection.close()
    index = SqliteIndex(path, DIMENSIONS)
    with pytest.raises(XnaiError) as caught:
        await index.start()
    await index.close()
    assert caught.value.code == "search_down"


async def test_an_index_keeps_to_the_length_of_its_vectors(index, tmp_path):
    await put(index, "a", ["one"])
    other = SqliteIndex(tmp_path / "index.db", 128)
    by = await other.start()
    assert by.dimensions == DIMENSIONS
    question = np.ones(128, np.float32)
    assert await other.search_vectors(question, Scope("owner"), 5) == []
    with pytest.raises(ValueError, match="vectors have shape"):
        await other.upsert(document("b"), [], [Chunk(None, 0, 1, "x")], embedded(question[None]))
    await other.close()


async def test_a_closed_index_says_so(tmp_path):
    index = SqliteIndex(tmp_path / "index.db", DIMENSIONS)
    await index.close()
    with pytest.raises(XnaiError) as caught:
        await index.count()
    assert caught.value.code == "shutting_down"


def test_names_of_migrations_are_the_ledger():
    connection = apsw.Connection(":memory:")
    schema.migrate(connection)
    schema.migrate(connection)
    names = [name for (name,) in connection.execute("SELECT name FROM migrations ORDER BY rowid")]
    assert names == [
        "m001_documents", "m002_chunks", "m003_signatures", "m004_embedding", "m005_replaces",
        "m006_token_codes", "m007_owners", "m008_checksums", "m009_reports", "m010_blocks",
        "m011_libraries", "m012_folders",
    ]  # fmt: skip


def test_every_connection_has_its_safety_settings(tmp_path):
    connection = open_database(tmp_path / "index.db")
    names = ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "page_size")
    assert [connection.pragma(name) for name in names] == ["wal", 2, 1, 1, 8192]
    connection.close()


async def put_pages(index, name, texts, owner="me", **changes):
    pages = [Page(number, text) for number, text in enumerate(texts, 1)]
    chunks = [Chunk(page.number, 0, len(page.text), page.text) for page in pages]
    vectors = embedded(np.tile(unit(1), (len(texts), 1)))
    stored = document(name, owner, page_count=len(texts), **changes)
    await index.upsert(stored, pages, chunks, vectors)


async def test_all_pages_in_scope_come_in_the_order_of_their_documents(index):
    await put_pages(index, "b", ["Later."], created_at=2.0)
    await put_pages(index, "a", ["One.", "Two."], created_at=1.0)
    await put(index, "c", ["No pages."], owner="me")

    found = await index.pages(Scope("me"), 1000)

    assert [(page.document_id, page.page, page.text) for page in found.pages] == [
        ("a", 1, "One."),
        ("a", 2, "Two."),
        ("c", None, "No pages."),
        ("b", 1, "Later."),
    ]
    assert found.characters == sum(len(page.text) for page in found.pages)
    assert [page.page_count for page in found.pages][:2] == [2, 2]


@pytest.mark.parametrize(("limit", "is_given"), [(8, True), (7, False), (0, False)])
async def test_of_pages_that_are_too_long_only_their_length_is_told(index, limit, is_given):
    await put_pages(index, "a", ["Öne.", "Two."])

    found = await index.pages(Scope("me"), limit)

    assert (found.characters, found.pages is not None) == (8, is_given)


async def test_pages_of_another_owner_are_not_in_scope(index):
    await put_pages(index, "a", ["Mine."])
    await put_pages(index, "b", ["Not mine."], owner="you")

    found = await index.pages(Scope("me"), 1000)

    assert [page.text for page in found.pages] == ["Mine."]
    assert (await index.pages(Scope("nobody"), 1000)).pages == ()
    assert (await index.pages(Scope("me", document_ids=("b",)), 1000)).pages == ()


async def test_a_page_that_is_not_what_was_stored_is_left_out_and_counted(index, tmp_path):
    await put_pages(index, "a", ["One.", "Two.", "Three."])
    with open_database(tmp_path / "index.db") as connection:
        connection.execute("UPDATE pages SET text = 'Tvo.' WHERE number = 2")

    found = await index.pages(Scope("me"), 1000)

    assert [page.text for page in found.pages] == ["One.", "Three."]
    assert index.damage.unreadable("pages") == 1
