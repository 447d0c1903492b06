"""What the model is asked for one question, and how its stream becomes what is told."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import compress

import structlog

from xnai.answering import one_word, small_talk
from xnai.answering.about import as_asked
from xnai.answering.events import Token
from xnai.answering.query import leant_on
from xnai.answering.reading import astray, comparing, once_more, second_look, translating
from xnai.answering.reading.answerability import LinearProbe, probe_of
from xnai.answering.reading.count import Count
from xnai.answering.reading.lines import NumberedLine, Sheet, quoted_lines
from xnai.answering.reading.prompt import reading_messages
from xnai.answering.reading.reply import STOPS, ModelReply
from xnai.answering.reading.second_opinion import by_figures
from xnai.answering.reading.spelling import asking_words, neighbours, put_right
from xnai.answering.reading.telling import Telling
from xnai.answering.reading.turns import with_sources
from xnai.answering.run import AnswerRun
from xnai.errors import XnaiError
from xnai.llm.protocol import (
    Completion,
    CompletionEvent,
    Finished,
    HiddenState,
    TokenText,
)
from xnai.observability import spanned
from xnai.retrieval.text_ranker import TextRanker
from xnai.types import Message, Sampling, Usage

SOURCE_TOKENS = 256  # beside the answer's own, for the lines that are quoted
BEGINNINGS = 8  # tokens that the model could have begun its source with
_NARROWED = 4  # lines of a file that are kept to be compared
_STOP = "\nAnswer:"
_QUERY_TOKENS = 96
_QUOTE_TOKENS = 120  # of the lines that one file is asked for

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asking:
    """The prompts of one question; ``history`` holds the turns before that go with it."""

    run: AnswerRun
    history: tuple[Message, ...]
    count: Count
    ranker: TextRanker | None = None  # what compares lines with the question by meaning
    translations: dict[str, str] = field(default_factory=dict)  # of questions, for the model

    def as_told(self, question: str) -> str:
        """A question as the model gets it."""
        read = {passage.document_id for passage in self.run.passages}
        whole = self.run.whole == "summary" and len(read) == 1
        put = self.translations.get(question, question)
        if translated := put != question:  # what it has lost, the question itself still says
            put = f"{put} ({question})"
        return as_asked(put, self.run.language, whole=whole, translated=translated)

    async def translate(self, question: str, sheet: Sheet) -> None:
        """Have a question put in the language of the documents from now on, if it is another."""
        if not (language := translating.language_of(question, self.run.language, sheet)):
            return
        near = await self._cosines(question, sheet)
        messages = translating.messages(question, language, sheet, near)
        written = await self._written(messages, translating.sampling(self.run.question.sampling))
        self.translations[question] = translating.translated(written, question)

    @spanned("prompt")
    async def completion(self, telling: Telling) -> tuple[Completion, int]:
        """Put a question over numbered lines; returns how many tokens that has, too."""
        asked = self.as_told(telling.question)
        messages, sampling = self._messages(telling.sheet, asked), self._sampling()
        tokens = await self.run.model.count_prompt(messages)
        room = max(1, self.run.model.context_tokens - tokens)
        sampling = replace(sampling, max_tokens=min(sampling.max_tokens, room))
        state = self.probe.request if self.probe else None
        return replace(self._completion(messages, sampling), state=state), tokens

    @property
    def probe(self) -> LinearProbe | None:
        """What reads from the model whether a question is answered at all, if there is one."""
        model = self.run.model
        return probe_of(model.status.name) if model.capabilities.states else None

    @property
    def leans(self) -> bool:
        """Whether the question means nothing without the one before: "And the indoor one?"."""
        return bool(leant_on(self.run.question))

    def is_over(self, event: CompletionEvent, telling: Telling, tokens: int) -> bool:
        """Count an event of a completion over so many tokens; tell whether no more is wanted.

        What a hidden state says is noted in the telling.

        """
        self.count.written += isinstance(event, TokenText)
        if isinstance(event, HiddenState) and self.probe is not None and not self.leans:
            telling.doubt.probed(self.probe.logit(event.values))
        if isinstance(event, Finished):
            self.count.add(event.usage)
            self.count.reason = event.reason
        elif telling.is_refused or telling.quotes_too_much or telling.is_full:
            # It is ended here, and tells no usage: a text is a token or a few.
            self.count.add(Usage(tokens, self.count.written))
            return True
        return False

    def _messages(self, sheet: Sheet, question: str) -> tuple[Message, ...]:
        return reading_messages(sheet.text, with_sources(self.history, sheet), question)

    async def look_again(self, telling: Telling, *, refusals: bool) -> None:
        """Ask a second time: yes or no, if that was told, and what was refused, if ``refusals``."""
        if telling.nearer is not None:
            return
        lines = telling.looked_at_again(await self._nearest(telling) if refusals else ())
        if not lines:
            if refusals and telling.is_refused and not small_talk.reply_to(telling.question):
                await self._look_once_more(telling)
            return
        yes = by_figures(telling.question, lines)
        if yes is None and self.run.model.capabilities.logprobs:
            yes = await self._second_look(telling.question, lines)
        telling.correct(yes)

    async def goes_astray(self, telling: Telling, tokens: int) -> bool:
        """Tell whether the model quotes a line far from the question; note those that are near.

        Then its completion, over so many tokens, is counted here: it is ended, and tells no usage.
        """
        telling.nearer = await self._nearer(telling.question, telling.quoted, telling.sheet)
        if telling.nearer is None:
            return False
        self.count.add(Usage(tokens, self.count.written))
        return True

    async def _nearer(
        self, question: str, quoted: Sequence[NumberedLine], sheet: Sheet
    ) -> Sheet | None:
        if self.leans or not astray.is_suspect(question, quoted, sheet):
            return None
        return astray.nearer(await self._cosines(question, sheet), quoted, sheet)

    async def _nearest(self, telling: Telling) -> Sequence[NumberedLine]:
        """The lines nearest to a question for yes or no."""
        if second_look.words_for(telling.question) is None or self.leans:
            return ()
        return astray.deciding(await self._cosines(telling.question, telling.sheet), telling.sheet)

    async def _cosines(self, question: str, sheet: Sheet) -> list[float]:
        """How near each line is to the question; none where that cannot be told."""
        if self.ranker is None:
            return []
        put = self.translations.get(question, question)
        try:
            return await self.ranker.cosines(put, [line.text for line in sheet.lines])
        except XnaiError as exc:  # it is a second opinion only
            _log.info("lines were not compared", code=exc.code)
            return []

    async def _look_once_more(self, telling: Telling) -> None:
        asked = self.as_told(telling.question)
        before = self._messages(telling.sheet, asked)
        sampling = replace(self._sampling(), max_tokens=once_more.TOKENS, logprobs=None)
        sampling = replace(sampling, stop=once_more.STOPS)
        written = await self._written(once_more.messages(before, asked), sampling)
        telling.reconsider(once_more.plain(written))

    async def spelt(self, question: str, lines: Sequence[str]) -> str:
        """A question, with what is misspelt in it put right by the words of lines."""
        question = put_right(question, await asyncio.to_thread(asking_words, question, lines))
        pairs = await asyncio.to_thread(neighbours, question, lines)
        if not pairs:
            return question
        # A name may be one piece, and two in small letters: words are counted as they are written.
        named = {word for word in pairs if word.title() in question}
        forms = [
            (one.title(), other.title()) if one in named else (one, other)
            for one, other in pairs.items()
        ]
        words = [f" {word}" for pair in forms for word in pair]
        pieces = await self.run.model.count_tokens(words)
        wrong = (was > right for was, right in zip(pieces[::2], pieces[1::2], strict=True))
        return put_right(question, dict(compress(pairs.items(), wrong)))

    async def to_one(self, question: str) -> str:
        """A question, as it is put to one of the documents that it compares."""
        messages = comparing.messages(question)
        if not messages:
            return question
        sampling = comparing.sampling(self.run.question.sampling)
        return comparing.question_to_one(await self._written(messages, sampling), question)

    async def quoted(self, sheet: Sheet, question: str) -> list[NumberedLine]:
        """The lines that are quoted for a question, without an answer."""
        sampling = replace(self._sampling(), max_tokens=_QUOTE_TOKENS, logprobs=None)
        sampling = replace(sampling, stop=(*sampling.stop, _STOP))
        reply = ModelReply()
        messages = self._messages(sheet, question)
        reply.feed(await self._written(messages, sampling))
        reply.finish()
        lines = quoted_lines(reply.source, sheet)[:_NARROWED]
        nearer = await self._nearer(question, lines, sheet)
        return lines if nearer is None else list(nearer.lines)

    async def query(self, messages: tuple[Message, ...], grammar: str) -> str:
        """A query over a table, held to its grammar where the model can be."""
        sampling = Sampling(
            max_tokens=_QUERY_TOKENS,
            temperature=0.0,
            repeat_penalty=1.0,
            seed=self.run.question.sampling.seed,
            stop=("\n",),
            grammar=grammar if self.run.model.capabilities.grammars else None,
        )
        return await self._written(messages, sampling)

    async def _written(self, messages: tuple[Message, ...], sampling: Sampling) -> str:
        """All that is written to a prompt of our own; nobody sees it grow."""
        written = ""
        async with aclosing(
            self.run.model.complete(self._completion(messages, sampling))
        ) as stream:
            async for event in stream:
                if isinstance(event, TokenText):
                    written += event.text
                elif isinstance(event, Finished):
                    self.count.add(event.usage)
        return written

    async def _second_look(self, asked: str, quoted: Sequence[NumberedLine]) -> float | None:
        """How likely "Yes" is from the quoted lines alone; None if that cannot be told."""
        messages = second_look.messages([line.text for line in quoted], asked)
        sampling = one_word.sampling(self.run.question.sampling.seed)
        completion = self._completion(messages, sampling)
        first = None
        async with aclosing(self.run.model.complete(completion)) as stream:
            async for event in stream:
                if isinstance(event, TokenText) and first is None:
                    first = second_look.probability_of_yes(event.logprobs)
                elif isinstance(event, Finished):
                    self.count.add(event.usage)
        return first

    def _sampling(self) -> Sampling:
        sampling = self.run.question.sampling
        return replace(
            sampling,
            max_tokens=sampling.max_tokens + SOURCE_TOKENS,
            temperature=0.0,
            repeat_penalty=1.0,
            presence_penalty=0.0,
            frequency_penalty=0.0,
            stop=(*sampling.stop, *STOPS),
            # Not every server gives them, and a refusal would cost the answer.
            logprobs=BEGINNINGS if self.run.model.capabilities.logprobs else None,
        )

    def _completion(self, messages: tuple[Message, ...], sampling: Sampling) -> Completion:
        question, deadline = self.run.question, self.run.deadline.at
        return Completion(
            question.request_id,
            question.user,
            messages,
            sampling,
            deadline,
            allowed=question.timeout,
        )


def cited(telling: Telling, texts: Iterable[str]) -> Iterator[Token]:
    """Texts of an answer with what they cite for the first time, in case that it is cut."""
    before = len(telling.citations)
    for text in texts:
        after = len(telling.citations)
        yield Token(text, citations=tuple(telling.citations[before:after]))
        before = after
