"""The one line above an answer: what is going on, and at last what the answer rests on.

It opens into how the answer came about. Nothing else is put between a question and its answer, so
nothing moves while an answer grows.
"""

import time
from asyncio import CancelledError
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from xnai.answering.events import (
    Calculated,
    Loading,
    Parts,
    Prompted,
    Reading,
    Reduced,
    Retrieved,
    Waiting,
)
from xnai.locale import IN_ENGLISH, Texts, marked
from xnai.models.catalogue import shipped
from xnai.types import Citation, Passage
from xnai.ui import citation_links, markdown
from xnai.ui.library_choice import told_name
from xnai.ui.steps import ProgressStep, progress_step

SEARCHING = marked("Searching your documents")
THINKING = marked("Thinking")
WRITING = marked("Writing the answer")
_LONGEST_NAME = 60  # characters of the name of a model, or of a library

Progress = Loading | Waiting | Reading | Parts


class SummaryLine:
    """Shows one line; each method tells it an event of the answer.

    Args:
        step: the line on the page.
        searches: whether documents are searched for the answer.
        texts: what it says, in the language of the question.

    """

    def __init__(self, step: ProgressStep, *, searches: bool, texts: Texts = IN_ENGLISH) -> None:
        self._step = step
        self._texts = texts
        self._searches = searches
        self._began = time.monotonic()
        self._notices: list[str] = []
        self._details: list[str] = []
        self._reads_parts = False

    async def found(self, event: Retrieved) -> None:
        """Keep what the search has found."""
        count = len(event.passages)
        texts = self._texts
        words = texts.say_number("{number} passage", "{number} passages", count)
        took = markdown.duration(event.seconds, texts)
        self._details += (
            texts.say("Searched your documents: {passages} in {time}.", passages=words, time=took),
            passage_list(event.passages, texts),
        )
        await self._step.show(texts.say("Found {passages}", passages=words))

    async def progress(self, event: Progress) -> None:
        """Say how far the work is."""
        match event:
            case Loading():
                title = event.detail
            case Waiting():
                title = markdown.waiting(event.position, event.eta_seconds, self._texts)
            case Reading():
                found, spoken = marked("Reading what was found"), marked("Reading the conversation")
                what = self._texts.say(found if self._searches else spoken)
                share = f": {event.done / event.total:.0%}" if event.done and event.total else ""
                title = f"{what}{share}"
            case Parts():
                self._reads_parts = True
                title = self._texts.say(
                    "Reading your documents: {done} of {total} parts",
                    done=f"{event.done:,}",
                    total=f"{event.total:,}",
                )
        await self._step.show(title)

    async def writes(self) -> None:
        """Say that the answer is being written, unless the line says how much there is to read."""
        if not self._reads_parts:
            await self._step.show(self._texts.say(WRITING))

    def reduced(self, event: Reduced, request_id: str) -> None:
        """Keep what the answer has to do without."""
        title, words = markdown.reduced(event.rung, event.reason, request_id, self._texts)
        self._notices.append(title)
        self._details.insert(0, f"**{title}.** {words}")

    def calculated(self, event: Calculated) -> None:
        """Keep what was worked out over a table, and how it was asked for."""
        self._details.append(f"{markdown.plain(event.text)}\n\n*{markdown.plain(event.query)}*")

    def left_out(self, event: Prompted) -> None:
        """Keep what the model was not given."""
        if event.dropped:
            what = f" {self._texts.say('and')} ".join(event.dropped)
            text = marked("Left out, since the model cannot read all at once: {what}.")
            self._details.append(self._texts.say(text, what=what))

    async def end(
        self,
        citations: Sequence[Citation],
        *,
        found: bool,
        model: str = "",
        libraries: Sequence[str] = (),
    ) -> None:
        """Say what the answer rests on: the model and the libraries that were asked, if any."""
        pages = len({(one.document_id, one.page) for one in citations})
        parts = list(self._notices)
        if not found:
            parts.append(self._texts.say("Not found"))
        elif pages:
            parts.append(self._texts.say_number("{number} source", "{number} sources", pages))
        parts.append(markdown.duration(self._seconds, self._texts))
        if model:
            parts.append(model_words(model))
        if libraries:
            names = [
                told_name(markdown.shorten(one, _LONGEST_NAME), self._texts) for one in libraries
            ]
            asked = marked("asked too: {libraries}")
            parts.append(self._texts.say(asked, libraries=", ".join(names)))
        await self._step.finish(", ".join(parts), *self._details)

    async def stop(self, exc: BaseException) -> None:
        """Say that the answer was ended before it was whole."""
        took = markdown.duration(self._seconds, self._texts)
        stopped, ended = marked("Stopped after {time}"), marked("Ended after {time}")
        text = stopped if isinstance(exc, CancelledError) else ended
        await self._step.finish(self._texts.say(text, time=took), *self._details)

    async def remove(self) -> None:
        """Remove the line; that of an answer that goes on in its own message stands below it."""
        await self._step.remove()

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began


@asynccontextmanager
async def summary_line(
    *, searches: bool, texts: Texts = IN_ENGLISH
) -> AsyncGenerator[SummaryLine, None]:
    """Show the line while the block runs, and end it whatever ends the block."""
    async with progress_step(texts.say(SEARCHING if searches else THINKING)) as step:
        line = SummaryLine(step, searches=searches, texts=texts)
        try:
            yield line
        except BaseException as exc:
            if not step.closed:
                await line.stop(exc)
            raise


def passage_list(passages: Sequence[Passage], texts: Texts = IN_ENGLISH) -> str:
    """Return the passages found, each with its place, which leads to the reader."""
    rows = []
    for number, passage in enumerate(passages, 1):
        start, end = passage.evidence or (0, len(passage.text))
        cited = Citation(
            number,
            passage.document_id,
            passage.file_name,
            passage.page,
            passage.start + start,
            passage.start + end,
            "",
            0.0,
        )
        rows.append(
            f"{number}. {citation_links.named(cited, texts)}\n\n   > {markdown.excerpt(passage)}"
        )
    return "\n\n".join(rows)


def model_words(name: str) -> str:
    """Return a model's name for people: ``Qwen2.5 1.5B``."""
    entry = shipped().find(name)
    words = entry.title.partition(",")[0].removesuffix(" Instruct") if entry else name
    return markdown.shorten(words.removesuffix(".gguf"), _LONGEST_NAME)
