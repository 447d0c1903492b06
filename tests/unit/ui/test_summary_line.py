"""The line above an answer, from what is going on to what the answer rests on."""

import asyncio
from dataclasses import replace

import pytest

from xnai.answering.events import Loading, Parts, Prompted, Reading, Reduced, Retrieved, Waiting
from xnai.errors import INDEX_DAMAGED, XnaiError
from xnai.types import Citation, Passage
from xnai.ui import summary_line as module
from xnai.ui.links import unbreak_links
from xnai.ui.summary_line import SummaryLine, model_words, passage_list

TEXT = "The lamp is new. It flashes."
PASSAGE = Passage("d" * 32, "a_b.pdf", 3, 100, 128, TEXT, 0.9, evidence=(17, 28))


class Step:
    """What the page would show."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.body = ""
        self.closed = False

    async def show(self, title: str) -> None:
        self.titles.append(title)

    async def finish(self, title: str, *details: str) -> None:
        self.titles.append(title)
        self.body, self.closed = "\n\n".join(details), True


def cited(*pages: int) -> list[Citation]:
    return [Citation(n, "d", "a.pdf", page, n, n + 1, "", 0.5) for n, page in enumerate(pages, 1)]


@pytest.fixture
def step() -> Step:
    return Step()


@pytest.fixture
def line(step: Step, monkeypatch: pytest.MonkeyPatch) -> SummaryLine:
    made = SummaryLine(step, searches=True)
    began = made._began
    monkeypatch.setattr(module.time, "monotonic", lambda: began + 1.23)
    return made


async def test_it_ends_in_sources_time_and_model(line: SummaryLine, step: Step):
    await line.found(Retrieved((PASSAGE,), 0.056))
    line.left_out(Prompted(900, 1000, ("the oldest message", "the last passage")))

    await line.end(cited(1, 1, 2), found=True, model="qwen2.5-coder-1.5b-instruct-q4_k_m")

    assert step.titles == ["Found 1 passage", "2 sources, 1.2 s, Qwen2.5 Coder 1.5B"]
    assert step.body.startswith("Searched your documents: 1 passage in 0.1 s.\n\n1. [")
    assert step.body.endswith("at once: the oldest message and the last passage.")


async def test_what_is_going_on_is_said_in_words_that_people_know(line: SummaryLine, step: Step):
    for event in (
        Loading("Loading the model"),
        Waiting(2, 40),
        Reading(0, 56),
        Reading(28, 56),
        Parts(3, 9),
    ):
        await line.progress(event)
    await line.writes()

    assert step.titles == [
        "Loading the model",
        "Waiting for the model: 2nd in line, about 40 s",
        "Reading what was found",
        "Reading what was found: 50%",
        "Reading your documents: 3 of 9 parts",
    ]
    assert "token" not in " ".join(step.titles)


async def test_nothing_found_is_not_called_a_source(line: SummaryLine, step: Step):
    await line.end([], found=False)

    assert step.titles == ["Not found, 1.2 s"]


async def test_what_an_answer_does_without_stands_first(line: SummaryLine, step: Step):
    line.reduced(Reduced("text_only", XnaiError(INDEX_DAMAGED, path="p", reason="x")), "r1")

    await line.end(cited(1), found=True, model="mine")

    assert step.titles == ["Searched by words alone, 1 source, 1.2 s, mine"]
    assert step.body.startswith("**Searched by words alone.** Only the words of your documents")


@pytest.mark.parametrize(
    ("raised", "words"),
    [(asyncio.CancelledError(), "Stopped after 1.2 s"), (ValueError(), "Ended after 1.2 s")],
)
async def test_an_answer_that_was_ended_keeps_what_was_found(
    line: SummaryLine, step: Step, raised: BaseException, words: str
):
    await line.found(Retrieved((PASSAGE,), 0.5))

    await line.stop(raised)

    assert step.titles[-1] == words
    assert "Searched your documents" in step.body


def test_a_passage_leads_to_its_evidence():
    shown = unbreak_links(passage_list([PASSAGE, replace(PASSAGE, evidence=None, page=None)]))

    first, second = shown.split("\n\n2. ")
    where = f"/reader/{'d' * 32}?page=3&start=117&end=128"
    assert first.startswith(
        f"1. [a\\_b.pdf, p. 3]({where})\n\n   > The lamp is new. **It flashes.**"
    )
    assert second.startswith(f"[a\\_b.pdf](/reader/{'d' * 32}?page=0&start=100&end=128)")


def test_a_model_has_the_name_that_people_know():
    assert model_words("SmolLM2-135M-Instruct") == "SmolLM2 135M"
    assert model_words("my-own.gguf") == "my-own"
    assert len(model_words("word " * 100)) <= 62
