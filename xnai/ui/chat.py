"""The handlers of the chat, each called from a hook in app.py."""

from typing import Any

import chainlit as cl
from chainlit.types import ThreadDict

from xnai.audit import acting
from xnai.reporting import report
from xnai.runtime import Runtime
from xnai.streams import State
from xnai.ui import conversation, documents, offers, panel
from xnai.ui.asking import Asking, user_of
from xnai.ui.rooms import Rooms
from xnai.ui.telling import toast, told

DOCUMENTS_MESSAGE = "xnai:documents"  # what the page's own button posts, see public/xnai.js

STARTERS = (
    ("What can you do?", "What can you do, and where do my documents go?"),
    ("Explain a term", "Explain in two sentences what a circuit breaker in software is."),
    ("Write an e-mail", "Write a short, friendly e-mail that moves a meeting to Friday."),
)


class Chat:
    """Answers the page.

    Args:
        runtime: everything below the page.
        sio: ``chainlit.server.sio``.

    """

    def __init__(self, runtime: Runtime, sio: Any) -> None:
        self.runtime = runtime
        self.rooms = Rooms(sio)
        self.asking = Asking(runtime, self.rooms)

    @told()
    async def resumed(self, thread: ThreadDict) -> None:
        """Open a chat of the history again."""
        conversation.restore(thread.get("steps") or [])
        await self.opened()
        turn = conversation.last()
        if turn is not None and self.runtime.streams.of_thread(thread["id"]) is None:
            await offers.offer(turn)

    @told()
    async def opened(self) -> None:
        """Greet a chat with its settings panel."""
        await panel.show(self.runtime.settings, self.runtime.model)

    @told()
    async def asked(self, message: cl.Message) -> None:
        """Read the attached files, then answer; every end is shown on the page."""
        await self.asking.ask(message)

    @told()
    async def continued(self, action: cl.Action) -> None:
        """Go on with an answer that was cut off."""
        self.asking.go_on(action.payload)

    @told()
    async def repeated(self, action: cl.Action) -> None:
        """Answer a question once more."""
        self.asking.again(action.payload)

    @told()
    async def settings_changed(self) -> None:
        """Take over what was chosen in the panel; the model is switched for all chats."""
        values = cl.context.session.chat_settings or {}
        model = self.runtime.model
        chosen = panel.read(self.runtime.settings, model, values)
        if chosen.model == model.status.name:
            return
        try:
            await model.use(chosen.model)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the panel shows the former model
            await toast(report(exc))
            await panel.show(self.runtime.settings, model)
        else:
            who = user_of(cl.context.session)
            self.runtime.audit.record("model", who=who, name=chosen.model)
            await cl.context.emitter.send_toast(f"Switching to {chosen.model}.", "info")

    @told()
    async def window_message(self, data: object) -> None:
        """Open the list of documents when the page's button asks for it."""
        if data == DOCUMENTS_MESSAGE:
            owner = documents.owner_of(cl.context.session.thread_id)
            await documents.show_list(self.runtime.library, owner)

    @told()
    async def delete_document(self, action: cl.Action) -> None:
        """Delete one document of this chat."""
        acting.set(user_of(cl.context.session))
        owner = documents.owner_of(cl.context.session.thread_id)
        await documents.delete_from_list(self.runtime.library, owner, action.payload)

    async def thread_deleted(self, thread_id: str) -> None:
        """Delete the documents of a thread that the user deletes."""
        stream = self.runtime.streams.cancel_thread(thread_id, State.DISCONNECTED)
        if stream is not None:
            await stream.over()
        self.rooms.forget(thread_id)
        await self.runtime.library.delete_owner(documents.owner_of(thread_id))

    async def session_deleted(self, thread_id: str, persisted: bool) -> None:
        """Leave nothing of a chat that is not in the history."""
        stream = self.runtime.streams.cancel_thread(thread_id, State.DISCONNECTED)
        if stream is not None:
            await stream.over()
        if not persisted:
            await self.runtime.library.delete_owner(documents.owner_of(thread_id))

    def refuse(self) -> None:
        """Take no more questions."""
        self.runtime.accepting = False

    async def drain(self) -> None:
        """Let the running answers come to their ends, all of them saved."""
        await self.runtime.drain()
        await self.asking.finish()

    async def end_streams(self) -> None:
        """End the running answers now, with the text they have."""
        await self.runtime.streams.close()
        await self.asking.finish()
        await self.runtime.audit.flush()

    async def stop(self) -> None:
        """End the running answers with the text they have, then everything below."""
        self.refuse()
        await self.end_streams()
        await self.runtime.stop()
