"""The handlers of the chat, each called from a hook in app.py."""

import asyncio
import uuid

import chainlit as cl
import structlog
from chainlit.types import ThreadDict

from xnai.errors import INTERNAL, SHUTTING_DOWN, XnaiError
from xnai.events import Question
from xnai.runtime import Runtime
from xnai.telemetry import metrics
from xnai.types import Document
from xnai.ui import conversation, documents, panel, render
from xnai.ui.answer import AnswerView
from xnai.ui.streams import Streams

log = structlog.get_logger(__name__)

DOCUMENTS_MESSAGE = "xnai:documents"  # what the page's own button posts, see public/xnai.js

STARTERS = (
    ("What can you do?", "What can you do, and where do my documents go?"),
    ("Explain a term", "Explain in two sentences what a circuit breaker in software is."),
    ("Write an e-mail", "Write a short, friendly e-mail that moves a meeting to Friday."),
)


class Chat:
    """Answers the page; holds no state but the registry of running answers."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.streams = Streams(runtime.settings.disconnect_grace)

    async def resumed(self, thread: ThreadDict) -> None:
        """Open a chat of the history again."""
        conversation.restore(thread.get("steps") or [])
        await self.opened()

    async def opened(self) -> None:
        """Greet a chat with its settings panel."""
        await panel.show(self.runtime.settings, self.runtime.model)

    async def asked(self, message: cl.Message) -> None:
        """Read the attached files, then answer; every end is shown on the page."""
        session = cl.context.session
        # Chainlit forgets to do this for edited messages, and Stop would not work on them.
        session.current_task = asyncio.current_task()
        request_id = uuid.uuid4().hex
        with (
            structlog.contextvars.bound_contextvars(
                request_id=request_id, session=session.id, thread=session.thread_id
            ),
            self.streams.running(session.id) as free,
        ):
            if not free:
                session.current_task = self.streams.task(session.id)  # what Stop is to end
                await cl.context.emitter.send_toast(
                    "The last question is still being answered; wait for it or press Stop.",
                    "warning",
                )
                return
            try:
                await self._answer(message, request_id)
            except XnaiError as exc:
                log.warning("question failed", code=exc.code)
                await _show_error(exc, request_id)
            except Exception:
                log.exception("question failed")
                await _show_error(XnaiError(INTERNAL), request_id)

    async def _answer(self, message: cl.Message, request_id: str) -> None:
        runtime, session = self.runtime, cl.context.session
        if not runtime.accepting:
            raise XnaiError(SHUTTING_DOWN, retry_after=5)
        owner = documents.owner_of(session.thread_id)
        files = documents.attached_files(message)
        if files:
            limit = runtime.settings.upload_max_files
            read, failed = await documents.read_files(runtime.library, owner, files, limit)
            if not message.content.strip() or (failed and not read):
                await _say_what_was_read(read, failed, message.content)
                return
        choices = panel.read(runtime.settings, runtime.model, session.chat_settings or {})
        question = Question(
            text=message.content,
            request_id=request_id,
            user=session.user.identifier if session.user else session.id,
            history=conversation.before(message.id),
            scope=await documents.scope_of(runtime.library, owner),
            passages=choices.passages,
            sampling=choices.sampling,
            timeout=runtime.settings.answer_timeout,
        )
        await self._stream(message, question)

    async def _stream(self, message: cl.Message, question: Question) -> None:
        view = AnswerView(cl.Message(content=""))
        try:
            await view.run(self.runtime.pipeline, question)
        except XnaiError:
            await view.close("\n\n*The answer broke off here.*" if view.text else "")
            raise
        except asyncio.CancelledError:
            await view.close("\n\n*Stopped.*")
            raise
        finally:
            conversation.remember(message.id, message.content, view.text)

    async def settings_changed(self) -> None:
        """Take over what was chosen in the panel; the model is switched for all chats."""
        values = cl.context.session.chat_settings or {}
        model = self.runtime.model
        chosen = panel.read(self.runtime.settings, model, values)
        if chosen.model == model.status.name:
            return
        try:
            await model.use(chosen.model)
        except XnaiError as exc:
            await cl.context.emitter.send_toast(f"{exc.message} {exc.hint}", "error")
            await panel.show(self.runtime.settings, model)
        else:
            await cl.context.emitter.send_toast(f"Switching to {chosen.model}.", "info")

    async def window_message(self, data: object) -> None:
        """Open the list of documents when the page's button asks for it."""
        if data == DOCUMENTS_MESSAGE:
            owner = documents.owner_of(cl.context.session.thread_id)
            await documents.show_list(self.runtime.library, owner)

    async def delete_document(self, action: cl.Action) -> None:
        """Delete one document of this chat."""
        owner = documents.owner_of(cl.context.session.thread_id)
        await documents.delete_from_list(self.runtime.library, owner, action.payload)

    async def thread_deleted(self, thread_id: str) -> None:
        """Delete the documents of a thread that the user deletes."""
        await self.runtime.library.delete_owner(documents.owner_of(thread_id))

    async def session_deleted(self, thread_id: str, persisted: bool) -> None:
        """Leave nothing of a chat that is not in the history."""
        if not persisted:
            await self.thread_deleted(thread_id)

    async def stop(self) -> None:
        """End the running answers with the text they have, then everything below."""
        self.runtime.accepting = False
        await self.streams.close()
        await self.runtime.stop()


async def _say_what_was_read(read: list[Document], failed: list[XnaiError], question: str) -> None:
    lines = [f"- {render.document_line(document)}" for document in read]
    problems = [f"- {render.plain(str(exc))}" for exc in failed]
    parts = []
    if lines:
        parts.append("Ready to be asked about:\n" + "\n".join(lines))
    if problems:
        parts.append("Could not be read:\n" + "\n".join(problems))
    if question.strip():
        parts.append("Your question was not answered, since none of its files could be read.")
    await cl.Message(content="\n\n".join(parts)).send()


async def _show_error(exc: XnaiError, request_id: str) -> None:
    metrics.error(exc.code)
    await cl.ErrorMessage(content=render.failure(exc, request_id)).send()
