"""One question at a time for each thread: asked, gone on with, or answered again."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import chainlit as cl
import structlog
from chainlit.chat_context import chat_context

from xnai.account import Account
from xnai.audit import acting
from xnai.errors import XnaiError
from xnai.events import Question
from xnai.reporting import report
from xnai.runtime import Runtime
from xnai.streams import State, Stream, end_of
from xnai.types import Document, Message
from xnai.ui import conversation, documents, offers, panel, render
from xnai.ui.answer import AnswerView
from xnai.ui.conversation import Turn
from xnai.ui.rooms import Rooms, share_question
from xnai.ui.telling import told

log = structlog.get_logger(__name__)

GO_ON = "Go on with your answer exactly where it stopped; repeat nothing of it."
UNSENT = "xnai:unsent"  # what the page's script puts back into the input, see public/xnai.js
BUSY = "The last question is still being answered; wait for it or press Stop, then send this one."
NOT_THE_LAST = "Only the newest answer can be continued or given again."

Work = Callable[[Stream], Awaitable[None]]


class Asking:
    """Runs the answers of the page; every end is shown there."""

    def __init__(self, runtime: Runtime, rooms: Rooms) -> None:
        self._runtime = runtime
        self._rooms = rooms
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, message: cl.Message) -> None:
        """Read the attached files of a message, then answer it."""
        session = cl.context.session
        if self._is_busy():
            await _send_back(message)
            return
        run = cl.context.current_run
        shown = [message.to_dict(), *([run.to_dict()] if run else [])]
        share_question(self._rooms, session, message)
        asked = (message.id, message.content)
        await self._run(asked, lambda stream: self._answer(message, stream), shown)

    def go_on(self, payload: dict[str, Any]) -> None:
        """Continue the last answer in its own message."""
        self._start(payload, self._continue)

    def again(self, payload: dict[str, Any]) -> None:
        """Answer the last question once more in a new message."""
        self._start(payload, self._repeat)

    async def finish(self) -> None:
        """Wait for what the buttons have started; the streams themselves have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(
        self, payload: dict[str, Any], work: Callable[[Turn, Stream], Awaitable[None]]
    ) -> None:
        # The request of the button is answered at once: its answer may take minutes.
        task = asyncio.create_task(self._press(payload, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @told()
    async def _press(
        self, payload: dict[str, Any], work: Callable[[Turn, Stream], Awaitable[None]]
    ) -> None:
        turn = conversation.last()
        if self._is_busy() or turn is None or turn["id"] != payload.get(offers.QUESTION):
            words = BUSY if self._is_busy() else NOT_THE_LAST
            await cl.context.emitter.send_toast(words, "warning")
            return

        async def pressed(stream: Stream) -> None:
            await cl.context.emitter.task_start()
            await work(turn, stream)

        try:
            await self._run((turn["id"], turn["question"]), pressed, [])
        finally:
            await cl.context.emitter.task_end()

    def _is_busy(self) -> bool:
        return self._runtime.streams.of_thread(cl.context.session.thread_id) is not None

    async def _run(self, asked: tuple[str, str], work: Work, shown: list[Any]) -> None:
        """Answer the message of an id and its words."""
        session = cl.context.session
        stream = Stream(
            "page",
            owner=user_of(session),
            message=asked[0],
            session=session.id,
            thread=session.thread_id,
            request_id=uuid.uuid4().hex,
            account=Account(asked[1]),
        )
        acting.set(stream.owner)
        with structlog.contextvars.bound_contextvars(
            request_id=stream.request_id, session=session.id, thread=session.thread_id
        ):
            room = None
            try:
                with self._runtime.streams.run(stream):
                    room = await self._rooms.begin(session, *shown)
                    await work(stream)
            except asyncio.CancelledError:
                # The registry asked this task to end the answer, and that is done.
                task = asyncio.current_task()
                if stream.reason is None or task is None or task.uncancel():
                    raise
            except Exception as exc:  # noqa: BLE001 - Chainlit would show the text of any other
                await _show_error(report(exc), stream.request_id)
            finally:
                if room is not None:
                    room.running = False

    async def _answer(self, message: cl.Message, stream: Stream) -> None:
        runtime, session = self._runtime, cl.context.session
        if (previous := conversation.last()) is not None:
            await offers.withdraw(previous["id"])
        owner = documents.owner_of(session.thread_id)
        files = documents.attached_files(message)
        if files:
            stream.retrieving()
            limit = runtime.settings.upload_max_files
            read, failed = await documents.read_files(runtime.library, owner, files, limit)
            if failed and not read:
                stream.account.fail(failed[0])
            if not message.content.strip() or (failed and not read):
                await _say_what_was_read(read, failed, message.content, stream.request_id)
                return
        question = await self._question(message.content, stream, conversation.before(message.id))
        view = AnswerView(cl.Message(content=""), message.id)
        await self._stream(view, question, stream, (message.id, message.content))

    async def _continue(self, turn: Turn, stream: Stream) -> None:
        shown = _message(turn["message"])
        if shown is None:
            await self._repeat(turn, stream)
            return
        history = conversation.history(conversation.turns())
        question = await self._question(GO_ON, stream, history)
        question = replace(question, continues=True)
        view = AnswerView(shown, turn["id"], said=turn["answer"].rstrip() + " ")
        await self._stream(view, question, stream, (turn["id"], turn["question"]))

    async def _repeat(self, turn: Turn, stream: Stream) -> None:
        await offers.withdraw(turn["id"])
        earlier = _message(turn["message"])
        if earlier is not None and not earlier.content.endswith(render.EARLIER):
            earlier.content += render.EARLIER
            earlier.actions = []
            await earlier.update()
        kept = [other for other in conversation.turns() if other["id"] != turn["id"]]
        question = await self._question(turn["question"], stream, conversation.history(kept))
        view = AnswerView(cl.Message(content=""), turn["id"])
        await self._stream(view, question, stream, (turn["id"], turn["question"]))

    async def _question(self, text: str, stream: Stream, history: tuple[Message, ...]) -> Question:
        runtime, session = self._runtime, cl.context.session
        choices = panel.read(runtime.settings, runtime.model, session.chat_settings or {})
        owner = documents.owner_of(session.thread_id)
        return Question(
            text=text,
            request_id=stream.request_id,
            user=stream.owner,
            history=history,
            scope=await documents.scope_of(runtime.library, owner),
            passages=choices.passages,
            sampling=choices.sampling,
            timeout=runtime.settings.answer_timeout,
        )

    async def _stream(
        self, view: AnswerView, question: Question, stream: Stream, asked: tuple[str, str]
    ) -> None:
        end = State.COMPLETED
        try:
            await view.run(self._runtime.pipeline, question, stream)
        except BaseException as exc:
            end = end_of(stream, exc)
            await view.close(end)
            raise
        finally:
            turn = Turn(
                id=asked[0],
                question=asked[1],
                answer=view.text,
                message=view.message.id,
                end=end,
            )
            await conversation.remember(self._rooms.sessions(stream.thread), turn)


def user_of(session: Any) -> str:
    """The user name of a page; of one that nobody is signed in to, its session's id."""
    return str(session.user.identifier if session.user else session.id)


def _message(message_id: str) -> cl.Message | None:
    return next((m for m in chat_context.get() if m.id == message_id), None)


async def _send_back(message: cl.Message) -> None:
    """Refuse a question without losing its words: they go back to where they were typed."""
    await message.remove()
    await cl.context.emitter.send_window_message({"type": UNSENT, "text": message.content})
    await cl.context.emitter.send_toast(BUSY, "warning")


async def _say_what_was_read(
    read: list[Document], failed: list[XnaiError], question: str, request_id: str
) -> None:
    lines = [f"- {render.document_line(document)}" for document in read]
    problems = [f"- {render.failure_line(exc, request_id)}" for exc in failed]
    parts = []
    if lines:
        parts.append("Ready to be asked about:\n" + "\n".join(lines))
    if problems:
        parts.append("Could not be read:\n" + "\n".join(problems))
    if question.strip():
        parts.append("Your question was not answered, since none of its files could be read.")
    await cl.Message(content="\n\n".join(parts)).send()


async def _show_error(exc: XnaiError, request_id: str) -> None:
    await cl.ErrorMessage(content=render.failure(exc, request_id)).send()
