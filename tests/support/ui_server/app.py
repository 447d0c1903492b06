"""A small Chainlit app with every piece of xnai.ui that stands around the chat."""

import json
from pathlib import Path

import chainlit as cl
from chainlit.server import app, sio

from xnai.accounts import People
from xnai.settings import load_settings
from xnai.ui import auth
from xnai.ui.chainlit import address, page, routes, session_end, socket_guard
from xnai.ui.history import data_layer

settings = load_settings()
session_end.use_files_directory(settings.data_dir)
where = address.install(settings)
people = People.of(settings)
auth.install_auth(settings, people)


def _note(line: dict[str, object]) -> None:
    with Path(settings.data_dir, "events.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


async def thread_deleted(thread_id: str) -> None:
    _note({"deleted": thread_id})


async def session_deleted(thread_id: str, persisted: bool) -> None:
    _note({"ended": thread_id, "persisted": persisted})


kept = data_layer.SqliteHistory(
    settings.data_dir, thread_deleted, id_of_former_name=people.id_of_former_name
)
kept.install()
session_end.install(session_deleted)
socket_guard.install(sio, settings, max_sessions=16)
routes.install(app, settings)
page.install(have_keys=bool(settings.api_keys))


@cl.on_chat_start
async def start() -> None:
    await cl.Message(content="Welcome.").send()


@cl.on_chat_resume
async def resume(_thread: object) -> None:
    pass


@cl.on_message
async def message(asked: cl.Message) -> None:
    async with cl.Step(name="Retrieval", type="tool", show_input=False) as step:
        step.output = "two passages"
    files = ",".join(element.name for element in asked.elements or [])
    answer = cl.Message(content="")
    await answer.send()
    for token in ("You ", "said: ", asked.content, files):
        await answer.stream_token(token)
    answer.elements = [
        cl.CustomElement(name="Source", url="/v1/files/1", props={"page": 3}, display="inline")
    ]
    await answer.update()


@cl.action_callback("count")
async def count(action: cl.Action) -> int:
    return len(action.payload)
