"""Buttons, second questions, threads that are opened again, and a server that is killed."""

import asyncio

import pytest
from stream_pages import GRACE, MARKS, Page, prepared
from ui_client import tidy_up

from rig.page import STORY
from rig.waiting import eventually, stays

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def pages_server(server, tmp_path_factory):
    running = prepared(server, tmp_path_factory.mktemp("pages"))
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
async def tidied():
    yield
    await tidy_up()


async def stopped_story(page: Page) -> str:
    """A story that was stopped in the middle; gives its text."""
    await page.ask(STORY, max_tokens=600)
    await page.until(lambda: len(page.answer()) > 40, "some text")
    await page.emit("stop")
    await page.until(lambda: page.offered("continue_answer") and not page.loading, "the button")
    return page.answer().removesuffix("*Stopped.*").strip()


async def test_continue_goes_on_in_the_same_message(pages_server):
    page = await Page(pages_server).open()
    part = await stopped_story(page)
    await page.emit("chat_settings_change", {"max_tokens": 6})

    await page.press("continue_answer")

    assert await page.ended(2) == "completed"
    await page.until(lambda: not page.loading, "the end of the indicator")
    whole = page.answer()
    assert len(page.answers()) == 1
    assert whole.startswith(part)
    assert len(whole) > len(part) + 5
    assert MARKS["stopped"] not in whole
    # Six tokens cut it off once more: the button is there again, and there once.
    assert len(page.offered("continue_answer")) == 1
    saved = [s["output"] for s in await page.saved() if s["type"] == "assistant_message"]
    assert saved == [whole]


async def test_answering_again_keeps_the_earlier_answer(pages_server):
    page = await Page(pages_server).open()
    await page.ask("Name a fruit.", max_tokens=8)
    await page.ended()
    await page.until(lambda: page.offered("answer_again"), "the button")
    earlier = page.answer()

    await page.press("answer_again")

    await page.ended(2)
    await page.until(lambda: len(page.answers()) == 2 and not page.loading, "both answers")
    first, second = page.answers()
    assert first.startswith(earlier)
    assert "a newer one below" in first
    assert second
    saved = [s["output"] for s in await page.saved() if s["type"] == "assistant_message"]
    assert sorted(saved) == sorted([first, second])


async def test_a_file_replaces_those_of_its_name_that_came_with_earlier_messages(pages_server):
    documents = pages_server.folder / "data" / "documents"

    def kept() -> set[str]:
        return {path.name for path in documents.glob("??/*") if not path.suffix}

    page, others = await Page(pages_server).open(), kept()
    await page.ask("", b"The lamp was replaced in 1987.", b"Bread is baked on Tuesdays.")
    await page.until(lambda: page.answer().count("keepers.txt") == 2, "both files")
    together = kept() - others
    assert len(together) == 2
    assert not page.has("replaces the earlier")

    await page.ask("", b"The lamp was replaced in 1988.")

    await page.until(lambda: "replaces the earlier keepers.txt" in page.answer(), "the words")
    assert page.has("Read keepers.txt, which replaces the earlier keepers.txt")
    assert len(kept() - others) == 1
    assert not together & kept()


async def test_a_second_question_is_refused_and_its_words_come_back(pages_server):
    page = await Page(pages_server).open()
    await page.ask(STORY)
    await page.until(page.answer, "some text")
    first = page.question

    await page.ask("And what then?")

    assert page.tab is not None
    unsent = ("window_message", {"type": "xnai:unsent", "text": "And what then?"})
    await page.until(lambda: unsent in page.tab.events, "the words")
    assert "still being answered" in str(await page.tab.wait("toast"))
    await page.until(lambda: page.question not in page.shown, "the message gone")
    assert page.loading
    page.question = first
    await page.emit("stop")
    assert await page.ended() == "stopped"
    assert not [s for s in await page.saved() if s["output"] == "And what then?"]


async def test_stop_works_on_an_edited_question(pages_server):
    page = await Page(pages_server).open()
    await page.ask("Say yes.", max_tokens=4)
    await page.ended()
    first = next(i for i, step in page.shown.items() if step["type"] == "assistant_message")
    await page.emit("chat_settings_change", {"max_tokens": 1500})
    await page.emit("edit_message", {"message": {"id": page.question, "output": STORY}})
    await page.until(lambda: first not in page.shown and len(page.answer()) > 30, "the story")

    await page.emit("stop")

    assert await page.ended(2) == "stopped"
    await page.until(lambda: MARKS["stopped"] in page.answer(), "the mark")


async def test_a_blip_in_a_resumed_thread_duplicates_nothing(pages_server):
    page = await Page(pages_server).open()
    await page.ask("Name a fruit.", max_tokens=8)
    await page.ended()
    other = Page(pages_server)
    other.thread = page.thread
    await other.open(page.thread)
    await other.until(other.answers, "the thread")
    shown = len(other.shown)
    assert other.tab is not None
    for _ in range(3):
        await other.abort()
        await asyncio.sleep(0.1)
        await other.open(page.thread)
        await other.until(lambda: not other.loading, "the connection")

    assert not other.tab.saw("resume_thread")
    assert len(other.shown) <= shown + 2  # the run's own step and the question
    await other.ask("And a colour?", max_tokens=8)
    assert await other.ended() == "completed"
    steps = await other.saved()
    assert len([s for s in steps if s["type"] == "user_message"]) == 2


async def test_a_question_of_one_tab_appears_on_the_other(pages_server):
    page = await Page(pages_server).open()
    await page.ask("Name a fruit.", max_tokens=8)
    await page.ended()
    other = Page(pages_server)
    other.thread = page.thread
    await other.open(page.thread)

    await page.ask("Name a colour.", max_tokens=8)

    await page.ended()
    await other.until(lambda: page.question in other.shown and not other.loading, "the question")
    assert page.answers() == other.answers()


async def test_a_new_socket_before_the_old_one_is_dead_takes_the_answer_over(pages_server):
    page = await Page(pages_server).open()
    await page.ask(STORY)
    await page.until(lambda: len(page.answer()) > 20, "some text")
    old, before = page.tab, page.answer()

    await page.open()  # the same session while the first socket is still open

    await page.until(lambda: len(page.answer()) > len(before), "more text on the new socket")
    assert old is not None
    await old.vanish()
    await stays(lambda: "disconnected" not in page.ends(), "it goes on", GRACE + 0.3)
    await page.emit("stop")
    assert await page.ended() in {"stopped", "completed"}


async def test_the_grace_counts_from_the_last_time_the_page_went_away(pages_server):
    page = await Page(pages_server).open()
    await page.ask(STORY, max_tokens=2000)
    await page.until(lambda: len(page.answer()) > 20, "some text")
    for away in (0.6 * GRACE, 0.7 * GRACE):  # more than the grace after the first time
        await page.abort()
        await asyncio.sleep(away)
        await page.open()
    assert "disconnected" not in page.ends()
    await page.emit("stop")
    assert await page.ended() in {"stopped", "completed"}


async def test_a_deleted_thread_ends_its_answer_at_once(pages_server):
    page = await Page(pages_server).open()
    await page.ask(STORY)
    await page.until(lambda: len(page.answer()) > 20, "some text")

    answer = await page.http.request("DELETE", "/project/thread", json={"threadId": page.thread})

    answer.raise_for_status()
    assert await page.ended() == "disconnected"


async def test_what_a_killed_server_left_open_is_closed_in_words(server, tmp_path):
    own = prepared(server, tmp_path)
    own.start()
    try:
        own.wait(model="ready")
        page = await Page(own).open()
        await page.ask(STORY)
        await page.until(lambda: len(page.answer()) > 150, "some text")
        seen = page.answer()[:60]

        async def is_saved() -> bool:
            return any(step["output"].startswith(seen) for step in await page.saved())

        await eventually(is_saved, "the text in the history")
        reading = await Page(own).open()
        await reading.ask("Who bakes?", b"The keepers bake bread on Tuesdays.\n" * 9000)
        await reading.until(lambda: reading.has("Indexing"), "the file being read")
        await reading.until(lambda: reading.thread, "the thread")

        own.process.kill()
        own.process.wait(10)
        own.start()
        own.wait(status="ready")

        for other in (page, reading):
            other.http.cookies.clear()
            (await other.http.post("/auth/header")).raise_for_status()
        (answer,) = [s for s in await page.saved() if s["type"] == "assistant_message"]
        assert answer["output"].startswith(seen)
        assert answer["output"].endswith("*The server ended before the answer was complete.*")
        steps = [s for s in await reading.saved() if s["type"] == "tool"]
        assert steps
        assert all(s["end"] and s["name"].endswith("(the server ended)") for s in steps)
        again = Page(own)
        again.thread = page.thread
        await again.open(page.thread)
        await again.until(lambda: again.offered("continue_answer"), "the way on")
    finally:
        await tidy_up()
        own.stop()


async def test_an_answer_that_takes_too_long_is_ended_with_its_text(server, tmp_path):
    own = prepared(server, tmp_path, XNAI_ANSWER_TIMEOUT="2")
    own.start()
    try:
        own.wait(model="ready")
        page = await Page(own).open()
        await page.ask(STORY, max_tokens=3000)

        assert await page.ended() == "timed_out"
        await page.until(lambda: not page.loading, "the end of the indicator")
        saved = [s["output"] for s in await page.saved() if s["type"] == "assistant_message"]
        assert "*The answer took longer than allowed and was ended here.*" in saved[0]
        assert page.offered("continue_answer")
    finally:
        await tidy_up()
        own.stop()
