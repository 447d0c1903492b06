"""Checks one statement: what is read for it, what of that is compared, and who decides."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

from xnai.answering import limits
from xnai.answering.events import Question
from xnai.answering.reading.gather import FOUND_TOKENS, Gatherer
from xnai.answering.run import AnswerRun
from xnai.answering.verification import question as asked
from xnai.answering.verification.claim import Claim
from xnai.answering.verification.verdict import (
    MOST_LINES,
    Candidate,
    Outcome,
    Verdict,
    by_model,
    by_words,
    candidates,
)
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.text_work import TextWork
from xnai.llm.protocol import Completion, LanguageModel, TokenText


class Verifier:
    """Says of a statement whether documents support or contradict it.

    Args:
        library: whose documents.
        model: what is said in other words is asked of it.
        text_work: turns to go through long texts.

    """

    def __init__(self, library: DocumentLibrary, model: LanguageModel, text_work: TextWork) -> None:
        self._model = model
        self._text_work = text_work
        self._gatherer = Gatherer(library, text_work)

    async def verify(self, question: Question) -> Verdict:
        """Check the statement that is the text of a question, in its scope.

        Raises:
            XnaiError: it cannot be checked, or not in time.

        """
        run = AnswerRun.begin(question)
        limits.check_question(question.text, "", self._model.context_tokens)
        lease = await self._model.ensure_ready(run.deadline.at)
        return await run.within(self._verified(replace(run, lease=lease)))

    async def _verified(self, run: AnswerRun) -> Verdict:
        claim = Claim(run.question.text)
        gathered = await self._gatherer.gather(run, 2 * FOUND_TOKENS)
        lines = gathered.sheet.lines
        found = await self._text_work.run(candidates, claim, lines)
        if not found:
            return Verdict(claim.text, "none", None, 1.0, len(lines))
        best = found[0]
        outcome: Outcome | None = by_words(claim, best)
        confidence = 1.0
        if outcome is None:
            true, false = await self._asked(run, claim, found[:MOST_LINES])
            outcome = by_model(claim, best, true, false)
            chances = {"supports": true, "contradicts": false, "none": 1 - true - false}
            confidence = round(chances[outcome], 3)
        sentence = None if outcome == "none" else best.line.citation(1)
        return Verdict(claim.text, outcome, sentence, confidence, len(lines))

    async def _asked(
        self, run: AnswerRun, claim: Claim, found: Sequence[Candidate]
    ) -> tuple[float, float]:
        """How likely the model says that the claim is true by some lines, and that it is false."""
        lines = list(dict.fromkeys(text for one in found[::-1] for text in one.texts))
        completion = Completion(
            run.question.request_id,
            run.question.user,
            asked.messages(lines, claim.text),
            asked.sampling(),
            run.deadline.at,
            allowed=run.question.timeout,
        )
        async with aclosing(run.model.complete(completion)) as stream:
            async for event in stream:
                if isinstance(event, TokenText) and event.logprobs:
                    return asked.said(event.logprobs)
        return 0.0, 0.0
