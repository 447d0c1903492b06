"""Answers in a real browser: lost connections, reloads, second tabs, Stop, and what comes after."""

from collections.abc import Iterator

import pytest
from browser_pages import ANSWER_MS, ask, finished, visit
from playwright.sync_api import BrowserContext, Page, expect
from stream_pages import prepared

from rig.page import STORY

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.engine]

STOP = "#stop-button"


@pytest.fixture(scope="module")
def streams_server(server, tmp_path_factory) -> Iterator:
    # A browser on a busy machine needs long for what a page does after a reload.
    folder = tmp_path_factory.mktemp("browser")
    running = prepared(server, folder, XNAI_DISCONNECT_GRACE="60")
    running.start()
    running.wait(model="ready")
    yield running
    running.stop()


def answering(page: Page) -> str:
    """Ask for a story and wait for its first words."""
    ask(page, STORY)
    answer = page.locator(".ai-message .message-content").last
    expect(answer).not_to_be_empty(timeout=ANSWER_MS)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.ai-message')].at(-1).innerText.length > 60",
        timeout=ANSWER_MS,
    )
    return answer.inner_text()


def test_a_blip_keeps_the_answer_running_and_stop_works_again(streams_server, page: Page):
    sockets = []
    page.route_web_socket(
        "**/ws/socket.io/**", lambda ws: sockets.append(ws) or ws.connect_to_server()
    )
    visit(page, streams_server.url)
    before = answering(page)[:40]

    sockets[-1].close()

    page.wait_for_function("() => document.querySelector('#stop-button')", timeout=ANSWER_MS)
    page.wait_for_timeout(2500)
    assert len(sockets) >= 2
    expect(page.locator(STOP)).to_be_visible()
    expect(page.locator(".ai-message .message-content")).to_have_count(1)
    expect(page.locator(".ai-message").last).to_contain_text(before[:20])
    page.locator(STOP).click()
    finished(page)
    expect(page.locator(".ai-message").last).to_contain_text("Stopped.")


def test_a_reload_in_mid_answer_shows_the_answer_going_on(streams_server, page: Page):
    visit(page, streams_server.url)
    before = answering(page)[:40]

    page.reload()

    expect(page.locator(".ai-message").last).to_contain_text(before[:20], timeout=ANSWER_MS)
    expect(page.locator(STOP)).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator(".ai-message .message-content")).to_have_count(1)
    page.locator(STOP).click()
    finished(page)
    expect(page.locator(".ai-message").last).to_contain_text("Stopped.")


def test_a_second_tab_shows_the_same_answer_and_stops_it(
    streams_server, page: Page, context: BrowserContext
):
    visit(page, streams_server.url)
    before = answering(page)[:20]
    second = context.new_page()
    second.goto(page.url)

    expect(second.locator(".ai-message").last).to_contain_text(before, timeout=ANSWER_MS)
    second.locator(STOP).click(timeout=ANSWER_MS)

    for tab in (page, second):
        finished(tab)
        expect(tab.locator(".ai-message").last).to_contain_text("Stopped.")


def test_a_stopped_answer_is_continued_and_given_again(streams_server, page: Page, shot):
    visit(page, streams_server.url)
    answering(page)
    page.locator(STOP).click()
    finished(page)
    shot("7-stopped")

    page.get_by_role("button", name="Continue").click()

    expect(page.locator(STOP)).to_be_visible(timeout=ANSWER_MS)
    expect(page.locator(".ai-message .message-content")).to_have_count(1)
    page.locator(STOP).click(timeout=ANSWER_MS)
    finished(page)
    expect(page.get_by_role("button", name="Continue")).to_have_count(1)


def test_a_question_that_comes_too_early_goes_back_to_the_input(streams_server, page: Page):
    visit(page, streams_server.url)
    answering(page)
    # What the server sends back when a page asks although it cannot know that it must wait.
    page.evaluate(
        "window.postMessage({type: 'xnai:unsent', text: 'And what then?'}, window.location.origin)"
    )

    expect(page.locator("#chat-input")).to_contain_text("And what then?")
