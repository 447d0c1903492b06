import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import socketio
from ui_client import KEYS, Server, Tab, refusal, threads, tidy_up, words

from rig.page import upload
from rig.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def tidy() -> AsyncIterator[None]:
    yield
    await tidy_up()


async def test_a_session_without_a_word_leaves_nothing_behind(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.wait("new_message")
    before = len(chat.events())
    await tab.close()
    await eventually(lambda: chat.events()[before:], "the end of the session")
    (ended,) = chat.events()[before:]
    assert ended["persisted"] is False
    assert ended["ended"] not in [thread["id"] for thread in await threads(client)]


async def test_a_thread_can_be_found_renamed_and_deleted_with_its_documents(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.ask("Where is the harbour?")
    await tab.close()
    thread_id = tab.thread_id
    answer = await client.put("/project/thread", json={"threadId": thread_id, "name": "Harbour"})
    names = {thread["id"]: thread["name"] for thread in await threads(client)}
    assert (answer.status_code, "Harbour") == (200, names[thread_id])

    await client.request("DELETE", "/project/thread", json={"threadId": thread_id})
    gone = await client.get(f"/project/thread/{thread_id}")
    assert ({"deleted": thread_id}, 404) == (chat.events()[-1], gone.status_code)


async def test_a_thread_deleted_while_it_is_open_does_not_come_back(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.ask("Forget me")
    await client.request("DELETE", "/project/thread", json={"threadId": tab.thread_id})
    before = len(chat.events())
    await tab.close()
    await eventually(lambda: chat.events()[before:], "the end of the session")
    assert tab.thread_id not in [thread["id"] for thread in await threads(client)]


async def test_feedback_is_kept_and_only_on_messages_that_are_there(chat: Server):
    client = await chat.client()
    tab = await Tab(chat, client).open()
    await tab.ask("Good?")
    thread = (await client.get(f"/project/thread/{tab.thread_id}")).json()
    message_id = thread["steps"][-1]["id"]

    async def rate(step_id: str) -> httpx.Response:
        feedback = {"forId": step_id, "value": 1, "comment": "Yes."}
        return await client.put(
            "/feedback", json={"feedback": feedback, "sessionId": tab.session_id}
        )

    kept, missing = await rate(message_id), await rate(str(uuid.uuid4()))
    thread = (await client.get(f"/project/thread/{tab.thread_id}")).json()
    await tab.close()
    assert (kept.status_code, missing.status_code) == (200, 404)
    assert thread["steps"][-1]["feedback"]["comment"] == "Yes."


async def test_conversations_and_the_cookie_survive_a_crash(tmp_path: Path):
    async with Server(tmp_path) as server:
        client = await server.client()
        before = await Tab(server, client).open()
        await before.wait("update_message")
        await before.ask("Remember the blue door")
        await threads(client)  # answered after everything that was written before
        server.stop(signal.SIGKILL)
    async with server:  # on the same port, which the cookie is for
        client = server.stranger(cookies=client.cookies)
        (listed,) = await threads(client)
        after = await Tab(server, client).open(threadId=before.thread_id)
        resumed = await after.wait("resume_thread")
        await after.ask("And the red one")
        thread = (await client.get(f"/project/thread/{before.thread_id}")).json()
        await after.close()
    assert (before.thread_id, "Remember the blue door") == (listed["id"], listed["name"])
    assert words(resumed) == [
        "Welcome.",
        "Remember the blue door",
        "You said: Remember the blue door",
    ]
    assert [(e["type"], e["props"]) for e in resumed["elements"]] == [("custom", {"page": 3})]
    assert words(thread)[3:] == ["And the red one", "You said: And the red one"]


async def test_a_resumed_thread_is_kept_when_its_session_ends_before_a_word(chat: Server):
    client = await chat.client()
    first = await Tab(chat, client).open()
    await first.ask("Stay")
    await first.close()
    again = await Tab(chat, client).open(threadId=first.thread_id)
    await again.wait("resume_thread")
    before = len(chat.events())
    await again.close()
    await eventually(lambda: chat.events()[before:], "the end of the session")
    assert chat.events()[-1] == {"ended": first.thread_id, "persisted": True}


async def test_one_keys_threads_are_closed_to_another(keyed: Server):
    first, second = [await keyed.client(key) for key in KEYS]
    mine = await Tab(keyed, first).open()
    await mine.ask("My secret")
    thread_id = mine.thread_id
    thread = (await first.get(f"/project/thread/{thread_id}")).json()
    step_id = thread["steps"][-1]["id"]
    refused = await refusal(keyed, second, threadId=thread_id)
    feedback = {"forId": step_id, "value": 0}
    answers = [
        await second.get(f"/project/thread/{thread_id}"),
        await second.put("/project/thread", json={"threadId": thread_id, "name": "Yours"}),
        await second.request("DELETE", "/project/thread", json={"threadId": thread_id}),
        await second.put("/feedback", json={"feedback": feedback, "sessionId": mine.session_id}),
        await upload(second, mine.session_id, "a.txt", b"x", "text/plain"),
        await second.post(
            "/project/action",
            json={"action": {"name": "count", "payload": {}}, "sessionId": mine.session_id},
        ),
    ]
    kept = (await first.get(f"/project/thread/{thread_id}")).json()
    await mine.close()
    assert "There is no conversation" in refused["message"]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert ([], thread) == (await threads(second), kept)


async def test_another_keys_session_cannot_be_taken_over(keyed: Server):
    first, second = [await keyed.client(key) for key in KEYS]
    mine = await Tab(keyed, first).open()
    await mine.wait("new_message")
    thief = Tab(keyed, second)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await thief.open(sessionId=mine.session_id)
    await mine.ask("Still mine")
    await mine.close()
