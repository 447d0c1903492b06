import asyncio
import json
import sqlite3
import stat
import threading
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chainlit.types import Feedback, Pagination, ThreadFilter
from chainlit.user import User

from xnai.accounts import Principal, acting
from xnai.errors import XnaiError
from xnai.ui.history.data_layer import FILE_NAME, SqliteHistory
from xnai.ui.history.rows import MAX_INPUT, MAX_OUTPUT
from xnai.ui.history.sqlite import searching


def new_id() -> str:
    return str(uuid.uuid4())


def files(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


def step(thread_id: str, **values: Any) -> dict[str, Any]:
    return {
        "id": new_id(),
        "threadId": thread_id,
        "type": "assistant_message",
        "name": "XNAi",
        "output": "",
        **values,
    }


def act_as(name: str) -> None:
    acting.set(Principal(name, "key"))


class Element:
    """What the data layer asks of Chainlit's element."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def to_dict(self) -> dict[str, Any]:
        return self.values


class Deleted:
    def __init__(self) -> None:
        self.threads: list[str] = []
        self.problem: Exception | None = None

    async def __call__(self, thread_id: str) -> None:
        if self.problem:
            raise self.problem
        self.threads.append(thread_id)


@pytest.fixture(name="deleted")
def deleted_() -> Deleted:
    return Deleted()


@pytest_asyncio.fixture(name="history")
async def history_(tmp_path: Path, deleted: Deleted) -> AsyncIterator[SqliteHistory]:
    history = SqliteHistory(tmp_path, deleted)
    for name in ("ann", "bob"):
        await history.create_user(User(identifier=name))
    yield history
    await history.close()


@pytest.fixture(autouse=True)
def ann() -> None:
    act_as("ann")


async def thread_of(history: SqliteHistory, user: str, name: str = "A question") -> str:
    act_as(user)
    thread_id = new_id()
    await history.update_thread(thread_id, name=name)
    return thread_id


async def threads(history: SqliteHistory, user: str, first: int = 50, **filters: Any) -> Any:
    act_as(user)
    cursor = filters.pop("cursor", None)
    owner = await history.get_user(user)
    return await history.list_threads(
        Pagination(first=first, cursor=cursor), ThreadFilter(userId=owner.id, **filters)
    )


async def names(history: SqliteHistory, user: str, **filters: Any) -> list[str]:
    return [thread["name"] for thread in (await threads(history, user, **filters)).data]


async def test_a_user_is_kept_once_and_metadata_is_renewed(history: SqliteHistory):
    first = await history.get_user("ann")
    again = await history.create_user(User(identifier="ann", metadata={"a": 1}))
    assert (first.id, {"a": 1}) == (again.id, again.metadata)


async def test_forty_racing_creates_and_updates_keep_every_output(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    steps = [step(thread_id) for _ in range(40)]
    tasks = []
    for number, made in enumerate(steps):
        tasks.append(asyncio.create_task(history.create_step(made)))
        done = {**made, "output": f"answer {number}"}
        tasks.append(asyncio.create_task(history.update_step(done)))
    await asyncio.gather(*tasks)
    kept = await history.get_thread(thread_id)
    assert [f"answer {n}" for n in range(40)] == [s["output"] for s in kept["steps"]]


async def test_who_opens_a_chat_again_and_again_keeps_nobodys_messages_waiting(
    history: SqliteHistory,
):
    anns, bobs = await thread_of(history, "ann"), await thread_of(history, "bob")
    ends: list[str] = []

    async def opened(thread_id: str, who: str) -> None:
        act_as(who)
        await history.get_thread(thread_id)
        ends.append(who)

    async def written() -> None:
        act_as("bob")
        await history.create_step(step(bobs))
        ends.append("bob's message")

    anns_reads = [asyncio.create_task(opened(anns, "ann")) for _ in range(200)]
    await asyncio.sleep(0)  # all of them have begun
    await asyncio.gather(*anns_reads, opened(bobs, "bob"), written())
    assert max(ends.index("bob"), ends.index("bob's message")) <= 4


async def test_a_write_that_waits_for_its_turn_outlives_who_asked_for_it(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    made = step(thread_id, output="some text")
    turn = threading.Event()
    busy = history._submit(lambda _: turn.wait(5))
    asking = asyncio.create_task(history.create_step(made))
    await asyncio.sleep(0)

    asking.cancel()  # as Stop does it
    turn.set()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await busy
    kept = await history.get_thread(thread_id)
    assert ["some text"] == [s["output"] for s in kept["steps"]]


async def test_dicts_and_lists_of_a_step_come_back_as_they_were(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    rich = {"modes": {"m": "a"}, "tags": ["x"], "metadata": {"k": [1]}, "generation": {"t": 1}}
    await history.create_step(step(thread_id, **rich))
    (kept,) = (await history.get_thread(thread_id))["steps"]
    assert rich == {key: kept[key] for key in rich}


async def test_a_step_that_was_streaming_is_not_kept_so(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    await history.create_step(step(thread_id, streaming=True))
    (kept,) = (await history.get_thread(thread_id))["steps"]
    assert kept["streaming"] is False


async def test_texts_are_cut_at_their_bounds_and_say_so(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    await history.create_step(
        step(thread_id, output="o" * (MAX_OUTPUT + 1), input="i" * (MAX_INPUT + 1))
    )
    (kept,) = (await history.get_thread(thread_id))["steps"]
    assert (len(kept["output"]), len(kept["input"])) == (MAX_OUTPUT, MAX_INPUT)
    assert kept["output"].endswith("[…]")


async def test_huge_metadata_is_left_out_and_the_words_are_kept(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    await history.create_step(step(thread_id, output="words", metadata={"k": "v" * 300_000}))
    (kept,) = (await history.get_thread(thread_id))["steps"]
    assert (kept["output"], kept["metadata"]) == ("words", {})


async def test_nul_and_half_surrogates_do_not_lose_a_message(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    await history.create_step(step(thread_id, output="a\0b\ud800c", metadata={"k": "\ud800"}))
    (kept,) = (await history.get_thread(thread_id))["steps"]
    assert kept["output"] == "ab?c"


async def test_a_persons_message_makes_its_thread(history: SqliteHistory):
    thread_id = new_id()
    await history.create_step(step(thread_id, type="user_message", output="Hello"))
    await history.update_thread(thread_id, name="Hello", user_id="whoever")
    assert await names(history, "ann") == ["Hello"]


async def test_a_thread_is_named_by_one_line_of_bounded_length(history: SqliteHistory):
    await thread_of(history, "ann", "What\n is  " + "x" * 300)
    (name,) = await names(history, "ann")
    assert (name.startswith("What is xxx"), len(name)) == (True, 200)


async def test_answers_and_metadata_do_not_bring_a_deleted_thread_back(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    late = step(thread_id)
    await history.create_step(late)
    await history.delete_thread(thread_id)
    await history.update_step({**late, "output": "late"})
    await history.create_step(step(thread_id))
    await history.create_element(Element(id=new_id(), threadId=thread_id, type="custom"))
    await history.update_thread(thread_id, metadata={"chat_settings": {}})
    assert await history.get_thread(thread_id) is None


async def test_deleting_a_thread_leaves_no_row_and_no_word_in_the_file(
    history: SqliteHistory, deleted: Deleted, tmp_path: Path
):
    thread_id = await thread_of(history, "ann")
    message = step(thread_id, output="sesame-open")
    await history.create_step(message)
    await history.create_element(
        Element(id=new_id(), threadId=thread_id, forId=message["id"], type="custom", props={})
    )
    await history.upsert_feedback(Feedback(forId=message["id"], value=1))
    await history.delete_thread(thread_id)
    left = [path.name for path in files(tmp_path, "*") if b"sesame-open" in path.read_bytes()]
    await history.close()
    db = sqlite3.connect(tmp_path / FILE_NAME)
    tables = ("threads", "steps", "elements", "feedbacks")
    counts = [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables]
    db.close()
    assert ([0, 0, 0, 0], [thread_id]) == (counts, deleted.threads)
    assert left == []


async def test_a_thread_whose_documents_cannot_be_deleted_stays(
    history: SqliteHistory, deleted: Deleted
):
    thread_id = await thread_of(history, "ann")
    deleted.problem = OSError("busy")
    with pytest.raises(OSError, match="busy"):
        await history.delete_thread(thread_id)
    assert await names(history, "ann") == ["A question"]


async def test_deleting_a_thread_that_is_not_there_tells_nobody(
    history: SqliteHistory, deleted: Deleted
):
    await history.delete_thread(new_id())
    assert deleted.threads == []


async def test_deleting_a_message_takes_the_steps_and_elements_below_it(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    question = step(thread_id, type="user_message")
    run = step(thread_id, type="run", parentId=question["id"])
    tool = step(thread_id, type="tool", parentId=run["id"])
    other = step(thread_id)
    for made in (question, run, tool, other):
        await history.create_step(made)
    await history.create_element(
        Element(id=new_id(), threadId=thread_id, forId=tool["id"], type="custom")
    )
    await history.delete_step(question["id"])
    kept = await history.get_thread(thread_id)
    assert ([other["id"]], []) == ([s["id"] for s in kept["steps"]], kept["elements"])


async def test_a_custom_element_comes_back_with_its_props_and_is_replaced(history: SqliteHistory):
    thread_id, element_id = await thread_of(history, "ann"), new_id()
    for page in (3, 4):
        await history.create_element(
            Element(
                id=element_id,
                threadId=thread_id,
                forId="step",
                type="custom",
                name="Source",
                url="/v1/files/1",
                display="inline",
                props={"page": page},
                chainlitKey="gone with the session",
            )
        )
    expected = {
        "id": element_id,
        "threadId": thread_id,
        "forId": "step",
        "type": "custom",
        "name": "Source",
        "url": "/v1/files/1",
        "display": "inline",
        "props": {"page": 4},
    }
    assert [expected] == (await history.get_thread(thread_id))["elements"]
    assert expected == await history.get_element(thread_id, element_id)


async def test_a_task_list_without_an_address_is_not_kept(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    await history.create_element(Element(id=new_id(), threadId=thread_id, type="tasklist"))
    assert (await history.get_thread(thread_id))["elements"] == []


async def test_metadata_is_merged_and_none_removes_a_key(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    await history.update_thread(thread_id, metadata={"a": 1, "b": 2})
    await history.update_thread(thread_id, metadata={"a": None, "c": 3})
    assert (await history.get_thread(thread_id))["metadata"] == {"b": 2, "c": 3}


async def test_feedback_is_one_opinion_a_message(history: SqliteHistory):
    thread_id = await thread_of(history, "ann")
    message = step(thread_id)
    await history.create_step(message)
    first = await history.upsert_feedback(Feedback(forId=message["id"], value=0))
    again = await history.upsert_feedback(Feedback(forId=message["id"], value=1, comment="ok"))
    (kept,) = (await history.get_thread(thread_id))["steps"]
    expected = {"id": first, "forId": message["id"], "value": 1, "comment": "ok"}
    assert (first, expected) == (again, kept["feedback"])
    assert await names(history, "ann", feedback=1) == ["A question"]
    assert await names(history, "ann", feedback=0) == []
    assert await history.delete_feedback(first)
    assert "feedback" not in (await history.get_thread(thread_id))["steps"][0]


async def test_pages_of_threads_follow_each_other_without_a_gap(history: SqliteHistory):
    for number in range(7):
        await thread_of(history, "ann", f"Question {number}")
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = await threads(history, "ann", first=3, cursor=cursor)
        seen += [thread["name"] for thread in page.data]
        cursor = page.pageInfo.endCursor
    assert ([f"Question {n}" for n in range(6, -1, -1)], False) == (
        seen,
        page.pageInfo.hasNextPage,
    )


async def test_the_thread_spoken_in_last_comes_first(history: SqliteHistory):
    old = await thread_of(history, "ann", "Old")
    await thread_of(history, "ann", "New")
    await history.create_step(step(old, type="user_message"))
    assert await names(history, "ann") == ["Old", "New"]


async def test_search_takes_percent_and_underscore_as_they_are(history: SqliteHistory):
    for name in ("100% sure", "100 sure", "a_b", "axb"):
        await thread_of(history, "ann", name)
    said = await thread_of(history, "ann", "Other")
    await history.create_step(step(said, output="It rains \\ pours"))
    found = [await names(history, "ann", search=words) for words in ("0% S", "a_b", "\\ p", "'--")]
    assert found == [["100% sure"], ["a_b"], ["Other"], []]


async def test_a_search_keeps_nobody_s_messages_from_being_saved(
    history: SqliteHistory, monkeypatch: pytest.MonkeyPatch
):
    begun, goes_on = threading.Event(), threading.Event()

    def contains(_text: object, _words: object) -> bool:
        begun.set()
        return goes_on.wait(30)

    monkeypatch.setattr(searching, "contains", contains)
    await thread_of(history, "ann", "Boats")
    search = asyncio.create_task(names(history, "ann", search="boat"))
    await asyncio.to_thread(begun.wait, 30)

    said = await thread_of(history, "bob", "Bob's")
    await history.create_step(step(said, output="Hello"))
    assert await names(history, "bob") == ["Bob's"]
    assert not search.done()

    goes_on.set()
    assert await search == ["Boats"]


async def test_a_search_that_takes_too_long_gives_what_was_found(
    history: SqliteHistory, monkeypatch: pytest.MonkeyPatch
):
    for number in range(50):
        await thread_of(history, "ann", f"Boat {number}")
    monkeypatch.setattr(searching, "LONGEST_SECONDS", -1.0)
    assert len(await names(history, "ann", search="boat")) < 50
    monkeypatch.setattr(searching, "LONGEST_SECONDS", 30.0)
    assert len(await names(history, "ann", search="BOAT")) == 50


async def test_of_a_very_long_conversation_a_page_gets_the_end_and_nothing_is_lost(
    history: SqliteHistory,
):
    thread_id = await thread_of(history, "ann", "Long")
    for number in range(6):
        words = f"message {number} " + "a" * 900_000
        await history.create_step(step(thread_id, type="user_message", output=words))
    thread = await history.get_thread(thread_id)
    shown = [one["output"][:9] for one in thread["steps"]]
    assert shown == [f"message {number}" for number in range(2, 6)]
    assert thread["shortened"]
    assert await names(history, "ann", search="message 0") == ["Long"]


@pytest.mark.parametrize("thread_id", ["' OR 1=1 --", "x'); DROP TABLE threads; --", "\ud800"])
async def test_ids_are_never_part_of_a_query(history: SqliteHistory, thread_id: str):
    await thread_of(history, "ann")
    await history.delete_thread(thread_id)
    assert await history.get_thread(thread_id) is None
    assert await names(history, "ann") == ["A question"]


async def test_another_user_gets_at_nothing(history: SqliteHistory, deleted: Deleted):
    thread_id = await thread_of(history, "ann")
    message, element_id = step(thread_id, output="mine"), new_id()
    await history.create_step(message)
    await history.create_element(Element(id=element_id, threadId=thread_id, type="custom"))
    feedback = await history.upsert_feedback(Feedback(forId=message["id"], value=1))
    before = json.dumps(await history.get_thread(thread_id))

    act_as("bob")
    for refused in (
        history.get_thread(thread_id),
        history.delete_thread(thread_id),
        history.get_element(thread_id, element_id),
        history.upsert_feedback(Feedback(forId=message["id"], value=0)),
        history.update_thread(thread_id, name="Bob's"),
    ):
        with pytest.raises(XnaiError):
            await refused
    assert not await history.delete_feedback(feedback)
    assert await history.get_thread_author(thread_id) == ""
    await history.create_step(step(thread_id, type="user_message", output="bob was here"))
    await history.update_step({**message, "output": "changed"})
    await history.delete_step(message["id"])
    await history.delete_element(element_id)
    await history.create_element(Element(id=element_id, threadId=thread_id, type="file"))
    await history.update_thread(thread_id, metadata={"bob": 1})
    assert (await threads(history, "bob")).data == []

    act_as("ann")
    assert (before, []) == (json.dumps(await history.get_thread(thread_id)), deleted.threads)


async def test_a_list_of_somebody_elses_threads_is_empty(history: SqliteHistory):
    await thread_of(history, "ann")
    owner = await history.get_user("ann")
    act_as("bob")
    page = await history.list_threads(Pagination(first=5), ThreadFilter(userId=owner.id))
    assert page.data == []


async def test_an_id_that_is_taken_replaces_no_message_in_another_thread(history: SqliteHistory):
    mine, his = await thread_of(history, "ann"), await thread_of(history, "bob")
    act_as("ann")
    message = step(mine, output="mine")
    await history.create_step(message)
    act_as("bob")
    await history.create_step({**message, "threadId": his, "output": "his"})
    await history.update_step({**message, "threadId": his, "output": "his"})
    act_as("ann")
    assert [s["output"] for s in (await history.get_thread(mine))["steps"]] == ["mine"]


async def test_everything_is_there_after_a_restart(tmp_path: Path, deleted: Deleted):
    first = SqliteHistory(tmp_path, deleted)
    await first.create_user(User(identifier="ann"))
    thread_id = await thread_of(first, "ann")
    await first.create_step(step(thread_id, output="kept"))
    await first.close()
    second = SqliteHistory(tmp_path, deleted)
    kept = await second.get_thread(thread_id)
    await second.close()
    assert [s["output"] for s in kept["steps"]] == ["kept"]


async def test_the_file_is_readable_by_its_owner_only(history: SqliteHistory, tmp_path: Path):
    await thread_of(history, "ann")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in files(tmp_path, f"{FILE_NAME}*")}
    assert {0o600} == modes


async def test_a_damaged_file_is_put_aside_and_a_new_one_begins(tmp_path: Path, deleted: Deleted):
    (tmp_path / FILE_NAME).write_bytes(b"this was a database once" * 100)
    history = SqliteHistory(tmp_path, deleted)
    user = await history.create_user(User(identifier="ann"))
    await history.close()
    assert (user.identifier, len(files(tmp_path, "*.damaged-*"))) == ("ann", 1)


async def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path, deleted: Deleted):
    db = sqlite3.connect(tmp_path / FILE_NAME)
    db.execute("PRAGMA user_version = 99")
    db.close()
    history = SqliteHistory(tmp_path, deleted)
    with pytest.raises(Exception, match="version 99"):
        await history.get_user("ann")
    assert "version 99" in history.problem
    await history.close()


async def test_writes_after_the_end_are_dropped_without_an_exception(tmp_path: Path):
    history = SqliteHistory(tmp_path, Deleted())
    await history.close()
    await history.create_step(step(new_id()))
    with pytest.raises(XnaiError) as caught:
        await history.get_user("ann")
    assert caught.value.code == "shutting_down"


async def test_a_full_disk_is_named_and_the_next_good_write_clears_it(
    history: SqliteHistory, tmp_path: Path
):
    thread_id = await thread_of(history, "ann")
    db = history._store.threads._db
    pages = db.pragma("page_count")
    await history._run(lambda _store: db.pragma("max_page_count", pages))
    await history.create_step(step(thread_id, output="x" * 500_000))
    problem = history.problem
    await history._run(lambda _store: db.pragma("max_page_count", 1_000_000))
    await history.create_step(step(thread_id, output="small"))
    kept = [s["output"] for s in (await history.get_thread(thread_id))["steps"]]
    assert (str(tmp_path) in problem, kept, history.problem) == (True, ["small"], "")


MARK = "[\u20601]"
PROPS = {"document": "d" * 32, "file": "a.pdf", "page": 3, "start": 5, "end": 9, "quote": "Words."}


def as_before_links(path: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Make of a history what the version before had made."""
    with sqlite3.connect(path / FILE_NAME) as file:
        for statement, values in statements:
            file.execute(statement, values)
        file.execute("DROP TABLE choices")
        file.execute("PRAGMA user_version = 2")
    file.close()


async def test_citations_of_an_earlier_version_are_links_and_no_elements(tmp_path, deleted):
    history = SqliteHistory(tmp_path, deleted)
    await history.create_user(User(identifier="ann"))
    thread_id = await thread_of(history, "ann")
    text = f"It opened. {MARK} More. [\u20602] `x[1]`\n\n**Sources**\n- {MARK} **a.pdf**"
    answer = step(thread_id, output=text)
    await history.create_step(answer)
    common = {"type": "custom", "display": "side", "threadId": thread_id, "forId": answer["id"]}
    for element in (
        {**common, "id": new_id(), "name": MARK, "props": PROPS},
        {**common, "id": new_id(), "name": "[\u20602]", "props": {"page": "cut"}},
        {**common, "id": new_id(), "name": "a.txt", "type": "file", "display": "inline"},
    ):
        await history.create_element(Element(**element))
    await history.close()
    as_before_links(tmp_path)

    again = SqliteHistory(tmp_path, deleted)
    thread = await again.get_thread(thread_id)
    await again.close()

    shown = thread["steps"][0]["output"]
    assert shown.count(f'[[1]](/reader/{"d" * 32}?page=3&start=5&end=9 "a.pdf, p. 3")') == 2
    assert "More. [\u20602] `x[1]`" in shown
    assert [element["name"] for element in thread["elements"]] == ["a.txt"]
