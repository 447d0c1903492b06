"""What the server asks of the worker's process, on its way to the steps of the model."""

import queue
from collections.abc import Iterable
from functools import partial

from xnai.errors import INTERNAL
from xnai.llm.ipc import (
    Cancel,
    Complete,
    CountPrompt,
    CountTexts,
    Pause,
    Refused,
    RefusedError,
    Resume,
    TokenCounts,
    Tokenising,
    ToWorker,
)
from xnai.llm.worker.chat_template import Turn
from xnai.llm.worker.llama import Model
from xnai.llm.worker.loop import Serving
from xnai.llm.worker.outbox import Outbox, log_line
from xnai.llm.worker.sampler import Sampler
from xnai.llm.worker.sequence import Generated, Prompter, check_characters, check_length
from xnai.llm.worker.steps import Sequence
from xnai.llm.worker.tokenizer import NativeError
from xnai.types import Message


class Requests:
    """Where what the server asks goes: to the tokenising threads or straight to the loop."""

    def __init__(self) -> None:
        self.completions: queue.SimpleQueue[Complete] = queue.SimpleQueue()
        self.counts: queue.SimpleQueue[CountTexts | CountPrompt] = queue.SimpleQueue()
        self.serving: Serving | None = None

    def put(self, frame: ToWorker) -> None:
        """Hand a frame on; the server sends requests only after ``Ready``."""
        match frame:
            case Complete():
                self.completions.put(frame)
            case CountTexts() | CountPrompt():
                self.counts.put(frame)
            case Cancel() if self.serving is not None:
                self.serving.cancel(frame.id)
            case Pause() | Resume() if self.serving is not None:
                self.serving.pause(frame.id, paused=isinstance(frame, Pause))


def prepare(
    requests: Requests, model: Model, prompter: Prompter, serving: Serving, outbox: Outbox
) -> None:
    """Turn requests into prompts beside the steps of the model."""
    while True:
        asked = requests.completions.get()
        sampling, turns = asked.sampling, _turns(asked.messages)
        outbox.send(Tokenising(asked.id))  # if it kills this process, it is known what did
        try:
            check_characters(turns, serving.context_tokens)
            tokens = prompter.tokens(turns)
            check_length(len(tokens), sampling.max_tokens, serving.context_tokens)
            sampler = Sampler(sampling, model.vocabulary)
        except Exception as exc:  # noqa: BLE001 - it is of this request; the others go on
            outbox.send(_refusal(asked.id, exc))
        else:
            sequence = Sequence(
                asked.id,
                tokens,
                reproducible=sampling.seed is not None,
                # The last token drawn is shown, not read.
                most_tokens=min(len(tokens) + sampling.max_tokens, serving.context_tokens + 1),
            )
            answer = Generated(sequence, sampling, sampler, model.vocabulary, asked.state)
            answer.keep = asked.keep
            if serving.keeping is not None and not sequence.reproducible:
                answer.offered = serving.keeping.wanted(tokens)
            serving.add(answer)


def count(requests: Requests, prompter: Prompter, context_tokens: int, outbox: Outbox) -> None:
    """Count tokens beside the answers under way."""
    while True:
        asked = requests.counts.get()
        tell = partial(outbox.send, Tokenising(asked.id))
        tell()
        try:
            if isinstance(asked, CountTexts):
                result = tuple(prompter.counts(asked.texts, tell))
            else:
                turns = _turns(asked.messages)
                check_characters(turns, context_tokens)
                result = (len(prompter.tokens(turns)),)
            outbox.send(TokenCounts(asked.id, result))
        except Exception as exc:  # noqa: BLE001 - as above
            outbox.send(_refusal(asked.id, exc))


def _turns(messages: Iterable[Message]) -> list[Turn]:
    """Return a conversation in the form that chat templates know."""
    return [{"role": message.role, "content": message.content} for message in messages]


def _refusal(request_id: int, error: Exception) -> Refused:
    if isinstance(error, RefusedError):
        return Refused(request_id, error.kind.code, error.values)
    # The message of an unexpected exception may quote the prompt.
    log_line("error", str(error) if isinstance(error, NativeError) else type(error).__name__)
    return Refused(request_id, INTERNAL.code, {})
