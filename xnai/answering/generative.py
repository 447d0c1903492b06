"""Answers that a model writes from passages, marked and cited while they stream."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from xnai.answering.citations import Citer
from xnai.answering.events import Event, Prompted, Reading, Token, Waiting
from xnai.answering.fallbacks import done
from xnai.answering.prompt import build_prompt, completion_of
from xnai.answering.run import AnswerRun
from xnai.llm.protocol import Finished, HiddenState, Prefill, Queued, TokenText


class Generative:
    """Puts the passages, or whole documents that fit, into one prompt and shows what comes."""

    async def answer(self, run: AnswerRun) -> AsyncGenerator[Event, None]:
        """Stream the model's text; whatever it was given, all of the passages may support it."""
        question = run.question
        prompt = await run.within(build_prompt(run.model, question, run.passages))
        yield Prompted(prompt.tokens, run.model.context_tokens, prompt.dropped)
        citer = Citer(run.passages, marks=not question.sampling.bound)
        completion = completion_of(question, prompt, run.deadline.at)
        async with aclosing(run.model.complete(completion)) as events:
            async for event in events:
                match event:
                    case TokenText():
                        text = citer.feed(event.text)
                        if text or event.logprobs:
                            yield Token(text, event.logprobs)
                    case Finished():
                        if text := await asyncio.to_thread(citer.finish):
                            yield Token(text)
                        yield done(run, event.reason, event.usage, citer.citations)
                    case Queued() | Prefill():
                        yield progress(event)
                    case HiddenState():  # none was asked for
                        pass


def progress(event: Queued | Prefill) -> Waiting | Reading:
    """What a reader is told of a model that has said nothing yet."""
    match event:
        case Queued():
            return Waiting(event.position, event.eta_seconds)
        case Prefill():
            return Reading(event.done, event.total)
