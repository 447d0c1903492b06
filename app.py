"""The entry point of the page: `chainlit run app.py`, or `xnai serve`, which does the same.

Hooks only; what they do is in xnai/ui.
"""

import sys
from pathlib import Path

import chainlit as cl
from chainlit.config import config
from chainlit.server import app, sio
from chainlit.types import ThreadDict

from xnai import telemetry
from xnai.api.installation import install as install_api
from xnai.cli_errors import FAILED, catalogued
from xnai.runtime import Runtime
from xnai.settings import Settings, load_settings
from xnai.ui import address, auth, documents, guard, history, page, routes, serving, session_end
from xnai.ui.chat import STARTERS, Chat
from xnai.ui.lifecycle import Lifecycle
from xnai.ui.offers import AGAIN, CONTINUE

CITATION = Path(__file__).parent / "public" / "elements" / "Citation.jsx"


def build(settings: Settings) -> Chat:
    """Put XNAi into Chainlit's application; the order matters only where a comment says so."""
    where = address.install(settings)
    address.refuse_taken(where)
    # What was said on Chainlit's command line counts for everybody below.
    settings = settings.model_copy(update={"host": where.host, "port": where.port})
    telemetry.configure_logging(settings)
    runtime = Runtime(settings)
    chat = Chat(runtime, sio)
    lifecycle = Lifecycle(settings, runtime.streams, chat.rooms)
    config.features.spontaneous_file_upload.max_size_mb = settings.upload_max_mb
    config.features.spontaneous_file_upload.max_files = settings.upload_max_files
    alone = session_end.use_files_directory(settings.data_dir)
    auth.install_auth(settings, settings.data_dir)
    store = history.SqliteHistory(settings.data_dir, chat.thread_deleted, recover=alone)
    store.install()
    runtime.health.add("history", store.check)
    session_end.install(chat.session_deleted, lifecycle.session_ended)
    guard.install(sio, settings)
    lifecycle.install(sio)
    serving.install(settings, chat.refuse, chat.drain, chat.end_streams)
    page.install()
    documents.show_attachments_as_files()
    routes.install(app, settings)
    # Last, so that its guard stands before every route of the port.
    install_api(app, runtime, auth.page_user, CITATION)
    return chat


try:
    chat = build(load_settings())
except Exception as exc:  # noqa: BLE001 - a traceback tells nobody what to do
    print(f"XNAi cannot start: {catalogued(exc)}", file=sys.stderr)  # noqa: T201
    sys.exit(FAILED)


@cl.on_app_startup
async def start() -> None:
    """Open index and model in the background."""
    telemetry.configure_logging(chat.runtime.settings)  # uvicorn has put its own in between
    await chat.runtime.start()


@cl.on_app_shutdown
async def stop() -> None:
    """End what runs, close what is open."""
    await chat.stop()


@cl.set_starters
async def starters() -> list[cl.Starter]:
    """Offer a few first questions."""
    return [cl.Starter(label=label, message=message) for label, message in STARTERS]


@cl.on_chat_start
async def chat_started() -> None:
    """Greet a new chat."""
    await chat.opened()


@cl.on_chat_resume
async def chat_resumed(thread: ThreadDict) -> None:
    """Greet a chat that is opened again."""
    await chat.resumed(thread)


@cl.on_message
async def message_sent(message: cl.Message) -> None:
    """Answer a question."""
    await chat.asked(message)


@cl.on_settings_update
async def settings_changed(_values: object) -> None:
    """Take over the settings panel."""
    await chat.settings_changed()


@cl.on_window_message
async def window_message(data: object) -> None:
    """Hear the button beside the chat."""
    await chat.window_message(data)


@cl.action_callback(CONTINUE)
async def continue_answer(action: cl.Action) -> None:
    """Go on with an answer that was cut off."""
    await chat.continued(action)


@cl.action_callback(AGAIN)
async def answer_again(action: cl.Action) -> None:
    """Give the last answer once more."""
    await chat.repeated(action)


@cl.action_callback("delete_document")
async def delete_document(action: cl.Action) -> None:
    """Delete a document of this chat."""
    await chat.delete_document(action)
