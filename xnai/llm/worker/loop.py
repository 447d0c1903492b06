"""The worker's loop: commands in, steps of the model, text out."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from xnai.llm.averages import moving_average
from xnai.llm.ipc import (
    Cancelled,
    Closing,
    Ended,
    FromWorker,
    PromptProgress,
    Refused,
    RefusedError,
    StateValues,
    StepTexts,
    Text,
)
from xnai.llm.worker.context import AbortedError, Context
from xnai.llm.worker.drafting import Drafting
from xnai.llm.worker.hidden_state import HiddenStates
from xnai.llm.worker.keeping import Keeping
from xnai.llm.worker.llama import AbortFlag
from xnai.llm.worker.prefix_cache import PrefixCache
from xnai.llm.worker.scheduler import Scheduler
from xnai.llm.worker.sequence import Generated
from xnai.llm.worker.spinning import Crowd, Spinning
from xnai.llm.worker.steps import ScheduledChunk, ScheduledStep
from xnai.types import TokenLogprob

STEP_SECONDS = 0.25  # what a step may take for others' prompts while answers grow
LONGEST_STEP = 0.75  # if many wait for their first token and few for their next
LEAST_BUDGET = 32  # prompt tokens of such a step, however slow the machine
# Text of steps that follow each other so soon is sent in one frame. Each wakes the server, which
# reads it on a core that the model wants; 20 a second look fluent.
TOGETHER_SECONDS = 0.05
WORTH_ABORTING = 32  # prompt tokens of a cancelled request in the step under way

Send = Callable[[FromWorker], None]
Drawn = tuple[str, list[TokenLogprob]]  # text that may be shown, of how many tokens


class Serving:
    """Answers several requests at once; ``run`` is the only user of the context.

    Args:
        context: the model's sequences.
        cache: what they hold.
        abort: gives up the step under way.
        send: takes a frame.
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
        self._scheduler = Scheduler(cache, context.chunk_size)
        self._drafting = Drafting(context.most_rows, enabled=drafting)
        self._spinning = Spinning(Crowd(context.threads))
        self._partial = cache.partial
        self._abort = abort
        self._send = send
        self.states: HiddenStates | None = None  # reads those that are asked for
        self.keeping: Keeping | None = None  # keeps on disk what is to be kept
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._answers: dict[int, Generated] = {}
        self._last_id = 0
        self._cancelled: set[int] = set()  # before they were added
        self._lock = threading.Lock()
        self._abortable: set[int] = set()
        self._unwanted: set[int] = set()  # cancelled, the command not yet taken
        self._token_seconds = 0.0  # of computing a prompt
        self._texts: list[Text] = []  # not yet sent
        self._sent_at = 0.0
        self.step_began = 0.0  # time.monotonic(), 0 between steps

    @property
    def context_tokens(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return self._context.context

    @property
    def is_busy(self) -> bool:
        """Whether anything is being answered. From any thread."""
        return bool(self._answers)

    def add(self, answer: Generated) -> None:
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
            step = self._scheduler.schedule(self._budget(), self._drafting.guesses)
            if step is None or step.prefills:
                self._send_texts()  # the next text will take its time
            if step is None:
                self._inbox.get()()
            else:
                self._make(step)

    def _make(self, step: ScheduledStep) -> None:
        if refused := self._context.move(step.moves):
            self._scheduler.lose(refused.slots, refused.keys)
            if self.keeping is not None:
                self.keeping.drop(refused.keys)
            return  # the step is planned anew, with the whole of their prompts
        for sequence in step.placed:
            self._tell_prefill(self._answers[sequence.id])
        if not step.chunks:
            return
        try:
            rows = self._decode(step)
        except AbortedError:
            # The one that is cancelled has its command in the inbox; the rest goes again.
            self._scheduler.roll_back(step)
        else:
            self._draw(step, rows)
        finally:
            self.step_began = 0.0

    def _decode(self, step: ScheduledStep) -> dict[int, int]:
        prefills = step.prefills
        with self._lock:
            self._abort.clear()
            if self._partial or len(step.chunks) == 1:
                self._abortable = {
                    chunk.sequence.id for chunk in prefills if len(chunk.tokens) >= WORTH_ABORTING
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

    def _note_speed(self, step: ScheduledStep, seconds: float) -> None:
        tokens = sum(len(chunk.tokens) for chunk in step.prefills)
        if not tokens:
            drafted = step.chunks[0].drafted
            self._drafting.measured(len(step.chunks), drafted, seconds)
            self._spinning.measured((len(step.chunks), drafted), seconds)
        elif tokens >= LEAST_BUDGET:
            self._token_seconds = moving_average(self._token_seconds or None, seconds / tokens)

    def _draw(self, step: ScheduledStep, rows: dict[int, int]) -> None:
        over: list[Ended] = []
        refused: list[tuple[Generated, RefusedError]] = []
        prefills = {chunk.sequence.id for chunk in step.prefills}
        self._scheduler.commit(step)
        for chunk in step.chunks:
            answer = self._answers[chunk.sequence.id]
            if chunk.sequence.id in prefills:
                self._tell_prefill(answer)
            if not chunk.logits:
                continue
            if self.keeping is not None:
                self.keeping.keep(answer, chunk.slot)
            self._tell_state(answer, chunk.slot)
            if refusal := self._collect(answer, chunk, rows[chunk.slot]):
                refused.append((answer, refusal))
            elif answer.reason:
                over.append(Ended(chunk.sequence.id, answer.reason, answer.figures()))
        if over or refused or time.monotonic() - self._sent_at >= TOGETHER_SECONDS:
            self._send_texts()
        for end in over:
            self._end(self._answers[end.id], end)
        for answer, refusal in refused:
            code, values = refusal.kind.code, refusal.values
            self._end(answer, Refused(answer.sequence.id, code, values, answer.figures()))

    def _send_texts(self) -> None:
        """Send what was drawn; each frame wakes the server, on a core that the model wants."""
        if self._texts:
            self._send(StepTexts(tuple(self._texts)))
            self._texts, self._sent_at = [], time.monotonic()

    def _collect(self, answer: Generated, chunk: ScheduledChunk, row: int) -> RefusedError | None:
        """Keep what an answer may show now to be sent; gives why it cannot go on, if so."""
        text, refusal = "", None
        logprobs: list[TokenLogprob] = []
        try:
            for more, more_logprobs in self._drawn(answer, chunk, row):
                text, logprobs = text + more, logprobs + more_logprobs
        except RefusedError as exc:
            refusal = exc
        if text or logprobs:
            self._texts.append(Text(chunk.sequence.id, text, tuple(logprobs)))
        return refusal

    def _drawn(self, answer: Generated, chunk: ScheduledChunk, row: int) -> Iterator[Drawn]:
        """Draw the next token of an answer, and those after it as long as they were guessed."""
        sequence, right = chunk.sequence, 0
        guessed = chunk.tokens[len(chunk.tokens) - chunk.drafted :]
        matched = sequence.lookup.matched
        try:
            yield answer.draw(self._context.pointer, row)
            for guess in guessed:
                if answer.reason or sequence.tokens[-1] != guess:
                    break
                right += 1
                yield answer.draw(self._context.pointer, row + right)
        finally:
            if wrong := chunk.drafted - right:
                self._scheduler.reject(chunk, wrong)
                self._context.cut(chunk.slot, sequence.computed)
            if guessed:
                self._drafting.learn(matched, len(guessed), right)

    def _tell_prefill(self, answer: Generated) -> None:
        sequence = answer.sequence
        # A draft may have been computed beyond the prompt.
        done = min(sequence.computed, sequence.prompt_tokens)
        self._send(PromptProgress(sequence.id, done, sequence.prompt_tokens, sequence.reused))

    def _tell_state(self, answer: Generated, slot: int) -> None:
        """Send the hidden state of a prompt that is read, once, if it is asked for."""
        if answer.state is None:
            return
        wanted, answer.state = answer.state, None
        if self.states is not None and self._partial:
            length = answer.sequence.prompt_tokens
            values = self.states.read(partial(self._context.saved, slot), length, wanted)
            if values:
                self._send(StateValues(answer.sequence.id, values))

    def _budget(self) -> int:
        """Prompt tokens of a step: the longer, the more readers wait for their first token.

        Long chunks are computed faster, and each step in between has one token for every answer.
        """
        if not self._token_seconds:
            return LEAST_BUDGET
        reading, writing = self._scheduler.load
        seconds = min(LONGEST_STEP, STEP_SECONDS * (1 + reading / max(1, writing)))
        return max(LEAST_BUDGET, int(seconds / self._token_seconds))

    def _add(self, answer: Generated) -> None:
        sequence = answer.sequence
        if self.keeping is not None:
            self.keeping.take(answer)
        self._last_id = sequence.id
        self._answers[sequence.id] = answer
        self._scheduler.add(sequence)
        if sequence.id in self._cancelled:
            self._end(answer, Cancelled(answer.sequence.id, answer.figures()))
        self._cancelled = {request_id for request_id in self._cancelled if request_id > sequence.id}

    def _cancel(self, request_id: int) -> None:
        with self._lock:
            self._unwanted.discard(request_id)
        if answer := self._answers.get(request_id):
            self._end(answer, Cancelled(answer.sequence.id, answer.figures()))
        elif request_id > self._last_id:
            self._cancelled.add(request_id)

    def _pause(self, request_id: int, *, paused: bool) -> None:
        if answer := self._answers.get(request_id):
            answer.sequence.paused = paused

    def _end(self, answer: Generated, frame: Closing) -> None:
        self._scheduler.remove(answer.sequence)
        del self._answers[answer.sequence.id]
        self._send(frame)
        answer.close()
