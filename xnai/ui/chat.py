"""The handlers of the chat, each called by a hook in app.py."""

from contextlib import suppress
from typing import Any

import chainlit as cl
from chainlit.types import ThreadDict

from xnai.accounts import SERVER, may
from xnai.answering.streams import StreamState
from xnai.errors import XnaiError
from xnai.locale import marked, preferred, texts_in
from xnai.observability.error_reports import report
from xnai.runtime import Runtime
from xnai.ui import actions, commands, conversation, documents, library_choice, settings_panel
from xnai.ui.attachments import Attachments
from xnai.ui.auth import principal_of
from xnai.ui.broadcast import Broadcast
from xnai.ui.chosen import ChosenDocuments
from xnai.ui.history.protocol import PersonalChoices
from xnai.ui.questions import Questions
from xnai.ui.reading_language import texts_of
from xnai.ui.server_status import ServerStatus
from xnai.ui.toasts import errors_as_toasts, show_error

THREAD = "xnai:thread"  # which chat the page shows, see public/page/header.js
_STARTERS = (
    (marked("Try a sample document"), documents.SAMPLE_QUESTION),
    (marked("What can you do?"), marked("What can you do, and where do my documents go?")),
    (
        marked("Explain a term"),
        marked("Explain in two sentences what a circuit breaker in software is."),
    ),
    (
        marked("Write an e-mail"),
        marked("Write a short, friendly e-mail that moves a meeting to Friday."),
    ),
)


def starters(language: str) -> list[cl.Starter]:
    """Offer a few first questions in a browser's language, such as ``de-AT``."""
    texts = texts_in(preferred(language))
    return [cl.Starter(label=texts.say(one), message=texts.say(asks)) for one, asks in _STARTERS]


class Chat:
    """The page's side of the program: each method handles one event of the page.

    Args:
        runtime: everything below the page.
        sio: ``chainlit.server.sio``.

    """

    def __init__(self, runtime: Runtime, sio: Any) -> None:
        self.runtime = runtime
        self.broadcast = Broadcast(sio)
        self.attachments = Attachments(runtime.library, runtime.settings.upload_max_files)
        self.questions = Questions(runtime, self.broadcast, self.attachments)
        self.status = ServerStatus(runtime, sio)
        self.chosen = ChosenDocuments()
        self.choices: PersonalChoices | None = None  # where those of the settings panel are kept
        self._deleted: set[str] = set()  # threads, by their persons

    @errors_as_toasts()
    async def chat_resumed(self, thread: ThreadDict) -> None:
        """Open a chat of the history again."""
        conversation.restore(thread.get("steps") or [])
        if thread.get("shortened"):
            words = texts_of(cl.context.session).say(
                "The beginning of this long conversation is kept, but not shown."
            )
            await cl.context.emitter.send_toast(words, "info")
        await self.chat_opened()
        turn = conversation.last_turn()
        if turn is not None and self.runtime.streams.of_thread(thread["id"]) is None:
            await actions.show(turn, self.runtime.model)
        with suppress(XnaiError):  # it is a favour; a question will say what is wrong
            chat = documents.chat_documents(cl.context.session)
            if scope := await documents.scope_of(self.runtime.library, chat):
                self.runtime.prereader.wish(scope)

    @errors_as_toasts()
    async def chat_opened(self, *, is_new: bool = False) -> None:
        """Show the settings panel of a chat, as the person has left it in another.

        A new one asks what was chosen for it on the page of documents.
        """
        session, model = cl.context.session, self.runtime.model
        told = {"type": THREAD, "id": session.thread_id}
        await cl.context.emitter.send_window_message(told)
        before = dict(session.chat_settings or {})
        try:
            kept = await self.choices.choices() if self.choices else {}
        except XnaiError as exc:
            report(exc)  # the panel begins as it does for somebody new
        else:
            if session.chat_settings == before:  # nothing was chosen meanwhile
                # The model is everybody's: a chat of the history would switch it back.
                chosen = library_choice.merged(before, kept)
                wish = self.chosen.take(principal_of(session).person_id) if is_new else None
                chosen = wish.settings(chosen) if wish else chosen
                session.chat_settings = {**chosen, "model": model.status.name}
        await self._show_panel(chooses_model=_chooses_model())
        await self._offer_commands()

    @errors_as_toasts()
    async def message_sent(self, message: cl.Message) -> None:
        """Read the attached files, then answer; every outcome is shown on the page."""
        await self.questions.answer(message)

    @errors_as_toasts()
    async def continue_pressed(self, action: cl.Action) -> None:
        """Continue an answer that was cut off."""
        self.questions.continue_last(action.payload)

    @errors_as_toasts()
    async def again_pressed(self, action: cl.Action) -> None:
        """Answer a question once more, with another model if the button names one."""
        name = str(action.payload.get(actions.MODEL) or "")
        if name and not self.questions.is_busy():
            if not (_chooses_model() and await self._switch(name)):
                return
            session = cl.context.session
            session.chat_settings = {**(session.chat_settings or {}), "model": name}
            await self._show_panel(chooses_model=True)
        self.questions.repeat_last(action.payload)

    @errors_as_toasts()
    async def settings_changed(self) -> None:
        """Apply the settings panel, and keep it; the model is switched for all chats."""
        values = cl.context.session.chat_settings or {}
        model = self.runtime.model
        chosen = settings_panel.read(self.runtime.settings, model, values)
        if chosen.model != model.status.name and _chooses_model():
            await self._switch(chosen.model)
        limit = settings_panel.LONGEST_INSTRUCTIONS
        if len(str(values.get("instructions") or "").strip()) > limit:
            words = texts_of(cl.context.session).say(
                "Of your instructions the first {number} characters are used.", number=f"{limit:,}"
            )
            await cl.context.emitter.send_toast(words, "warning")
        await self._offer_commands()
        if self.choices:
            await self.choices.keep_choices(chosen.personal)

    async def _offer_commands(self) -> None:
        session = cl.context.session
        saved = settings_panel.saved_prompts(session.chat_settings or {})
        await cl.context.emitter.set_commands(commands.offered(texts_of(session), saved))

    async def _show_panel(self, *, chooses_model: bool) -> None:
        runtime, session = self.runtime, cl.context.session
        chosen = library_choice.chosen_ids(session.chat_settings or {})
        libraries = await library_choice.offered(runtime.libraries, principal_of(session), chosen)
        await settings_panel.show(
            runtime.settings, runtime.model, chooses_model=chooses_model, libraries=libraries
        )

    async def _switch(self, name: str) -> bool:
        model = self.runtime.model
        try:
            await model.use(name)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the panel shows the former model
            await show_error(report(exc))
            await self._show_panel(chooses_model=True)
            return False
        else:
            who = principal_of(cl.context.session).person_id
            self.runtime.audit.record("model", who=who, name=name)
            switching = texts_of(cl.context.session).say("Switching to {model}.", model=name)
            await cl.context.emitter.send_toast(switching, "info")
            return True

    async def thread_deleted(self, thread_id: str) -> None:
        """Delete the documents of a thread that the user deletes."""
        self._deleted.add(thread_id)
        stream = self.runtime.streams.cancel_thread(thread_id, StreamState.DISCONNECTED)
        if stream is not None:
            await stream.over()
        self.broadcast.forget(thread_id)
        await self._delete_documents(thread_id)

    async def session_deleted(self, thread_id: str, persisted: bool) -> None:
        """Delete what came into a chat after its person had deleted it.

        A chat can be missing from the history for other reasons: the file was lost, or could not be
        written. Its documents are kept, since nobody asked to delete them.
        """
        stream = self.runtime.streams.cancel_thread(thread_id, StreamState.DISCONNECTED)
        if stream is not None:
            await stream.over()
        if not persisted and thread_id in self._deleted:
            await self._delete_documents(thread_id)

    async def _delete_documents(self, thread_id: str) -> None:
        """Delete the documents of a chat that stand in no library."""
        collection = documents.collection_of(thread_id)
        await self.runtime.libraries.release(collection)
        await self.runtime.library.delete_collection(collection)

    def refuse(self) -> None:
        """Accept no more questions."""
        self.runtime.accepting = False

    async def drain(self) -> None:
        """Let the running answers finish and be saved."""
        await self.runtime.drain()
        await self.questions.wait_until_idle()

    async def end_streams(self) -> None:
        """End the running answers now; the text they have is kept."""
        await self.runtime.streams.close()
        await self.questions.wait_until_idle()
        await self.runtime.audit.flush()

    async def stop(self) -> None:
        """End the running answers, then everything below."""
        self.refuse()
        await self.status.stop()
        await self.end_streams()
        await self.attachments.close()
        await self.runtime.stop()


def _chooses_model() -> bool:
    """Whether the person at the page may choose what writes everybody's answers."""
    return may(principal_of(cl.context.session), "operate", SERVER)
