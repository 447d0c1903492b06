"""Every event in every phase of an answer: one end, the text kept, the place freed."""

import asyncio
import signal

import pytest
from stream_pages import (
    FILE,
    GRACE,
    MARKS,
    Page,
    holding_the_model,
    long_question,
    prepared,
    worker_of,
)
from ui_client import tidy_up

from rig.page import STORY, answers_of, figure
from rig.waiting import eventually, stays

pytestmark = pytest.mark.engine

PHASES = ("queued", "retrieving", "prefill", "decoding", "last_token")
BLIP = 2.0


@pytest.fixture(scope="module")
def busy_server(server, tmp_path_factory):
    running = prepared(server, tmp_path_factory.mktemp("streams"))
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
async def tidied():
    yield
    await tidy_up()


async def in_phase(page: Page, phase: str) -> list:
    """Ask, and return when the answer is in the phase; gives what has to be closed afterwards."""
    if phase == "queued":
        client, response = await holding_the_model(page.server)
        await page.ask(STORY)
        await page.until(lambda: figure(page.server, "xnai_queue_depth") > 0, "a place in the line")
        await page.until(lambda: page.question and page.thread, "the thread")
        return [response, client]
    if phase == "retrieving":
        await page.ask(STORY, FILE)
        await page.until(lambda: page.has("Indexing"), "the file being indexed")
    elif phase == "prefill":
        await page.ask(long_question())
        await page.until(lambda: page.has("Reading"), "the prompt being read")
    elif phase == "decoding":
        await page.ask(STORY)
        await page.until(lambda: len(page.answer()) > 20, "some text")
    else:
        await page.ask("Say yes.", max_tokens=2)
        await page.until(page.answer, "the first token")
    return []


async def release(held: list) -> None:
    for thing in held:
        await thing.aclose()


async def assert_well_afterwards(page: Page, held: list, *states: str) -> None:
    """One end, words and steps saved, nothing held, and the next question gets its answer."""
    server = page.server
    await release(held)
    state = await page.ended()
    await eventually(lambda: figure(server, "xnai_streams_active") == 0, "every stream over")
    assert page.ends() == [state]
    assert state in {*states, "completed"} if "last_token" in states else state in states
    steps = await page.saved()
    assert [step["name"] for step in steps if step["type"] == "tool" and not step.get("end")] == []
    saved = answers_of(steps)
    if saved and state != "completed":
        assert MARKS[state] in saved[0]
    seen = page.answer().split("\n\n*")[0]
    if seen:
        assert saved[0].startswith(seen)
    following = await Page(server).open()
    await following.ask("Say yes.", max_tokens=6)
    assert await following.ended() == "completed"
    assert following.answer()


def allowed(phase: str, *states: str) -> tuple[str, ...]:
    return (*states, "last_token") if phase == "last_token" else states


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("way", ["close", "abort"])
async def test_a_page_that_goes_ends_the_answer_after_the_grace(busy_server, phase, way):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)

    await (page.close() if way == "close" else page.abort())

    await stays(lambda: page.ends() == [] or phase == "last_token", "it goes on", GRACE / 2)
    await assert_well_afterwards(page, held, *allowed(phase, "disconnected"))


@pytest.mark.parametrize("phase", PHASES)
async def test_a_blip_within_the_grace_costs_nothing_and_stop_works_again(busy_server, phase):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)
    before = page.answer()
    await page.abort()
    await asyncio.sleep(BLIP)

    await page.open()

    if phase == "last_token":
        await page.until(lambda: page.ends() and not page.loading, "the end")
    else:
        await page.until(lambda: page.loading, "the running indicator")
        assert page.answer().startswith(before)
        if phase == "decoding":
            await page.until(lambda: len(page.answer()) > len(before), "more text")
        await page.emit("stop")
        await page.until(lambda: not page.loading, "the end of the indicator")
        await page.until(lambda: page.has("(stopped)") or "Stopped" in page.answer(), "the mark")
    await assert_well_afterwards(page, held, *allowed(phase, "stopped"))


@pytest.mark.parametrize("phase", PHASES)
async def test_a_blip_longer_than_the_grace_leaves_the_part_and_a_way_on(busy_server, phase):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)
    await page.abort()
    await page.until(page.ends, "the end of the grace")
    assert page.ends() == ["completed" if phase == "last_token" else "disconnected"]

    await page.open()

    if phase == "decoding":
        await page.until(lambda: MARKS["disconnected"] in page.answer(), "the mark")
        await page.until(lambda: page.offered("continue_answer"), "the button")
    await page.until(lambda: not page.loading, "no running indicator")
    await assert_well_afterwards(page, held, *allowed(phase, "disconnected"))


@pytest.mark.parametrize("phase", PHASES)
async def test_stop_ends_the_answer(busy_server, phase):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)

    await page.emit("stop")

    await page.until(lambda: not page.loading, "the end of the indicator")
    await assert_well_afterwards(page, held, *allowed(phase, "stopped"))


@pytest.mark.parametrize("phase", PHASES)
async def test_a_new_chat_ends_the_answer_at_once(busy_server, phase):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)

    await page.emit("clear_session")
    await asyncio.sleep(0.1)
    await page.close()

    await page.until(page.ends, "the end before the grace", GRACE - 0.1)
    await assert_well_afterwards(page, held, *allowed(phase, "disconnected"))


@pytest.mark.parametrize("phase", PHASES)
async def test_an_edit_ends_the_answer_and_begins_another(busy_server, phase):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)

    await page.emit("edit_message", {"message": {"id": page.question, "output": "Say no."}})
    await page.until(page.ends, "the end of the first answer")
    await release(held)
    await page.ended(2)

    first, second = page.ends()
    assert second == "completed"
    assert first in {"stopped", "completed" if phase == "last_token" else "stopped"}
    await page.until(lambda: not page.loading, "the end of the indicator")
    saved = [s for s in await page.saved() if s["type"] == "assistant_message"]
    assert len(saved) == 1
    assert saved[0]["output"] == page.answer()


@pytest.mark.parametrize("phase", PHASES)
async def test_a_second_tab_sees_the_answer_and_keeps_it_alive(busy_server, phase):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)
    before = page.answer()

    other = Page(busy_server)
    other.question, other.thread = page.question, page.thread
    await other.open(page.thread)
    await page.close()

    if phase == "last_token":
        await other.until(lambda: other.answer().startswith(before), "the answer")
    else:
        await other.until(lambda: other.loading, "the running indicator")
        await stays(lambda: "disconnected" not in page.ends(), "it goes on", GRACE + 0.3)
        if phase == "decoding":
            await other.until(lambda: len(other.answer()) > len(before), "more text")
        await other.emit("stop")
        await other.until(lambda: not other.loading, "the end of the indicator")
    await assert_well_afterwards(other, held, *allowed(phase, "stopped", "completed"))


@pytest.mark.parametrize("phase", PHASES)
async def test_a_killed_worker_ends_what_had_text_and_the_rest_goes_on(busy_server, phase):
    page = await Page(busy_server).open()
    held = await in_phase(page, phase)

    worker_of(busy_server).kill()

    if phase in {"queued", "retrieving", "prefill"}:
        await stays(lambda: page.ends() == [], "it goes on", 0.3)
        await page.emit("stop")
        await assert_well_afterwards(page, held, "stopped")
    else:
        await assert_well_afterwards(page, held, *allowed(phase, "failed"))


@pytest.mark.parametrize("phase", PHASES)
async def test_sigterm_ends_the_answer_saves_it_and_exits_with_0(server, tmp_path, phase):
    own = prepared(server, tmp_path)
    own.start()
    try:
        own.wait(model="ready")
        page = await Page(own).open()
        held = await in_phase(page, phase)
        seen = page.answer()

        own.process.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(own.process.wait, 30)

        await release(held)
        assert code == 0
        assert page.ends() in ([["completed"]] if phase == "last_token" else [["shut_down"]])
        own.start()
        own.wait(status="ready")
        page.http.cookies.clear()
        (await page.http.post("/auth/header")).raise_for_status()
        steps = await page.saved()
        saved = [s["output"] for s in steps if s["type"] == "assistant_message"]
        assert not seen or saved[0].startswith(seen)
        if phase == "decoding":
            assert MARKS["shut_down"] in saved[0]
        assert [s["name"] for s in steps if s["type"] == "tool" and not s.get("end")] == []
    finally:
        await tidy_up()
        own.stop()
