"""Owners as version 516d92e wrote them, carried over to people.

``data-of-516d92e.zip`` was made by that version's own code: chats of the local user, of the keys
of Ann and Cat, and one that is not in the history; a document in each, and one over the API of
nobody, of Ann's key and of Cat's. The text of each says "lighthouse" and whose it is.
"""

import functools
import zipfile
from pathlib import Path

import apsw
import pytest
from documents_library import GatedEmbedder, opened

from xnai.accounts import People, Principal, acting
from xnai.accounts.carry_over import carry_over, owner_now
from xnai.accounts.sqlite.conversations import SqliteConversations
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite.records import documents
from xnai.types import Scope
from xnai.ui.history.data_layer import SqliteHistory

KEYS = [f"key-of-{name}-0123456789" for name in ("ann", "bob")]
CAT = "key-of-cat-0123456789"


@pytest.fixture
def data(tmp_path):
    with zipfile.ZipFile(Path(__file__).with_name("data-of-516d92e.zip")) as kept:
        kept.extractall(tmp_path / "data")
    return tmp_path / "data"


async def found(library, person: Principal, **scope) -> set[str]:
    """What somebody finds by words and by meaning."""
    passages = await library.search("lighthouse", Scope(person.person_id, **scope), 20)
    return {passage.file_name for passage in passages}


async def test_everybody_finds_what_was_theirs_and_nothing_else(data, tmp_path):
    people = People(data, KEYS)
    ann, bob = map(people.of_key, KEYS)
    async with opened(data, GatedEmbedder(tmp_path)) as (library, index):
        before = await found(library, ann)
        given = await carry_over(index, people, SqliteConversations(data))
        again = await carry_over(index, people, SqliteConversations(data))
        names = {d.file_name: d for d in await index.documents()}
        seen = [await found(library, who) for who in (people.local, ann, bob)]
        in_chat = await found(library, ann, collection=names["thread of ann.txt"].collection)
        own_files = await found(library, ann, collection="")
        by_id = await found(library, ann, document_ids=tuple(d.id for d in names.values()))
        cat = People(data, [*KEYS, CAT]).of_key(CAT)
        cats = await found(library, cat)
    both = {"thread of ann.txt", "key of ann.txt"}
    assert (before, given, again, len(names)) == (set(), 6, 0, 7)
    assert seen == [{"thread of local.txt", "api.txt"}, both, set()]
    assert (in_chat, own_files, by_id) == ({"thread of ann.txt"}, {"key of ann.txt"}, both)
    assert cats == {"thread of cat.txt", "key of cat.txt"}
    assert names["thread of lost.txt"].owner == ""


async def test_without_a_history_chats_wait_for_it(data, tmp_path):
    people = People(data)
    history = data / "history.sqlite3"
    aside = history.rename(tmp_path / "aside")
    async with opened(data, GatedEmbedder(tmp_path)) as (library, index):
        first = await carry_over(index, people, SqliteConversations(data))
        alone = await found(library, people.local)
        aside.rename(history)
        second = await carry_over(index, people, SqliteConversations(data))
        both = await found(library, people.local)
    assert (first, alone) == (3, {"api.txt"})
    assert (second, both) == (3, {"api.txt", "thread of local.txt"})


@pytest.mark.parametrize("is_history_first", [True, False])
async def test_chats_stay_with_their_people_whatever_is_opened_first(
    data, tmp_path, is_history_first
):
    people = People(data, KEYS)
    ann, bob = map(people.of_key, KEYS)

    async def nobody(_: str) -> None: ...

    async def chats() -> list[str]:
        history = SqliteHistory(data, nobody, id_of_former_name=people.id_of_former_name)
        seen = []
        for who in (people.local, ann, bob):
            acting.set(who)
            thread = await history.get_thread_author("22222222-0000-4000-8000-000000000000")
            user = await history.get_user(who.person_id)
            seen.append((user is not None, thread == who.person_id))
        await history.close()
        return seen

    async with opened(data, GatedEmbedder(tmp_path)) as (library, index):
        seen = await chats() if is_history_first else None
        await carry_over(index, people, SqliteConversations(data))
        seen = seen or await chats()
        anns = await found(library, ann)
    assert seen == [(True, False), (True, True), (False, False)]
    assert "thread of ann.txt" in anns


async def test_who_has_what_outlives_the_index(data, tmp_path):
    people = People(data, KEYS)
    async with opened(data, GatedEmbedder(tmp_path)) as (_, index):
        await carry_over(index, people, SqliteConversations(data))
        before = {(d.id, d.owner, d.collection) for d in await index.documents()}
    whose = functools.partial(owner_now, people, SqliteConversations(data))
    # Cards say who it was until then; the owners of now are found again by them.
    for _ in range(2):
        for path in data.glob("index.sqlite3*"):
            path.unlink()
        async with opened(data, GatedEmbedder(tmp_path), whose=whose) as (_, index):
            assert {(d.id, d.owner, d.collection) for d in await index.documents()} == before


@pytest.mark.parametrize("keys", [[], KEYS])
async def test_a_file_that_nothing_is_known_of_is_the_one_local_persons_or_nobodys(
    data, tmp_path, keys
):
    for path in [*data.glob("index.sqlite3*"), *data.glob("history.sqlite3*")]:
        path.unlink()
    people = People(data, keys)
    whose = functools.partial(owner_now, people, SqliteConversations(data))
    async with opened(data, GatedEmbedder(tmp_path), whose=whose, api_keys=",".join(keys)) as (
        library,
        index,
    ):
        owners = {d.owner for d in await index.documents()}
        seen = len(await library.documents(people.local.person_id))
    assert (owners, seen) == (({"nobody"}, 0) if keys else ({people.local.person_id}, 7))


async def test_nothing_of_a_document_stays_behind_when_it_is_deleted(data, tmp_path):
    people = People(data, KEYS)
    async with opened(data, GatedEmbedder(tmp_path)) as (library, index):
        await carry_over(index, people, SqliteConversations(data))
        for document in await index.documents():
            assert await library.delete(document.id)
    db = apsw.Connection(str(data / "index.sqlite3"))
    words = "SELECT count(*) FROM chunks_fts WHERE chunks_fts MATCH 'lighthouse'"
    assert (documents(db, "", {}, Damage()), db.execute(words).get) == ([], 0)
