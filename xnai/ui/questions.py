"""One question at a time per thread: asked, continued, or answered again."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, replace
from typing import Any

import chainlit as cl
import structlog
from chainlit.chat_context import chat_context
from chainlit.element import Element

from xnai.accounts import acting
from xnai.answering.events import Question
from xnai.answering.streams import Stream, StreamState, end_of
from xnai.answering.summary import Account
from xnai.errors import XnaiError
from xnai.locale import in_all_languages, marked
from xnai.observability.error_reports import report
from xnai.runtime import Runtime
from xnai.types import Document, Message
from xnai.ui import (
    actions,
    commands,
    conversation,
    documents,
    library_choice,
    markdown,
    next_questions,
    settings_panel,
)
from xnai.ui.answer_view import AnswerView
from xnai.ui.attachments import Attachments
from xnai.ui.auth import principal_of
from xnai.ui.broadcast import Broadcast, share_question
from xnai.ui.conversation import Turn
from xnai.ui.reading_language import reader_of, texts_of
from xnai.ui.toasts import errors_as_toasts

log = structlog.get_logger(__name__)

GO_ON = "Go on with your answer exactly where it stopped; repeat nothing of it."
UNSENT = "xnai:unsent"  # what the page puts back into the input, see public/page/composer.js
BUSY = marked(
    "The last question is still being answered; wait for it or press Stop, then send this one."
)
NOT_THE_LAST = marked("Only the newest answer can be continued or given again.")

Work = Callable[[Stream], Awaitable[None]]


class Questions:
    """Runs the answers of the page and shows the outcome of each."""

    def __init__(self, runtime: Runtime, broadcast: Broadcast, attachments: Attachments) -> None:
        self._runtime = runtime
        self._attachments = attachments
        self._broadcast = broadcast
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, message: cl.Message) -> None:
        """Read the attached files of a message, then answer it."""
        session = cl.context.session
        if self.is_busy():
            await _return_question(message)
            return
        run = cl.context.current_run
        shown = [message.to_dict(), *([run.to_dict()] if run else [])]
        share_question(self._broadcast, session, message)
        saved = settings_panel.saved_prompts(session.chat_settings or {})
        words = commands.question_of(message.command, message.content, texts_of(session), saved)
        asked = (message.id, words)
        await self._run(asked, lambda stream: self._answer(message, words, stream), shown)

    def continue_last(self, payload: dict[str, Any]) -> None:
        """Continue the last answer in its own message."""
        self._start(payload, self._continue)

    def repeat_last(self, payload: dict[str, Any]) -> None:
        """Answer the last question once more in a new message."""
        self._start(payload, self._repeat)

    async def wait_until_idle(self) -> None:
        """Wait for the tasks that the buttons started; the streams themselves have ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(
        self, payload: dict[str, Any], work: Callable[[Turn, Stream], Awaitable[None]]
    ) -> None:
        # The button's own request returns at once, since an answer may take minutes.
        task = asyncio.create_task(self._run_button(payload, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @errors_as_toasts()
    async def _run_button(
        self, payload: dict[str, Any], work: Callable[[Turn, Stream], Awaitable[None]]
    ) -> None:
        turn = conversation.last_turn()
        if self.is_busy() or turn is None or turn["id"] != payload.get(actions.QUESTION):
            words = BUSY if self.is_busy() else NOT_THE_LAST
            await cl.context.emitter.send_toast(texts_of(cl.context.session).say(words), "warning")
            return

        async def pressed(stream: Stream) -> None:
            await cl.context.emitter.task_start()
            await work(turn, stream)

        try:
            await self._run((turn["id"], turn["question"]), pressed, [])
        finally:
            await cl.context.emitter.task_end()

    def _offer(self, work: Coroutine[Any, Any, None]) -> None:
        """Have the next questions looked for, while nobody waits for it."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def is_busy(self) -> bool:
        """Whether a question of this chat is being answered."""
        return self._runtime.streams.of_thread(cl.context.session.thread_id) is not None

    async def _run(self, asked: tuple[str, str], work: Work, shown: list[Any]) -> None:
        """Answer a message, given as its id and its text."""
        session = cl.context.session
        person = principal_of(session)
        stream = Stream(
            "page",
            owner=person.person_id,
            message=asked[0],
            session=session.id,
            thread=session.thread_id,
            request_id=uuid.uuid4().hex,
            account=Account(asked[1]),
        )
        acting.set(person)
        with structlog.contextvars.bound_contextvars(
            request_id=stream.request_id, session=session.id, thread=session.thread_id
        ):
            channel = None
            try:
                with self._runtime.streams.run(stream):
                    channel = await self._broadcast.start_run(session, *shown)
                    await work(stream)
            except asyncio.CancelledError:
                # The registry cancelled this task to end the answer, and that is done.
                task = asyncio.current_task()
                if stream.reason is None or task is None or task.uncancel():
                    raise
            except Exception as exc:  # noqa: BLE001 - Chainlit would show the text of any other
                await _show_error(report(exc), stream.request_id)
            finally:
                if channel is not None:
                    channel.running = False

    async def _answer(self, message: cl.Message, words: str, stream: Stream) -> None:
        runtime, session = self._runtime, cl.context.session
        if (previous := conversation.last_turn()) is not None:
            await actions.remove(previous["id"])
        files = documents.attached_files(message)
        begun = await self._attachments.sent(session)
        if files:
            stream.retrieving()
            read, failed = await self._read(files, begun)
            if failed and not read:
                stream.account.fail(failed[0])
            if not words.strip() or (failed and not read):
                await _report_files(read, failed, words)
                return
        else:
            await self._attachments.discard(begun)
            chat = documents.chat_documents(session)
            await documents.read_sample(runtime.library, chat, words)
        question = await self._question(words, stream, conversation.history_before(message.id))
        view = AnswerView(cl.Message(content=""), message.id, runtime.model)
        await self._stream(view, question, stream, (message.id, words))

    async def _read(
        self, files: list[Element], begun: frozenset[str]
    ) -> tuple[list[Document], list[XnaiError]]:
        """Read the files of a message; what was attached and taken back before goes."""
        runtime, chat = self._runtime, documents.chat_documents(cl.context.session)
        limit = runtime.settings.upload_max_files
        read, failed = await documents.read_files(runtime.library, chat, files, limit, begun)
        sent = frozenset(document.id for document in read)
        self._attachments.keep(sent)
        await self._attachments.discard(begun - sent)
        return read, failed

    async def _continue(self, turn: Turn, stream: Stream) -> None:
        shown = _message(turn["message"])
        if shown is None:
            await self._repeat(turn, stream)
            return
        history = conversation.as_messages(conversation.turns())
        question = await self._question(GO_ON, stream, history)
        question = replace(question, continues=True)
        view = AnswerView(
            shown,
            turn["id"],
            self._runtime.model,
            existing=turn["answer"].rstrip() + " ",
            earlier=conversation.cited_in(turn),
        )
        await self._stream(view, question, stream, (turn["id"], turn["question"]))

    async def _repeat(self, turn: Turn, stream: Stream) -> None:
        await actions.remove(turn["id"])
        earlier = _message(turn["message"])
        if earlier is not None and not earlier.content.endswith(in_all_languages(markdown.EARLIER)):
            earlier.content += texts_of(cl.context.session).say(markdown.EARLIER)
            earlier.actions = []
            await earlier.update()
        kept = [other for other in conversation.turns() if other["id"] != turn["id"]]
        question = await self._question(turn["question"], stream, conversation.as_messages(kept))
        view = AnswerView(cl.Message(content=""), turn["id"], self._runtime.model)
        await self._stream(view, question, stream, (turn["id"], turn["question"]))

    async def _question(self, text: str, stream: Stream, history: tuple[Message, ...]) -> Question:
        runtime, session = self._runtime, cl.context.session
        choices = settings_panel.read(runtime.settings, runtime.model, session.chat_settings or {})
        chat = documents.chat_documents(session)
        asked = await library_choice.asked(runtime.libraries, chat.person, choices.libraries)
        scope = await documents.scope_of(runtime.library, chat, asked.ids, choices.documents)
        names = asked.names
        if choices.documents:
            names += (library_choice.counted(len(choices.documents)),)
        return Question(
            text=text,
            request_id=stream.request_id,
            user=stream.owner,
            history=history,
            scope=scope,
            passages=choices.passages,
            sampling=choices.sampling,
            system="" if scope else choices.system,
            timeout=runtime.settings.answer_timeout,
            reader=reader_of(session),
            asked=names,
        )

    async def _stream(
        self, view: AnswerView, question: Question, stream: Stream, asked: tuple[str, str]
    ) -> None:
        end: str = StreamState.COMPLETED
        try:
            await view.run(self._runtime.pipeline, question, stream)
        except BaseException as exc:
            ended = end_of(stream, exc)
            end = ended
            await view.close(ended)
            raise
        else:
            end = actions.CUT_SHORT if view.is_cut_short else end
            if view.is_answered and end == StreamState.COMPLETED:
                self._offer(next_questions.offer(self._runtime.library, question, view))
        finally:
            turn = Turn(
                id=asked[0],
                question=asked[1],
                answer=view.text,
                message=view.message.id,
                end=end,
                cited=[asdict(one) for one in view.cited] if end != StreamState.COMPLETED else [],
            )
            await conversation.save_turn(self._broadcast.sessions(stream.thread), turn)


def _message(message_id: str) -> cl.Message | None:
    return next((m for m in chat_context.get() if m.id == message_id), None)


async def _return_question(message: cl.Message) -> None:
    """Refuse a question without losing its text: it goes back to the input field."""
    await message.remove()
    await cl.context.emitter.send_window_message({"type": UNSENT, "text": message.content})
    await cl.context.emitter.send_toast(texts_of(cl.context.session).say(BUSY), "warning")


async def _report_files(read: list[Document], failed: list[XnaiError], question: str) -> None:
    texts = texts_of(cl.context.session)
    lines = [f"- {markdown.document_line(document, texts)}" for document in read]
    problems = [f"- {markdown.failure_line(exc, texts)}" for exc in failed]
    parts = []
    if lines:
        parts.append("\n".join([texts.say("Ready to be asked about:"), *lines]))
    if problems:
        parts.append("\n".join([texts.say("Could not be read:"), *problems]))
    if question.strip():
        parts.append(
            texts.say("Your question was not answered, since none of its files could be read.")
        )
    await cl.Message(content="\n\n".join(parts)).send()


async def _show_error(exc: XnaiError, request_id: str) -> None:
    texts = texts_of(cl.context.session)
    await cl.ErrorMessage(content=markdown.failure(exc, request_id, texts)).send()
