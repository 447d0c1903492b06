"""The model's breaker, opened and closed by hand, as a person at the page sees it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browser_pages import ANSWER_MS, ask, finished, visit
from paths import ROOT
from playwright.sync_api import Page, expect

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium"), pytest.mark.engine]


def breaker(server: Server, *words: str) -> str:
    """What `xnai breaker …` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "xnai.cli.main", "breaker", *words],
        cwd=server.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "XNAI_PORT": str(server.port)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_with_the_breaker_open_passages_are_cited_and_closed_again_it_answers(
    server: Server, page: Page, handbook: Path, shot
):
    visit(page, server.url)
    page.locator("#upload-button-input").set_input_files(str(handbook))
    expect(page.get_by_text("keepers-handbook.pdf").first).to_be_visible()
    try:
        breaker(server, "open", "model", "--reason", "new memory is being built in")
        listed = {row["name"]: row for row in json.loads(breaker(server, "list", "--json"))}
        assert listed["model"]["state"] == "forced_open"
        assert server.health()["breakers"]["model"]["reason"] == (
            "open by hand: new memory is being built in"
        )

        ask(page, "When was the lamp replaced?")
        notice = page.get_by_text("No answer was generated.")
        expect(notice).to_be_visible(timeout=ANSWER_MS)
        finished(page)
        shown = page.locator(".message-content").last
        expect(shown).to_contain_text("new memory is being built in")
        expect(page.locator("#xnai-status")).to_contain_text(
            "No answers at the moment", timeout=8000
        )
        shot("20-passages-alone")
        expect(shown.locator("a[href^='/reader/']").first).to_be_visible()
        expect(shown.locator("strong, .font-bold", has_text="October 1987")).to_be_visible()
    finally:
        breaker(server, "close", "model")

    expect(page.locator("#xnai-status")).to_contain_text("The model answers again", timeout=5000)
    shot("21-model-is-back")
    ask(page, "When was the lamp replaced?")
    expect(page.get_by_text("Sources", exact=True)).to_be_visible(timeout=ANSWER_MS)
    finished(page)
    expect(page.locator(".message-content").last).to_contain_text("1987")
    assert len(re.findall("No answer was generated", page.locator("body").inner_text())) == 1
    shot("22-full-answer")
    assert "closed" in breaker(server, "show", "model")
