"""The entry point of the page: `chainlit run app.py`, or `xnai serve`, which does the same.

Hooks only; what they do is in xnai/ui.
"""

import sys

import chainlit as cl
from chainlit.config import config
from chainlit.server import app, sio
from chainlit.types import ThreadDict

from xnai import observability
from xnai.api.routes import install as install_api
from xnai.cli.errors import FAILED, catalogued
from xnai.data_folder.rights import make_private
from xnai.runtime import Runtime
from xnai.settings import Settings, load_settings
from xnai.ui import auth, chat_names, documents
from xnai.ui.actions import AGAIN, CONTINUE
from xnai.ui.chainlit import (
    address,
    page,
    page_words,
    routes,
    session_end,
    socket_guard,
    thread_names,
)
from xnai.ui.chainlit.lifecycle import Lifecycle
from xnai.ui.chat import Chat
from xnai.ui.chat import starters as first_questions
from xnai.ui.history import data_layer
from xnai.ui.pages import routes as pages
from xnai.ui.server import server, tls


def build(settings: Settings) -> Chat:
    """Put XNAi into Chainlit's application; the order matters only where a comment says so."""
    make_private()
    where = address.install(settings)
    address.refuse_taken(where)
    # Chainlit's command line overrides the settings for everything below.
    settings = settings.model_copy(update={"host": where.host, "port": where.port})
    observability.configure_logging(settings)
    tls.options(settings)  # before anything is created
    tls.warn(settings)
    runtime = Runtime(settings)
    chat = Chat(runtime, sio)
    lifecycle = Lifecycle(settings, runtime.streams, chat.broadcast)
    config.features.spontaneous_file_upload.max_size_mb = settings.upload_max_mb
    config.features.spontaneous_file_upload.max_files = settings.upload_max_files
    alone = session_end.use_files_directory(settings.data_dir)
    auth.install_auth(settings, runtime.people)
    store = data_layer.SqliteHistory(
        settings.data_dir,
        chat.thread_deleted,
        recover=alone,
        id_of_former_name=runtime.people.id_of_former_name,
    )
    store.install()
    chat.choices = store
    runtime.health.add("history", store.check)
    session_end.install(chat.session_deleted, lifecycle.session_ended, chat.attachments.forget)
    socket_guard.install(sio, settings)
    lifecycle.install(sio)
    chat.status.install(sio)
    server.install(settings, chat.refuse, chat.drain, chat.end_streams)
    page_words.install()
    thread_names.install(chat_names.name_of)
    page.install(have_keys=bool(settings.api_keys), model_elsewhere=bool(settings.llm_url))
    documents.show_attachments_as_files()
    routes.install(app, settings, runtime.attempts, chat.attachments.received)
    pages.install(app, runtime, auth.page_person, chat.attachments.again, chat.chosen)
    # Last, so that its guard stands before every route of the port.
    install_api(app, runtime, auth.page_person)
    return chat


try:
    chat = build(load_settings())
except Exception as exc:  # noqa: BLE001 - a traceback tells nobody what to do
    print(f"XNAi cannot start: {catalogued(exc)}", file=sys.stderr)  # noqa: T201
    sys.exit(FAILED)


@cl.on_app_startup
async def start() -> None:
    """Open index and model in the background."""
    observability.configure_logging(chat.runtime.settings)  # uvicorn has put its own in between
    await chat.runtime.start()
    chat.status.start()


@cl.on_app_shutdown
async def stop() -> None:
    """End what runs, and close what is open."""
    await chat.stop()


@cl.set_starters
async def starters(_user: object, language: str | None) -> list[cl.Starter]:
    """Offer a few first questions."""
    return first_questions(language or "")


@cl.on_chat_start
async def chat_started() -> None:
    """Greet a new chat."""
    await chat.chat_opened(is_new=True)


@cl.on_chat_resume
async def chat_resumed(thread: ThreadDict) -> None:
    """Greet a chat that is opened again."""
    await chat.chat_resumed(thread)


@cl.on_message
async def message_sent(message: cl.Message) -> None:
    """Answer a question."""
    await chat.message_sent(message)


@cl.on_settings_update
async def settings_changed(_values: object) -> None:
    """Apply the settings panel."""
    await chat.settings_changed()


@cl.action_callback(CONTINUE)
async def continue_answer(action: cl.Action) -> None:
    """Continue an answer that was cut off."""
    await chat.continue_pressed(action)


@cl.action_callback(AGAIN)
async def answer_again(action: cl.Action) -> None:
    """Give the last answer once more."""
    await chat.again_pressed(action)
