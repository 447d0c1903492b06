"""Checks one statement: what is read for it, what of that is compared, and who decides."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import structlog

from xnai.answering import limits, one_word
from xnai.answering.events import Question
from xnai.answering.reading.gather import FOUND_TOKENS, Gatherer
from xnai.answering.run import AnswerRun
from xnai.answering.verification import question as asked
from xnai.answering.verification.claim import Statement
from xnai.answering.verification.evidence import Candidate, candidates, of_another_name
from xnai.answering.verification.verdict import MOST_SENTENCES, Verdict, by_model, by_words
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.text_work import TextWork
from xnai.llm.protocol import Completion, LanguageModel, TokenText
from xnai.retrieval.search import Found

log = structlog.get_logger(__name__)


class Verifier:
    """Says of a statement whether documents support or contradict it.

    Args:
        library: whose documents.
        model: what is said in other words is asked of it.
        text_work: turns to go through long texts.

    """

    def __init__(self, library: DocumentLibrary, model: LanguageModel, text_work: TextWork) -> None:
        self._library = library
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
        claim = Statement(run.question.text)
        gathered = await self._gatherer.gather(run, 2 * FOUND_TOKENS)
        found = gathered.found or await self._found(run)
        lines = gathered.sheet.lines
        chosen = await self._text_work.run(candidates, claim, lines, found.passages)
        if not chosen:
            return Verdict(claim.text, "none", None, 1.0, len(lines))
        if not claim.is_negated and (named := of_another_name(claim, chosen)):
            sentence = named.line.citation(1)
            return Verdict(claim.text, "contradicts", sentence, 1.0, len(lines))
        best, *others = chosen[:MOST_SENTENCES]
        outcome = by_words(claim, best)
        confidence = 1.0
        if outcome is None:
            true, false = await self._asked(run, claim, [best, *others])
            outcome = by_model(claim, best, others, true, false)
            chances = {"supports": true, "contradicts": false, "none": 1 - true - false}
            confidence = round(chances[outcome], 3)
            share = round(best.coverage.share, 2)
            log.debug("claim compared", true=round(true, 3), false=round(false, 3), share=share)
        stands = None if outcome == "none" else best.line.citation(1)
        return Verdict(claim.text, outcome, stands, confidence, len(lines))

    async def _found(self, run: AnswerRun) -> Found:
        """Return the passages whose sentences come closest to the claim in meaning."""
        question = run.question
        assert question.scope is not None
        return await self._library.find(question.text, question.scope, MOST_SENTENCES)

    async def _asked(
        self, run: AnswerRun, claim: Statement, chosen: Sequence[Candidate]
    ) -> tuple[float, float]:
        """How likely the model says that the claim is true by some lines, and that it is false."""
        # In their order, and each heading once; the best would not be last by chance.
        ordered = sorted(chosen, key=lambda one: (one.line.source.page or 0, one.line.start))
        lines = list(dict.fromkeys(text for one in ordered for text in one.texts))
        completion = Completion(
            run.question.request_id,
            run.question.user,
            asked.messages(lines, claim.text),
            one_word.sampling(),
            run.deadline.at,
            allowed=run.question.timeout,
        )
        async with aclosing(run.model.complete(completion)) as stream:
            async for event in stream:
                if isinstance(event, TokenText) and event.logprobs:
                    return asked.said(event.logprobs)
        return 0.0, 0.0
