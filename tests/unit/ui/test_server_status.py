"""What all pages are told of the server, and when."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from xnai.llm.protocol import ModelStatus
from xnai.resilience.states import State
from xnai.ui import server_status as module
from xnai.ui.broadcast import NAMESPACE
from xnai.ui.server_status import ServerStatus, model_words, paused

READY = ModelStatus("ready", "small", 0.0)


@dataclass(frozen=True)
class Shut:
    """What is read of a breaker."""

    name: str
    state: State = State.OPEN
    reason: str = "it has crashed"
    retry_in: float | None = 12.34


@dataclass
class Page:
    """All pages, as the socket server sees them."""

    told: list[tuple[dict[str, Any], str | None]] = field(default_factory=list)
    handlers: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def emit(self, event: str, data: dict[str, Any], to: str | None = None) -> None:
        assert event == "window_message"
        self.told.append((data, to))

    @property
    def texts(self) -> list[str]:
        return [data["text"] for data, _ in self.told]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    session = SimpleNamespace(socket_id="open", environ={})
    monkeypatch.setattr(module, "ws_sessions_id", {"one": session})
    return SimpleNamespace(
        search_state=SimpleNamespace(state="ready", detail=""),
        breakers=SimpleNamespace(status=list),
        model=SimpleNamespace(status=READY),
    )


async def test_a_server_that_is_well_says_nothing(server):
    page = Page()
    status = ServerStatus(server, page)

    for _ in range(5):
        await status.look()

    assert page.told == []


async def test_words_are_told_when_they_change_and_a_countdown_is_the_pages_own(server):
    page = Page()
    status = ServerStatus(server, page)
    for wait in (12.34, 11.3, 10.3):
        server.breakers.status = lambda wait=wait: [Shut("model", retry_in=wait)]
        await status.look()

    (told,) = page.told
    assert told == (
        {
            "type": "xnai:status",
            "text": "No answers at the moment, only passages of your documents: it has crashed.",
            "progress": None,
            "is_down": True,
            "next_attempt": 12.3,
        },
        "open",
    )


async def test_another_wait_is_counted_down_anew(server, monkeypatch):
    page = Page()
    status = ServerStatus(server, page)
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    for moment, wait in ((100.0, 5.0), (104.0, 1.0), (106.0, 30.0)):
        now = moment
        server.breakers.status = lambda wait=wait: [Shut("model", retry_in=wait)]
        await status.look()

    assert [data["next_attempt"] for data, _ in page.told] == [5.0, 30.0]


async def test_a_model_that_is_back_is_good_news_for_a_while(server, monkeypatch):
    page = Page()
    status = ServerStatus(server, page)
    now = 100.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    server.breakers.status = lambda: [Shut("model")]
    await status.look()
    server.breakers.status = list
    await status.look()
    now += module.GOOD_NEWS + 1
    await status.look()

    assert page.texts[1:] == ["The model answers again. Ask once more for a full answer.", ""]


async def test_a_page_that_connects_is_told_alone_before_anything_else(server):
    page = Page()
    order: list[str] = []

    async def connected(sid: str) -> None:
        order.append(f"connected {sid} after {len(page.told)}")

    page.handlers = {NAMESPACE: {"connection_successful": connected}}
    server.search_state = SimpleNamespace(state="starting", detail="")
    status = ServerStatus(server, page)
    status.install(page)

    await page.handlers[NAMESPACE]["connection_successful"]("s1")

    assert order == ["connected s1 after 1"]
    assert page.told[0][1] == "s1"
    assert page.texts == ["Opening the documents"]


async def test_each_page_is_told_in_its_own_language(server):
    page = Page()
    asks = {"HTTP_ACCEPT_LANGUAGE": "de-AT,de;q=0.9"}
    module.ws_sessions_id["two"] = SimpleNamespace(socket_id="german", environ=asks)
    preparing = replace(READY, state="preparing", progress=0.5, eta_seconds=30)
    server.model = SimpleNamespace(status=preparing)
    await ServerStatus(server, page).look()

    told = {to: data["text"] for data, to in page.told}
    assert told["open"].startswith("First start: building the model's engine")
    assert told["german"] == (
        "Erster Start: Die Engine des Modells wird für diesen Rechner gebaut, 50%, noch etwa 30 s. "
        "Dokumente können schon durchsucht werden."
    )


def test_while_one_model_can_be_asked_nothing_is_paused():
    shut, well = Shut("endpoint:a"), Shut("endpoint:b", State.CLOSED)
    index = Shut("index")

    assert paused([index]) is None
    assert paused([shut, well, index]) is None
    assert paused([shut, index]) is shut


def test_each_state_of_the_model_has_words():
    preparing = replace(READY, state="preparing", progress=0.344, eta_seconds=250)

    assert model_words(READY).text == ""
    assert model_words(replace(READY, state="loading")).text == "Loading the model"
    assert model_words(replace(READY, state="down", detail="It has died")).is_down
    words = model_words(preparing)
    assert words.progress == 0.34
    assert words.text == (
        "First start: building the model's engine for this machine, 34%, about 4 min left. "
        "Documents can be searched already."
    )
