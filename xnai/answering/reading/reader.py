"""Answers a question from the text of its documents: read, quote, answer, prove.

The model gets the documents as numbered lines, quotes those that answer, and then answers. What it
writes is shown a sentence at a time, each only after its proof; the first one decides whether it
is shown as an answer at all.
"""

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from xnai.answering.about import is_about
from xnai.answering.events import Calculated, Done, Event, Prompted, Token
from xnai.answering.evidence import evidence
from xnai.answering.reading.asking import SOURCE_TOKENS, Asking
from xnai.answering.reading.count import Count
from xnai.answering.reading.files import Over, asked_over, by_file
from xnai.answering.reading.gather import Gathered, Gatherer
from xnai.answering.reading.grids import grid_alone
from xnai.answering.reading.identified import record_alone
from xnai.answering.reading.length import bounds_of
from xnai.answering.reading.lines import NumberedLine, Sheet, of_lines, results_alone
from xnai.answering.reading.named import (
    cells_alone,
    names_no_row,
    sections_alone,
    sections_of,
    with_named,
)
from xnai.answering.reading.original import originals
from xnai.answering.reading.plans import Told, few_first, nothing, over_compared, plan, recited
from xnai.answering.reading.ranges import outside_alone
from xnai.answering.reading.structure import asks_for_section
from xnai.answering.reading.tabled import calculation_for, texts_of, with_calculation
from xnai.answering.reading.telling import Telling
from xnai.answering.reading.terms import end_alone
from xnai.answering.reading.watch import StreamWatch
from xnai.answering.run import AnswerRun
from xnai.answering.tables.calculation import Calculation
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.text_work import TextWork
from xnai.retrieval.text_ranker import TextRanker
from xnai.types import Message

_LEAST_ROOM = 200  # tokens for documents, however little a model has
_HEAD_TOKENS = 1300  # of the system text and its examples
LEAST_CONTEXT = 2048  # tokens; with fewer there is no room for documents behind the examples
_ROOMY = 4096  # tokens of a context that has room for rows that are told twice
_RECITED = 600  # characters of sections that are told as they are
_ANSWER_SHARE = 3  # of which at most one part of the context is kept for the answer
_MARKS = re.compile(r"\s?\[(?:\d{1,3}|\?)\]")
_TURNS = 6  # messages of the history that are kept
_TURN_CHARACTERS = 600  # of each


class Reader:
    """Answers from the documents in a question's scope, by a model that can read.

    Args:
        library: whose documents.
        ranker: what compares lines with questions; without one the model's quotes stand.

    """

    def __init__(self, library: DocumentLibrary, ranker: TextRanker | None = None) -> None:
        self._library = library
        self._ranker = ranker
        self._text_work = TextWork()
        self._gatherer = Gatherer(library, self._text_work)

    async def answer(self, run: AnswerRun) -> AsyncGenerator[Event, None]:
        """Stream an answer, each of its sentences behind its proof.

        Raises:
            XnaiError: it cannot be answered, or not in time.

        """
        asking = Asking(run, _recent(run.question.history), Count(), self._ranker)
        told = Told(run.texts)
        calculation = await run.within(calculation_for(run, asking, self._library, self._text_work))
        gathered = await run.within(self._gathered(asking, calculation))
        if calculation is not None:
            yield Calculated(calculation.shown, calculation.query)
            sheet = with_calculation(gathered.sheet, calculation)
            gathered = replace(gathered, sheet=sheet)
        summary = run.whole is not None and not is_about(run.question.text)
        over = asked_over(gathered.sheet, run.question.text, summary=summary)
        said = ""
        for telling in await _plan(asking, told, gathered, over, calculation):
            for token in told.drain():
                said += token.text
                yield token
            if not telling.sheet.lines:
                continue
            completion, tokens = await run.within(asking.completion(telling))
            yield Prompted(tokens, run.model.context_tokens, ())
            one_reading = over == "all" and not told.holds and run.whole is None
            watch = StreamWatch(asking, told, telling, tokens, checks=one_reading)
            async with aclosing(run.model.complete(completion)) as stream:
                async for event in stream:
                    shown, is_over = await watch.see(event)
                    for one in shown:
                        said += one.text if isinstance(one, Token) else ""
                        yield one
                    if is_over:
                        break
            await asking.look_again(telling, refusals=one_reading)
        for token in told.drain():
            said += token.text
            yield token
        foreign = bool(asking.translations) and told.outcome == "answered"
        if foreign and (lines := originals(said, told.citations)):
            yield Token(lines)
        missing = told.outcome == "not_found"
        yield Done(
            asking.count.reason,
            asking.count.usage,
            tuple(told.citations),
            run.seconds,
            evidence=evidence(run.passages) if missing else (),
            found=not missing,
            outcome=told.outcome,
            route=_route(run, over, calculation),
            read_share=gathered.share,
        )

    async def reads_whole(self, run: AnswerRun) -> bool:
        """Whether the model is given all of the documents for a question.

        Raises:
            XnaiError: it cannot be told, or not in time.

        """
        return await run.within(self._fits(run))

    async def _fits(self, run: AnswerRun) -> bool:
        room = await _room(run, _recent(run.question.history))
        return await self._gatherer.fits(run, room)

    async def _gathered(self, asking: Asking, calculation: Calculation | None) -> Gathered:
        """What is answered from, with room for a calculation behind it."""
        run = asking.run
        room = await _room(run, asking.history)
        if calculation is not None:
            room -= sum(await run.model.count_tokens(texts_of(calculation)))
        return await self._gatherer.gather(run, max(_LEAST_ROOM, room))


def _route(run: AnswerRun, over: Over, calculation: Calculation | None) -> str:
    if run.whole:
        return "summary"
    return f"read {over}, calculated" if calculation else f"read {over}"


async def _room(run: AnswerRun, history: Sequence[Message]) -> int:
    """How many tokens of documents fit into the prompt."""
    question, model = run.question, run.model
    spoken = await model.count_tokens([*(m.content for m in history), question.text])
    context = model.context_tokens
    answer = min(question.sampling.max_tokens + SOURCE_TOKENS, context // _ANSWER_SHARE)
    return max(_LEAST_ROOM, context - _HEAD_TOKENS - answer - sum(spoken))


async def _plan(
    asking: Asking, told: Told, gathered: Gathered, over: Over, calculation: Calculation | None
) -> Iterator[Telling]:
    """In which readings the question is answered."""
    run = asking.run
    lines = [line.text for line in gathered.sheet.lines]
    question = await run.within(asking.spelt(run.question.text, lines))
    whole = gathered.share >= 1
    certain = calculation is not None and calculation.is_certain
    if certain or (whole and names_no_row(gathered.sheet, question)):
        return nothing(told)
    if run.whole is None and not is_about(question):
        await asking.translate(question, gathered.sheet)
    if over == "compared" and (compared := await _compared(asking, question, told, gathered.sheet)):
        return compared
    sheet, few = gathered.sheet, None
    roomy = run.model.context_tokens >= _ROOMY
    if calculation is not None and calculation.is_grounded:
        few = results_alone(sheet)
    elif over == "all" and run.whole is None:
        if (sections := sections_of(sheet, question)) and _are_told(asking, question, sections):
            return recited(of_lines(sections), told)
        if outside := outside_alone(sheet, run.question.text):
            return recited(outside, told)
        few = end_alone(sheet, question) or grid_alone(sheet, question, run.texts)
        few = few or sections_alone(sheet, question)
        few = few or cells_alone(sheet, question) or record_alone(sheet, question)
        sheet = with_named(sheet, question) if roomy and calculation is None else sheet
    # "In two sentences" is ours, where it is asked what a document is.
    asked = asking.as_told(question) if is_about(question) else question
    bounds = bounds_of(asked, sheet, summary=run.whole is not None)
    readings = plan(over, question, sheet, told, bounds)
    return readings if few is None else few_first(question, few, told, readings)


def _are_told(asking: Asking, question: str, sections: Sequence[NumberedLine]) -> bool:
    """Whether short sections are themselves the answer, in the language of the question."""
    is_short = sum(len(line.text) for line in sections) <= _RECITED
    return is_short and asks_for_section(question) and question not in asking.translations


async def _compared(
    asking: Asking, question: str, told: Told, sheet: Sheet
) -> Iterator[Telling] | None:
    """Readings of the lines that each file has for what is compared; None if none has any."""
    to_one = await asking.to_one(question)
    kept = [line for one in by_file(sheet) for line in await asking.quoted(one.sheet, to_one)]
    if not kept:
        return None
    lines = of_lines(kept)
    # Each line was chosen for the question, so that there is one is not doubted.
    bounds = replace(bounds_of(question, lines, summary=False), doubts=False)
    return over_compared(question, to_one, lines, told, bounds)


def _recent(history: Sequence[Message]) -> tuple[Message, ...]:
    """The last turns, without citation marks, each cut to what can still matter."""
    turns = [message for message in history if message.role != "system"][-_TURNS:]
    while turns and turns[0].role != "user":
        turns = turns[1:]
    return tuple(
        Message(turn.role, _MARKS.sub("", turn.content)[:_TURN_CHARACTERS]) for turn in turns
    )
