"""The worker's loop: commands in, steps of the model, text out."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from xnai.llm.answer import Answer
from xnai.llm.context import AbortedError, Context
from xnai.llm.drafting import Drafting
from xnai.llm.native import AbortFlag
from xnai.llm.prefix_cache import PrefixCache
from xnai.llm.refused import RefusedError
from xnai.llm.scheduler import Run, Scheduler, Step

STEP_SECONDS = 0.25  # what a step may take for others' prompts while answers grow
LONGEST_STEP = 0.75  # if many wait for their first token and few for their next
LEAST_BUDGET = 32  # prompt tokens of such a step, however slow the machine
TOGETHER_SECONDS = 0.02  # text of steps that follow each other so soon is sent in one frame
WORTH_ABORTING = 32  # prompt tokens of a cancelled request in the step under way
SMOOTHING = 0.3  # weight of the newest measurement

Send = Callable[..., None]


class Serving:
    """Answers several requests at once; ``run`` is the only user of the context.

    Args:
        context: the model's sequences.
        cache: what they hold.
        abort: gives up the step under way.
        send: takes a frame's type and its fields.
        drafting: whether tokens may be guessed.

    """

    def __init__(
        self,
        context: Context,
        cache: PrefixCache,
        abort: AbortFlag,
        send: Send,
        *,
        drafting: bool = True,
    ) -> None:
        self._context = context
        self._scheduler = Scheduler(cache, context.chunk)
        self._drafting = Drafting(enabled=drafting)
        self._partial = cache.partial
        self._abort = abort
        self._send = send
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._answers: dict[int, Answer] = {}
        self._last_id = 0
        self._cancelled: set[int] = set()  # before they were added
        self._lock = threading.Lock()
        self._abortable: set[int] = set()
        self._unwanted: set[int] = set()  # cancelled, the command not yet taken
        self._token_seconds = 0.0  # of reading a prompt
        self._texts: list[list[object]] = []  # not yet sent
        self._sent_at = 0.0
        self.step_began = 0.0  # time.monotonic(), 0 between steps

    @property
    def context_tokens(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return self._context.context

    def add(self, answer: Answer) -> None:
        """Take a request; ids rise. From any thread."""
        self._inbox.put(lambda: self._add(answer))

    def cancel(self, request_id: int) -> None:
        """End a request within one step, or keep it from starting. From any thread."""
        with self._lock:
            self._unwanted.add(request_id)
            if request_id in self._abortable:
                self._abort.set()
        self._inbox.put(lambda: self._cancel(request_id))

    def pause(self, request_id: int, *, paused: bool) -> None:
        """Hold an answer back, or let it grow again. From any thread."""
        self._inbox.put(lambda: self._pause(request_id, paused=paused))

    def run(self) -> None:
        """Answer for ever.

        Raises:
            NativeError: llama.cpp fails; the process is of no use any more.

        """
        while True:
            while not self._inbox.empty():
                self._inbox.get()()
            step = self._scheduler.plan(self._budget(), self._drafting.pays)
            if step is None or step.prefills:
                self._send_texts()  # the next text will take its time
            if step is None:
                self._inbox.get()()
            else:
                self._make(step)

    def _make(self, step: Step) -> None:
        self._context.move(step.moves)
        for job in step.placed:
            self._tell_prefill(self._answers[job.id])
        if not step.runs:
            return
        try:
            rows = self._decode(step)
        except AbortedError:
            # The one that is cancelled has its command in the inbox; the rest goes again.
            self._scheduler.undo(step)
        else:
            self._draw(step, rows)
        finally:
            self.step_began = 0.0

    def _decode(self, step: Step) -> dict[int, int]:
        prefills = step.prefills
        with self._lock:
            self._abort.clear()
            if self._partial or len(step.runs) == 1:
                self._abortable = {
                    run.job.id for run in prefills if len(run.tokens) >= WORTH_ABORTING
                }
            if self._abortable & self._unwanted:  # it came while the step was planned
                self._abort.set()
        self.step_began = begun = time.monotonic()
        try:
            rows = self._context.decode(step)
        finally:
            with self._lock:
                self._abortable = set()
                self._abort.clear()
        self._note_speed(step, time.monotonic() - begun)
        return rows

    def _note_speed(self, step: Step, seconds: float) -> None:
        tokens = sum(len(run.tokens) for run in step.prefills)
        if not tokens:
            drafted = bool(step.runs[0].drafted)
            self._drafting.measured(len(step.runs), seconds, drafted=drafted)
        elif tokens >= LEAST_BUDGET:
            old = self._token_seconds or seconds / tokens
            self._token_seconds = old + SMOOTHING * (seconds / tokens - old)

    def _draw(self, step: Step, rows: dict[int, int]) -> None:
        over: list[Answer] = []
        refused: list[tuple[Answer, RefusedError]] = []
        prefills = {run.job.id for run in step.prefills}
        self._scheduler.settle(step)
        for run in step.runs:
            answer = self._answers[run.job.id]
            if run.job.id in prefills:
                self._tell_prefill(answer)
            if not run.logits:
                continue
            if refusal := self._collect(answer, run, rows[run.slot]):
                refused.append((answer, refusal))
            elif answer.reason:
                over.append(answer)
        if over or refused or time.monotonic() - self._sent_at >= TOGETHER_SECONDS:
            self._send_texts()
        for answer in over:
            self._end(answer, "finished", reason=answer.reason)
        for answer, refusal in refused:
            self._end(answer, "error", code=refusal.kind.code, values=refusal.values)

    def _send_texts(self) -> None:
        """Send what was drawn; each frame wakes the server, on a core that the model wants."""
        if self._texts:
            self._send("step", texts=self._texts)
            self._texts, self._sent_at = [], time.monotonic()

    def _collect(self, answer: Answer, run: Run, row: int) -> RefusedError | None:
        """Keep what an answer may show now to be sent; gives why it cannot go on, if so."""
        text, refusal = "", None
        logprobs: list[object] = []
        try:
            for more, more_logprobs in self._drawn(answer, run, row):
                text, logprobs = text + more, logprobs + more_logprobs
        except RefusedError as exc:
            refusal = exc
        if text or logprobs:
            self._texts.append([run.job.id, text, *([logprobs] if logprobs else [])])
        return refusal

    def _drawn(self, answer: Answer, run: Run, row: int) -> Iterator[tuple[str, list[object]]]:
        """Draw the next token of an answer, and the one after it if the first was guessed."""
        job, right = run.job, False
        try:
            first = answer.draw(self._context.pointer, row)
            right = not answer.reason and job.lookup.learn(job.tokens[-1])
        finally:
            if run.drafted and not right:
                self._scheduler.reject(run)
                self._context.cut(run.slot, job.read)
        yield first
        if run.drafted and right:
            yield answer.draw(self._context.pointer, row + 1)

    def _tell_prefill(self, answer: Answer) -> None:
        job = answer.job
        done = min(job.read, job.prompt_tokens)  # a draft may have been read beyond the prompt
        self._send("prefill", id=job.id, done=done, total=job.prompt_tokens, reused=job.reused)

    def _budget(self) -> int:
        """Prompt tokens of a step: the longer, the more readers wait for their first token.

        Long chunks are read faster, and each step in between reads one token for every answer.
        """
        if not self._token_seconds:
            return LEAST_BUDGET
        reading, writing = self._scheduler.load
        seconds = min(LONGEST_STEP, STEP_SECONDS * (1 + reading / max(1, writing)))
        return max(LEAST_BUDGET, int(seconds / self._token_seconds))

    def _add(self, answer: Answer) -> None:
        job = answer.job
        self._last_id = job.id
        self._answers[job.id] = answer
        self._scheduler.add(job)
        if job.id in self._cancelled:
            self._end(answer, "cancelled")
        self._cancelled = {request_id for request_id in self._cancelled if request_id > job.id}

    def _cancel(self, request_id: int) -> None:
        with self._lock:
            self._unwanted.discard(request_id)
        if answer := self._answers.get(request_id):
            self._end(answer, "cancelled")
        elif request_id > self._last_id:
            self._cancelled.add(request_id)

    def _pause(self, request_id: int, *, paused: bool) -> None:
        if answer := self._answers.get(request_id):
            answer.job.paused = paused

    def _end(self, answer: Answer, kind: str, **fields: Any) -> None:
        self._scheduler.remove(answer.job)
        del self._answers[answer.job.id]
        self._send(kind, id=answer.job.id, **fields, **answer.figures())
        answer.close()
