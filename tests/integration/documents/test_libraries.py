"""Libraries on a real index: what is in them, who may see it, and what stays when what goes."""

import asyncio
import functools
import hashlib
import time
import uuid
import zipfile

import pytest
from documents_library import GatedEmbedder, followed, opened
from paths import ROOT

from xnai.accounts import People, Principal
from xnai.accounts.carry_over import carry_over, owner_now
from xnai.accounts.sqlite.conversations import SqliteConversations
from xnai.backup.archive import create_backup, restore_backup
from xnai.documents import cards, libraries
from xnai.documents.libraries import Libraries
from xnai.documents.library_names import LONGEST_NAME, OWN_NAME, checked_name, name_of
from xnai.errors import XnaiError
from xnai.retrieval.libraries import own_id
from xnai.settings import Settings
from xnai.types import Chunk, Document, Page, Scope

ANN, BOB = Principal("ann", "key"), Principal("bob", "key")


@pytest.fixture
async def world(tmp_path):
    embedder = GatedEmbedder(tmp_path)
    async with opened(tmp_path / "data", embedder, documents_max=3) as (library, index):
        yield World(library, index, Libraries(index.libraries, library), embedder, tmp_path)


class World:
    def __init__(self, library, index, shelves, embedder, folder) -> None:
        self.library, self.index, self.libraries = library, index, shelves
        self.embedder, self.folder = embedder, folder

    async def add(self, text, name="a.txt", owner="ann", collection=""):
        """A document as if it had been read, without a child process that reads it."""
        data = text.encode()
        digest = hashlib.sha256(data).hexdigest()
        kind = (name, "text/plain", len(data), digest, time.time(), "processed", 1, 1)
        document = Document(uuid.uuid4().hex, owner, *kind, collection=collection)
        original = self.library.original(document)
        original.parent.mkdir(parents=True, exist_ok=True)
        original.write_bytes(data)
        cards.write(original, document)
        embedded = await self.embedder.embed_chunks([text])
        pages, chunks = [Page(None, text)], [Chunk(None, 0, len(text), text)]
        await self.index.upsert(document, pages, chunks, embedded)
        return document.id

    async def read(self, text, name="a.txt", owner="ann", collection="", **more):
        path = self.folder / "source"
        path.write_text(text)
        document = await self.library.add(owner, name, path, collection=collection, **more)
        await followed(self.library, document.id)
        return document.id

    async def found(self, *library_ids: str, person=ANN, **scope):
        scope = Scope(person.person_id, libraries=library_ids, **scope)
        by_both = {p.text for p in await self.library.search("lamp", scope, 20)}
        everything = {p.text for p in await self.library.everything(scope)}
        pages = (await self.library.pages(scope, 10_000)).pages
        assert everything == by_both == {page.text for page in pages}
        assert await self.index.count(scope) == len(everything)
        return everything

    async def member(self, library_id, person, right):
        row = (library_id, person.person_id, right)
        await self.index._connections.write(
            lambda c: c.execute("INSERT OR REPLACE INTO library_members VALUES (?, ?, ?)", row)
        )


async def refused(code, work):
    with pytest.raises(XnaiError) as caught:
        await work
    assert caught.value.code == code
    return caught.value


async def test_a_library_is_asked_from_any_chat_beside_what_the_chat_has(world):
    own = await world.libraries.own(ANN)
    kept = await world.add("lamp one", collection="thread:1")
    await world.add("lamp two", "b.txt", collection="thread:2")
    await world.add("lamp three", "c.txt")
    await world.add("lamp of bob", owner="bob")
    assert await world.found(own.id) == set()
    await world.libraries.keep(ANN, own.id, kept)
    assert await world.found(own.id) == {"lamp one"}
    assert await world.found(own.id, collection="thread:2") == {"lamp one", "lamp two"}
    assert await world.found(collection="thread:1") == {"lamp one"}
    assert await world.found(document_ids=(kept,)) == {"lamp one"}
    assert await world.found() == {"lamp one", "lamp two", "lamp three"}
    assert await world.found(own.id, person=BOB) == set()
    assert (await world.libraries.own(ANN)).states == {"processed": 1}


async def test_what_a_library_has_stays_when_its_chat_goes(world):
    own = await world.libraries.own(ANN)
    kept = await world.add("lamp kept", collection="thread:1")
    await world.add("lamp lost", "b.txt", collection="thread:1")
    await world.libraries.keep(ANN, own.id, kept)
    # Without the first step it stays as well, and is found in the library all the same.
    assert await world.library.delete_collection("thread:1") == 1
    assert await world.found(own.id) == {"lamp kept"}
    assert await world.libraries.release("thread:1") == 1
    assert await world.libraries.release("thread:1") == 0
    document = await world.library.get(kept)
    assert document.collection == f"library:{own.id}"
    assert cards.read(world.library.original(document)).collection == document.collection
    assert await world.found(own.id) == {"lamp kept"}
    assert await world.found(collection="thread:1") == set()
    assert await world.library.delete(kept)
    assert (await world.libraries.own(ANN)).count == 0


async def test_a_document_that_is_being_read_keeps_the_place_it_was_given(world):
    own = await world.libraries.own(ANN)
    world.embedder.gate.clear()
    path = world.folder / "source"
    path.write_text("lamp of a chat that goes")
    document = await world.library.add("ann", "a.txt", path, collection="thread:1")
    world.library.ingest_in_background(document.id)
    await world.embedder.reached.wait()
    await world.libraries.keep(ANN, own.id, document.id)
    await world.libraries.release("thread:1")
    world.embedder.gate.set()
    await followed(world.library, document.id)
    assert (await world.library.get(document.id)).collection == f"library:{own.id}"
    assert await world.found(own.id) == {"lamp of a chat that goes"}


async def test_a_new_version_stands_where_the_former_did(world):
    made = await world.libraries.create(ANN, "Lamps")
    former = await world.read("lamp of oil")
    await world.libraries.keep(ANN, made.id, former, {"year": 1987})
    documents = await world.library.documents("ann")
    now = await world.read("lamp of glass", former=documents, own_name=True)
    assert now != former
    assert await world.found(made.id) == {"lamp of glass"}
    [(_, standing)] = await world.libraries.standing(ANN, made.id)
    assert standing.attributes == {"year": 1987}


async def test_what_belongs_to_a_library_alone_goes_with_it_and_nothing_else(world):
    made, other = [await world.libraries.create(ANN, name) for name in ("Lamps", "More")]
    alone, both = [
        await world.add(f"lamp {name}", f"{name}.txt", collection="thread:1") for name in "ab"
    ]
    mine = await world.add("lamp of mine")
    for document_id in (alone, both, mine):
        await world.libraries.keep(ANN, made.id, document_id)
    await world.libraries.keep(ANN, other.id, both)
    await world.libraries.release("thread:1")
    goes, stays = await world.libraries.going(ANN, made.id)
    assert ([one.id for one in goes], stays) == ([alone], 2)
    await refused("not_found", world.libraries.delete(BOB, made.id, keeps_all=False))
    assert await world.libraries.delete(ANN, made.id, keeps_all=False) == 1
    assert await world.library.get(alone) is None
    assert await world.found(other.id) == {"lamp b"}
    assert await world.found(collection="") == {"lamp of mine"}
    await refused("not_found", world.libraries.delete(ANN, made.id, keeps_all=False))


async def test_a_library_can_go_without_its_documents(world):
    made = await world.libraries.create(ANN, "Lamps")
    kept = await world.add("lamp kept", collection="thread:1")
    await world.libraries.keep(ANN, made.id, kept)
    await world.libraries.release("thread:1")
    assert await world.libraries.delete(ANN, made.id, keeps_all=True) == 0
    assert await world.found(collection="") == {"lamp kept"}


async def test_taking_out_deletes_nothing(world):
    made = await world.libraries.create(ANN, "Lamps")
    kept = await world.add("lamp kept", collection="thread:1")
    await world.libraries.keep(ANN, made.id, kept)
    assert await world.libraries.take_out(ANN, made.id, kept)
    assert not await world.libraries.take_out(ANN, made.id, kept)
    assert await world.found(collection="thread:1") == {"lamp kept"}
    await world.libraries.keep(ANN, made.id, kept)
    await world.libraries.release("thread:1")
    await world.libraries.take_out(ANN, made.id, kept)
    assert await world.found(collection="") == {"lamp kept"}
    assert await world.found(made.id) == set()


@pytest.mark.parametrize(
    ("right", "sees", "adds", "changes"),
    [("", False, False, False), ("read", True, False, False), ("add", True, True, False),
     ("manage", True, True, True)],
)  # fmt: skip
async def test_members_have_the_rights_that_they_were_given(world, right, sees, adds, changes):
    made = await world.libraries.create(ANN, "Lamps")
    anns = await world.add("lamp of ann")
    bobs = await world.add("lamp of bob", owner="bob")
    await world.libraries.keep(ANN, made.id, anns)
    if right:
        await world.member(made.id, BOB, right)
    seen = {"lamp of ann"} if sees else set()
    assert await world.found(made.id, person=BOB) == seen
    assert await world.found(person=BOB, document_ids=(anns,)) == seen
    assert await world.found(person=BOB) == {"lamp of bob"}
    assert await world.libraries.shows(BOB, anns) is sees
    listed = [one.id for one in await world.libraries.all(BOB)]
    assert listed == [own_id("bob"), *([made.id] if sees else [])]

    async def may(work) -> bool:
        codes = []
        try:
            await work
        except XnaiError as exc:
            codes.append(exc.code)
        assert codes in ([], ["not_found"])
        return not codes

    assert await may(world.libraries.get(BOB, made.id)) is sees
    assert await may(world.libraries.asked(BOB, [made.id])) is sees
    assert not await may(world.libraries.keep(BOB, made.id, anns))  # it is not Bob's to give
    assert await may(world.libraries.keep(BOB, made.id, bobs)) is adds
    assert ("lamp of bob" in await world.found(made.id)) is adds
    assert await may(world.libraries.take_out(BOB, made.id, anns)) is changes
    assert await may(world.libraries.change(BOB, made.id, name="Bob's")) is changes
    assert await may(world.libraries.delete(BOB, made.id, keeps_all=False)) is changes
    assert await world.library.get(anns) is not None


async def test_a_member_who_is_removed_sees_nothing_more_at_once(world):
    made = await world.libraries.create(ANN, "Lamps")
    await world.libraries.keep(ANN, made.id, await world.add("lamp of ann"))
    await world.member(made.id, BOB, "read")
    scope = Scope("bob", libraries=await world.libraries.asked(BOB, [made.id]))
    assert len(await world.library.search("lamp", scope, 5)) == 1
    await world.index._connections.write(lambda c: c.execute("DELETE FROM library_members"))
    assert await world.library.search("lamp", scope, 5) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [("", "empty"), (" \t\n ", "empty"), ("\u200d", "empty"), ("x" * 300, "too_long"),
     ("fdp\u202eexe", "unseen"), ("a\u200fb", "unseen"), ("a\x00b", "unseen"), ("\ud800", "unseen"),
     (OWN_NAME.upper(), "taken"), ("lamps", "taken"), (" LAMPS ", "taken"),
     ("\uff2cam\u200dps", "taken")],
)  # fmt: skip
async def test_a_name_that_cannot_be_kept_is_refused_with_a_sentence(world, name, code):
    await world.libraries.create(ANN, "Lamps")
    other = await world.libraries.create(ANN, "Other")
    error = await refused(f"library_name_{code}", world.libraries.create(ANN, name))
    assert "{" not in error.message
    await refused(f"library_name_{code}", world.libraries.change(ANN, other.id, name=name))
    assert [one.name for one in await world.libraries.all(ANN)] == ["", "Lamps", "Other"]
    if code == "taken" and name != OWN_NAME.upper():
        assert (await world.libraries.create(BOB, name)).owner == "bob"


def test_a_name_is_kept_as_people_write_it():
    assert checked_name("  Verträge \n 2024 ") == "Verträge 2024"
    with_joiner = "\u0645\u06cc\u200c\u062e"  # needs what cannot be seen
    assert checked_name(with_joiner) == with_joiner
    assert len(checked_name("x" * LONGEST_NAME)) == LONGEST_NAME


async def test_everybody_has_one_library_of_their_own(world):
    [shown] = await world.libraries.all(ANN)
    by_id = await world.libraries.get(ANN, own_id("ann"))
    assert await world.index.libraries.get(own_id("ann")) is None  # looking makes nothing
    first, again = await world.libraries.own(ANN), await world.libraries.own(ANN)
    assert shown.id == by_id.id == first.id
    assert first == again == await world.index.libraries.get(own_id("ann"))
    assert name_of(first) == OWN_NAME
    renamed = await world.libraries.change(ANN, first.id, name="Another", metadata={"a": "b"})
    assert (name_of(renamed), renamed.metadata) == (OWN_NAME, {"a": "b"})
    await world.libraries.create(ANN, "Lamps")
    assert [name_of(one) for one in await world.libraries.all(ANN)] == [OWN_NAME, "Lamps"]
    await refused("not_found", world.libraries.get(BOB, first.id))


async def test_a_library_holds_more_documents_than_a_chat_may_have(world):
    own = await world.libraries.own(ANN)
    for number in range(5):
        await world.libraries.keep(ANN, own.id, await world.add(f"lamp {number}", f"{number}.txt"))
    for number in range(3):
        await world.add(f"lamp beside {number}", f"beside {number}.txt")
    await refused("too_many_files", world.read("lamp 9", "9.txt"))
    for number in range(3):
        document = await world.add(f"lamp {number}", f"{number}.txt", collection="thread:1")
        await world.libraries.keep(ANN, own.id, document)
    await refused("too_many_files", world.read("lamp 9", "9.txt", collection="thread:1"))
    assert (await world.libraries.own(ANN)).count == 8


async def test_one_person_has_so_many_libraries(world, monkeypatch):
    monkeypatch.setattr(libraries, "MOST", 2)
    for name in ("Lamps", "Beds"):
        await world.libraries.create(ANN, name)
    await refused("libraries_too_many", world.libraries.create(ANN, "Chairs"))
    assert await world.libraries.create(BOB, None)


async def test_a_library_whose_time_is_over_is_not_asked_until_it_is_given_more(world):
    made = await world.libraries.create(ANN, "Lamps", expires_days=1)
    await world.libraries.keep(ANN, made.id, await world.add("lamp"))
    assert await world.libraries.asked(ANN, [made.id, made.id]) == (made.id,)
    long_ago = "UPDATE libraries SET used_at = used_at - 86401"
    await world.index._connections.write(lambda c: c.execute(long_ago))
    error = await refused("library_expired", world.libraries.asked(ANN, [made.id]))
    assert "Lamps" in error.message
    assert await world.found(collection="") == {"lamp"}
    await world.libraries.change(ANN, made.id, expires_days=7)
    assert await world.libraries.asked(ANN, [made.id]) == (made.id,)


async def test_what_goes_while_a_library_is_filled_or_asked_leaves_nothing_half_done(world):
    made = await world.libraries.create(ANN, "Lamps")
    gone, there = await world.add("lamp one"), await world.add("lamp two", "b.txt")
    await world.libraries.keep(ANN, made.id, gone)
    ids = await world.libraries.asked(ANN, [made.id])
    await world.library.delete(gone)
    error = await refused("not_found", world.libraries.keep(ANN, made.id, gone))
    assert "document" in error.message
    await world.libraries.delete(ANN, made.id, keeps_all=False)
    assert await world.found(*ids) == set()
    error = await refused("not_found", world.libraries.keep(ANN, made.id, there))
    assert "library" in error.message
    rows = await world.index._connections.read(
        lambda c: c.execute("SELECT count(*) FROM library_documents").get
    )
    assert rows == 0


async def test_libraries_that_were_lost_with_the_index_are_made_again(tmp_path):
    data, embedder = tmp_path / "data", GatedEmbedder(tmp_path)
    async with opened(data, embedder) as (library, index):
        world = World(library, index, Libraries(index.libraries, library), embedder, tmp_path)
        own, named = await world.libraries.own(ANN), await world.libraries.create(ANN, "Lamps")
        for place, made in (("thread:1", own), ("thread:2", named)):
            kept = await world.add(f"lamp of {place}", f"{place[-1]}.txt", collection=place)
            await world.libraries.keep(ANN, made.id, kept)
            await world.libraries.release(place)
    for path in data.glob("index.sqlite3*"):
        path.unlink()
    async with opened(data, embedder) as (library, index):
        world = World(library, index, Libraries(index.libraries, library), embedder, tmp_path)
        await world.libraries.start()
        for document in await library.all_documents("ann"):
            await followed(library, document.id)
        names = [name_of(one) for one in await world.libraries.all(ANN)]
        assert names == [OWN_NAME, f"Library {named.id[:8]}"]
        assert await world.found(own.id) == {"lamp of thread:1"}
        assert await world.found(named.id) == {"lamp of thread:2"}


async def test_data_of_an_earlier_version_stays_where_it_is_and_can_be_kept(tmp_path):
    with zipfile.ZipFile(ROOT / "tests/attacks/data-of-516d92e.zip") as kept:
        kept.extractall(tmp_path / "data")
    data, key = tmp_path / "data", "key-of-ann-0123456789"
    people = People(data, [key])
    ann = people.of_key(key)
    whose = functools.partial(owner_now, people, SqliteConversations(data))
    embedder = GatedEmbedder(tmp_path)
    async with opened(data, embedder, whose=whose) as (library, index):
        await carry_over(index, people, SqliteConversations(data))
        shelves = Libraries(index.libraries, library)
        await shelves.start()
        before = sorted((d.id, d.owner, d.collection) for d in await index.documents())
        assert [one.count for one in await shelves.all(ann)] == [0]
        own = await shelves.own(ann)
        [in_chat] = [d for d in await library.all_documents(ann.person_id) if d.collection]
        await shelves.keep(ann, own.id, in_chat.id)
        found = await library.search("lighthouse", Scope(ann.person_id, libraries=(own.id,)), 9)
        assert [passage.file_name for passage in found] == ["thread of ann.txt"]
        assert before == sorted((d.id, d.owner, d.collection) for d in await index.documents())
        await shelves.release(in_chat.collection)
        found = await library.search("lighthouse", Scope(ann.person_id, libraries=(own.id,)), 9)
        assert [passage.file_name for passage in found] == ["thread of ann.txt"]
    assert len(before) == 7


async def test_a_backup_has_the_libraries(tmp_path):
    embedder = GatedEmbedder(tmp_path)
    async with opened(tmp_path / "data", embedder) as (library, index):
        world = World(library, index, Libraries(index.libraries, library), embedder, tmp_path)
        made = await world.libraries.create(ANN, "Lamps")
        kept = await world.add("lamp kept", collection="thread:1")
        await world.libraries.keep(ANN, made.id, kept, {"year": 1987})
        await world.libraries.release("thread:1")
        first = Settings(data_dir=tmp_path / "data")
        await asyncio.to_thread(create_backup, first, tmp_path / "copy", lambda *_: None)
    again = Settings(data_dir=tmp_path / "again")
    await asyncio.to_thread(restore_backup, again, tmp_path / "copy", lambda *_: None)
    async with opened(again.data_dir, embedder) as (library, index):
        world = World(library, index, Libraries(index.libraries, library), embedder, tmp_path)
        [_, found] = await world.libraries.all(ANN)
        [(document, standing)] = await world.libraries.standing(ANN, found.id)
        assert (found.id, found.name, document.id) == (made.id, "Lamps", kept)
        assert standing.attributes == {"year": 1987}
        assert await world.found(found.id) == {"lamp kept"}
