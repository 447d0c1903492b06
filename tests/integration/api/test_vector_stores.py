"""Libraries for programs: OpenAI's client, unchanged, on a whole server with two keys."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
import pytest_asyncio

from rig.waiting import eventually
from rig.whole_server import Server
from xnai.api.vector_store_filters import matcher
from xnai.errors import XnaiError

pytestmark = pytest.mark.asyncio(loop_scope="module")

ANN, BOB = "key-of-ann-0123456789", "key-of-bob-0123456789"
TEXTS = {
    "lighthouse.txt": b"The lighthouse of Norwick was built in 1954 by Ada Brook.",
    "harbour.txt": b"The harbour of Norwick was dredged in 1987.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    settings = {"XNAI_API_KEYS": f"{ANN},{BOB}", "XNAI_LLM_URL": "http://127.0.0.1:9"}
    own = Server(tmp_path_factory.mktemp("stores"), settings)
    own.start()
    try:
        await asyncio.to_thread(own.wait, status="ready")
        yield own
    finally:
        await asyncio.to_thread(own.stop)


def client_of(server: Server, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ann(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    async with client_of(server, ANN) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def files(ann: openai.AsyncOpenAI) -> dict[str, str]:
    """The ids of two files of Ann that were read."""
    made = {}
    for name, text in TEXTS.items():
        file = await ann.files.create(file=(name, text), purpose="assistants")
        made[name] = file.id

    async def read() -> bool:
        return all([(await ann.files.retrieve(i)).status == "processed" for i in made.values()])

    await eventually(read, "both files are read")
    return made


async def test_the_openai_client_makes_fills_searches_and_deletes_a_store(ann, files):
    store = await ann.vector_stores.create(name="Norwick", metadata={"town": "Norwick"})
    assert (store.object, store.name, store.status) == ("vector_store", "Norwick", "completed")
    assert (store.file_counts.total, store.metadata) == (0, {"town": "Norwick"})
    for number, file_id in enumerate(files.values()):
        put = await ann.vector_stores.files.create_and_poll(
            file_id, vector_store_id=store.id, attributes={"number": number, "old": not number}
        )
        assert (put.status, put.vector_store_id, put.last_error) == ("completed", store.id, None)
    store = await ann.vector_stores.retrieve(store.id)
    assert (store.file_counts.completed, store.file_counts.total) == (2, 2)
    assert store.usage_bytes == sum(map(len, TEXTS.values()))

    found = await ann.vector_stores.search(store.id, query="When was the lighthouse built?")
    first = found.data[0]
    assert (first.file_id, first.filename) == (files["lighthouse.txt"], "lighthouse.txt")
    assert "1954" in first.content[0].text
    assert first.attributes == {"number": 0, "old": True}
    assert 0 < first.score <= 1
    only = {"type": "and", "filters": [{"type": "gte", "key": "number", "value": 1},
                                       {"type": "eq", "key": "old", "value": False}]}  # fmt: skip
    found = await ann.vector_stores.search(store.id, query=["Norwick", "built"], filters=only)
    assert {one.filename for one in found.data} == {"harbour.txt"}
    nothing = {"type": "eq", "key": "number", "value": 7}
    found = await ann.vector_stores.search(store.id, query="Norwick", filters=nothing)
    assert found.data == []

    listed = [one.id async for one in ann.vector_stores.files.list(store.id, order="asc")]
    assert listed == [*files.values()]
    first, second = listed
    paged = [one.id async for one in ann.vector_stores.files.list(store.id, limit=1)]
    assert paged == [second, first]
    before = await ann.vector_stores.files.list(store.id, order="asc", before=second)
    assert [one.id for one in before.data] == [first]
    failed = await ann.vector_stores.files.list(store.id, filter="failed")
    assert failed.data == []
    noted = await ann.vector_stores.files.update(
        first, vector_store_id=store.id, attributes={"number": 5}
    )
    assert noted.attributes == {"number": 5}
    gone = await ann.vector_stores.files.delete(first, vector_store_id=store.id)
    assert gone.deleted
    with pytest.raises(openai.NotFoundError):
        await ann.vector_stores.files.retrieve(first, vector_store_id=store.id)
    deleted = await ann.vector_stores.delete(store.id)
    assert deleted.deleted
    with pytest.raises(openai.NotFoundError):
        await ann.vector_stores.retrieve(store.id)
    assert {one.id async for one in ann.files.list()} == {*files.values()}
    assert (await ann.files.content(first)).content == TEXTS["lighthouse.txt"]


async def test_a_store_is_made_with_files_renamed_and_given_a_time(ann, files):
    store = await ann.vector_stores.create(
        file_ids=[*files.values()], expires_after={"anchor": "last_active_at", "days": 7}
    )
    assert store.name.startswith("Library ")
    assert store.file_counts.total == 2
    assert store.expires_at == store.last_active_at + 7 * 86_400
    changed = await ann.vector_stores.update(store.id, name="Harbours", expires_after=None)
    assert (changed.name, changed.expires_at) == ("Harbours", None)
    with pytest.raises(openai.ConflictError) as caught:
        await ann.vector_stores.create(name="HARBOURS")
    assert caught.value.code == "library_name_taken"
    await ann.vector_stores.delete(store.id)


async def test_the_stores_of_a_program_are_the_libraries_of_its_person(ann, files):
    first = [one async for one in ann.vector_stores.list(order="asc", limit=1)]
    assert [one.name for one in first] == ["My library"]
    own = first[0].id
    await ann.vector_stores.files.create(own, file_id=files["harbour.txt"])
    assert (await ann.vector_stores.retrieve(own)).file_counts.completed == 1
    with pytest.raises(openai.BadRequestError):
        await ann.vector_stores.update(own, name="Another")
    await ann.vector_stores.delete(own)  # and is there again, with nothing in it
    assert (await ann.vector_stores.retrieve(own)).file_counts.total == 0


async def test_batches_put_many_files_in_and_are_followed(ann, files):
    store = await ann.vector_stores.create(name="Batches")
    batch = await ann.vector_stores.file_batches.create_and_poll(
        store.id, file_ids=[*files.values()], attributes={"town": "Norwick"}
    )
    assert (batch.object, batch.status, batch.vector_store_id) == (
        "vector_store.files_batch",
        "completed",
        store.id,
    )
    assert (batch.file_counts.completed, batch.file_counts.total) == (2, 2)
    listed = [
        one async for one in ann.vector_stores.file_batches.list_files(
            batch.id, vector_store_id=store.id, limit=1, order="asc"
        )
    ]  # fmt: skip
    assert [one.id for one in listed] == [*files.values()]
    assert listed[0].attributes == {"town": "Norwick"}
    # What is read already is not taken out again; what somebody takes out is not in it.
    cancelled = await ann.vector_stores.file_batches.cancel(batch.id, vector_store_id=store.id)
    assert (cancelled.status, cancelled.file_counts.completed) == ("completed", 2)
    long = b"The harbour of Norwick was dredged again. " * 40_000
    slow = await ann.files.create(file=("long.txt", long), purpose="assistants")
    second = await ann.vector_stores.file_batches.create(
        store.id, files=[{"file_id": slow.id, "attributes": {"town": "Sund"}}]
    )
    if second.status == "in_progress":
        second = await ann.vector_stores.file_batches.cancel(second.id, vector_store_id=store.id)
        assert (second.status, second.file_counts.cancelled) == ("cancelled", 1)
        again = await ann.vector_stores.file_batches.retrieve(second.id, vector_store_id=store.id)
        assert again.status == "cancelled"
        with pytest.raises(openai.NotFoundError):
            await ann.vector_stores.files.retrieve(slow.id, vector_store_id=store.id)
    assert (await ann.files.retrieve(slow.id)).id == slow.id
    await ann.files.delete(slow.id)
    for given in ({}, {"file_ids": []}, {"file_ids": ["x"], "files": [{"file_id": "x"}]}):
        with pytest.raises(openai.BadRequestError):
            await ann.post(
                f"/vector_stores/{store.id}/file_batches", body=given, cast_to=httpx.Response
            )
    with pytest.raises(openai.NotFoundError):
        await ann.vector_stores.file_batches.create(
            store.id, file_ids=[files["harbour.txt"], "0" * 32]
        )
    with pytest.raises(openai.NotFoundError):
        await ann.vector_stores.file_batches.retrieve("vsfb_0", vector_store_id=store.id)
    await ann.vector_stores.delete(store.id)
    with pytest.raises(openai.NotFoundError):
        await ann.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id)


async def test_embeddings_are_those_of_the_search(ann):
    said = ["The lighthouse was built in 1954.", "Tea is served at four."]
    made = await ann.embeddings.create(model="default", input=said)
    asked = await ann.embeddings.create(
        model=made.model, input="When was the lighthouse built?", extra_body={"input_type": "query"}
    )
    question = asked.data[0].embedding

    def near(vector: list[float]) -> float:
        return sum(one * other for one, other in zip(vector, question, strict=True))

    assert near(question) == pytest.approx(1, abs=1e-3)
    assert near(made.data[0].embedding) > near(made.data[1].embedding) + 0.2


async def test_what_is_somebody_elses_is_not_there(server, ann, files):
    store = await ann.vector_stores.create(name="Ann's", file_ids=[files["harbour.txt"]])
    async with client_of(server, BOB) as bob:
        assert [one.name async for one in bob.vector_stores.list()] == ["My library"]
        theirs = await bob.vector_stores.create(name="Ann's")
        file, id_ = files["harbour.txt"], store.id
        batch = await ann.vector_stores.file_batches.create(id_, file_ids=[file])
        for work in (
            bob.vector_stores.retrieve(id_),
            bob.vector_stores.update(id_, name="x"),
            bob.vector_stores.delete(id_),
            bob.vector_stores.file_batches.create(id_, file_ids=[file]),
            bob.vector_stores.file_batches.retrieve(batch.id, vector_store_id=id_),
            bob.vector_stores.file_batches.cancel(batch.id, vector_store_id=id_),
            bob.vector_stores.search(id_, query="harbour"),
            bob.vector_stores.files.list(id_),
            bob.vector_stores.files.create(id_, file_id=file),
            bob.vector_stores.files.retrieve(file, vector_store_id=id_),
            bob.vector_stores.files.delete(file, vector_store_id=id_),
            bob.vector_stores.files.create(theirs.id, file_id=file),
            bob.vector_stores.create(name="Stolen", file_ids=[file]),
        ):
            with pytest.raises(openai.NotFoundError):
                await work
        assert [one.name async for one in bob.vector_stores.list()] == ["Ann's", "My library"]
        asked = {"retrieval": {"vector_store_ids": [id_]}}
        with pytest.raises(openai.NotFoundError):
            await bob.chat.completions.create(
                model="default",
                messages=[{"role": "user", "content": "When was the harbour dredged?"}],
                extra_body=asked,
            )
    assert (await ann.vector_stores.retrieve(id_)).file_counts.total == 1
    await ann.vector_stores.delete(id_)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("", {"name": ""}, "library_name_empty"),
        ("", {"name": "x" * 300}, "library_name_too_long"),
        ("", {"name": "fdp\u202eexe"}, "library_name_unseen"),
        ("", {"name": 7}, "bad_request"),
        ("", {"metadata": {"a": "x" * 600}}, "bad_request"),
        ("", {"metadata": {str(n): "x" for n in range(17)}}, "bad_request"),
        ("", {"expires_after": {"anchor": "last_active_at", "days": 0}}, "bad_request"),
        ("", {"file_ids": ["0" * 32]}, "not_found"),
        ("", [], "bad_request"),
        ("/{own}/search", {}, "bad_request"),
        ("/{own}/search", {"query": "x", "max_num_results": 51}, "bad_request"),
        ("/{own}/search", {"query": "x", "filters": {"type": "like"}}, "bad_request"),
        ("/{own}/search", {"query": "x" * 10_001}, "bad_request"),
        ("/{own}/files", {}, "bad_request"),
        ("/{own}/files", {"file_id": "0" * 32}, "not_found"),
        ("/{own}/files", {"file_id": "x", "attributes": {"a": [1]}}, "bad_request"),
        ("/none/search", {"query": "x"}, "not_found"),
    ],
)
async def test_a_request_that_cannot_be_served_says_why(server, ann, path, body, code):
    own = next(iter([one.id async for one in ann.vector_stores.list(order="asc", limit=1)]))
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ANN}"}) as http:
        address = f"{server.url}/v1/vector_stores{path.replace('{own}', own)}"
        answer = await http.post(address, json=body)
        stores = (await http.get(f"{server.url}/v1/vector_stores?limit=100")).json()["data"]
    assert answer.json()["error"]["code"] == code, answer.text
    assert len(stores) == 1


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "filter=odd"])
async def test_a_list_says_what_it_cannot_do(server, ann, query):
    own = next(iter([one.id async for one in ann.vector_stores.list(order="asc", limit=1)]))
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {ANN}"}) as http:
        answer = await http.get(f"{server.url}/v1/vector_stores/{own}/files?{query}")
    assert answer.json()["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    ("given", "attributes", "is_match"),
    [
        ({"type": "eq", "key": "a", "value": 1}, {"a": 1.0}, True),
        ({"type": "eq", "key": "a", "value": 1}, {"a": True}, False),
        ({"type": "eq", "key": "a", "value": 1}, {}, False),
        ({"type": "ne", "key": "a", "value": 1}, {}, True),
        ({"type": "gt", "key": "a", "value": "b"}, {"a": "c"}, True),
        ({"type": "lt", "key": "a", "value": 5}, {"a": "4"}, False),
        ({"type": "lte", "key": "a", "value": 5}, {"a": 5}, True),
        ({"type": "in", "key": "a", "value": ["x", 2]}, {"a": 2}, True),
        ({"type": "nin", "key": "a", "value": ["x", 2]}, {"a": 2}, False),
        ({"type": "or", "filters": [{"type": "eq", "key": "a", "value": 1},
                                    {"type": "eq", "key": "b", "value": 2}]}, {"b": 2}, True),
        ({"type": "and", "filters": []}, {}, True),
    ],
)  # fmt: skip
async def test_a_filter_tells_files_by_their_attributes(given, attributes, is_match):
    assert matcher(given)(attributes) is is_match


async def test_a_filter_of_very_many_parts_is_refused():
    deep = {"type": "eq", "key": "a", "value": 1}
    for _ in range(8):
        deep = {"type": "and", "filters": [deep]}
    wide = {"type": "or", "filters": [{"type": "eq", "key": "a", "value": 1}] * 100}
    values = {"type": "in", "key": "a", "value": [1] * 101}
    for given in (deep, wide, values, {"type": "in", "key": "a", "value": 1}, {"type": "and"}, 7):
        with pytest.raises(XnaiError):
            matcher(given)
