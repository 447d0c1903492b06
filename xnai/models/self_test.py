"""Tries a model before it takes the place of another: it loads, and answers what it must know.

It runs in a worker of its own beside the one that answers people, with little context.
"""

import asyncio
from dataclasses import dataclass

from xnai.errors import SELF_TEST_FAILED, XnaiError
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.engine.loading import Loader
from xnai.llm.engine.process import WorkerProcess
from xnai.llm.engine.request import WorkerDiedError
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.llm.ipc import Complete, Ended, Text
from xnai.settings import Settings
from xnai.types import Message, Sampling

CONTEXT = 1024
LOAD_SECONDS = 300.0
ANSWER_SECONDS = 120.0
_SHOWN = 80  # characters of a wrong answer: it is to a question of ours


@dataclass(frozen=True, slots=True)
class TestQuestion:
    """A question, and a word that a model worth asking has in its answer."""

    question: str
    expected: str


PROBES = (
    TestQuestion("What is the capital of France? Answer with one word.", "paris"),
    TestQuestion(
        "The meeting of the board takes place in Lisbon on 14 March.\n\n"
        "In which city does the meeting take place? Answer with one word.",
        "lisbon",
    ),
)


async def self_test(
    settings: Settings, file: ModelFile, options: WorkerOptions | None = None
) -> None:
    """Load a model and ask it.

    Raises:
        XnaiError: SELF_TEST_FAILED, or what is wrong with the file or its size.

    """
    small = settings.model_copy(update={"context": CONTEXT, "slots": 1})
    loader = Loader(small, ModelFiles(small), options or WorkerOptions())
    try:
        async with asyncio.timeout(LOAD_SECONDS):
            worker = await loader.load(file, lambda _: None, lambda _, __: None)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                for probe in PROBES:
                    await _check(worker, file, probe)
        finally:
            await worker.stop("its self-test is over")
    except TimeoutError as exc:
        raise XnaiError(SELF_TEST_FAILED, name=file.name, reason="it takes too long") from exc
    except WorkerDiedError as exc:
        raise XnaiError(SELF_TEST_FAILED, name=file.name, reason=exc.death.words) from exc
    except OSError as exc:
        reason = exc.strerror or "no process could be started"
        raise XnaiError(SELF_TEST_FAILED, name=file.name, reason=reason) from exc


async def _check(worker: WorkerProcess, file: ModelFile, probe: TestQuestion) -> None:
    answer = await _answer(worker, probe.question)
    if probe.expected not in answer.casefold():
        shown = " ".join(answer.split())[:_SHOWN]
        reason = f"asked for {probe.expected!r}, it says {shown!r}"
        raise XnaiError(SELF_TEST_FAILED, name=file.name, reason=reason)


async def _answer(worker: WorkerProcess, question: str) -> str:
    messages = (Message("user", question),)
    sampling = Sampling(max_tokens=24, temperature=0.0)
    request = worker.request(lambda number: Complete(number, messages, sampling), timed=False)
    text = ""
    while not isinstance(frame := await request.next(), Ended):
        text += frame.text if isinstance(frame, Text) else ""
    return text
