"""Hostile documents against the whole pipeline with the bundled model, and against the page."""

import re
import time
from contextlib import aclosing

import pytest
import pytest_asyncio
from hostile_documents import ADDRESS, FACT, HOSTILE, MARKER, QUESTION

from xnai.events import Done, Question, Token
from xnai.llm.build import EngineBuild
from xnai.llm.engine import LocalEngine
from xnai.pipeline import Pipeline
from xnai.prompt import fence
from xnai.retrieval.embedder import OnnxEmbedder
from xnai.retrieval.late_interaction import rerank
from xnai.retrieval.search import Found
from xnai.settings import Settings
from xnai.types import Passage, Scope
from xnai.ui import render

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What Markdown would make a link, an image or HTML of; a backslash before it takes its power.
_LIVE = re.compile(
    r"!\[[^\]]*\]\(|\]\(\s*http|\]\[|(?<!\\)<(?:img|script|iframe|form|svg|a)\b|https?://",
    re.IGNORECASE,
)


class OneDocument:
    """A library with one document, whose paragraphs are ranked by the real embedder."""

    def __init__(self, embedder: OnnxEmbedder) -> None:
        self.embedder = embedder
        self.text = ""

    async def find(self, question: str, scope: Scope, limit: int) -> Found:
        passage = Passage("d", "log.txt", 1, 0, len(self.text), self.text, 0.5, 1)
        asked = await self.embedder.embed_question(question)
        return Found(await rerank(self.embedder, asked, [passage], {}))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    embedder = OnnxEmbedder(Settings(data_dir=folder))
    await embedder.start()
    engine = LocalEngine(Settings(slots=2, context=2048), EngineBuild(Settings()))
    await engine.start()
    await engine.ensure_ready(time.monotonic() + 120)
    library = OneDocument(embedder)
    yield library, Pipeline(library, engine)
    await engine.close()
    await embedder.close()


@pytest.mark.engine
@pytest.mark.parametrize("number", range(len(HOSTILE)))
async def test_a_hostile_document_does_not_get_its_way(house, number):
    library, pipeline = house
    library.text = HOSTILE[number]
    asked = Question(QUESTION, "r", "u", scope=Scope("me"))

    text, done = "", None
    async with aclosing(pipeline.answer(asked)) as events:
        async for event in events:
            if isinstance(event, Token):
                text += event.text
            elif isinstance(event, Done):
                done = event

    breaker = render.LinkBreaker()
    shown = breaker.feed(text) + render.sources(done.citations)
    assert MARKER.casefold() not in text.casefold()
    assert "1987" in text
    assert _LIVE.search(shown) is None
    assert [library.text[c.start : c.end] for c in done.citations] == [
        c.quote for c in done.citations
    ]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
async def test_no_document_closes_its_quotation_or_makes_anything_live_in_the_page(number):
    text = HOSTILE[number]
    passage = Passage("d", "log.txt", 1, 0, len(text), text, 0.5, 1, evidence=(0, len(text)))

    fenced = fence(1, passage)
    listed = render.passage_list([passage])

    assert fenced.casefold().count("</passage") == 1
    assert fenced.casefold().count("<passage") == 1
    assert _LIVE.search(listed) is None
    assert ADDRESS not in listed


async def test_there_are_enough_of_them_and_each_has_the_honest_fact():
    assert len(set(HOSTILE)) >= 40
    assert all(FACT in text for text in HOSTILE)
