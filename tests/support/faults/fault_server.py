"""A server with doors, and the book of where errors were made in it and its helpers."""

import os
import re
import socket
import threading
from pathlib import Path

import httpx
import psutil
from borders import ROOT
from model_folders import cross_encoder, embedding_model
from paths import SUPPORT

from rig.waiting import eventually
from rig.whole_server import Server
from xnai.llm.gguf.catalogue import bundled_path

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
COMMAND = ("-m", "chainlit", "run", str(HERE / "fault_app.py"), "--headless")


class Book:
    """The places where errors were made, as the recorders in all processes tell them."""

    def __init__(self, path):
        self.path = str(path)
        self.made = set()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(self.path)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        while data := self._socket.recv(4096):
            file, line, code = data.decode().split("\n")
            self.note(file, int(line), code)

    def note(self, file, line, code):
        path = Path(file)
        if path.is_relative_to(ROOT):
            self.made.add((str(path.relative_to(ROOT)), line, code))

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.path)
        self._thread.join(5)
        self._socket.close()

    @property
    def environment(self):
        path = os.pathsep.join(map(str, (HERE / "recorder", HERE, HERE.parent, ROOT)))
        return {"LC_ERROR_SITES": self.path, "PYTHONPATH": path}


def make_server(folder, book, **environment):
    """A server on tiny models, so that a start takes seconds and an answer none."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "small.gguf").symlink_to(bundled_path())
    path = os.pathsep.join((book.environment["PYTHONPATH"], str(HERE), str(SUPPORT)))
    settings = {
        **book.environment,
        "PYTHONPATH": path,
        "CHAINLIT_APP_ROOT": str(ROOT),
        "XNAI_MODEL": str(folder / "model" / "small.gguf"),
        "XNAI_EMBEDDER": str(embedding_model(folder / "embedder")),
        "XNAI_RERANKER": str(cross_encoder(folder / "reranker", "bread")),
        "XNAI_LOG_FORMAT": "json",
        "XNAI_DISCONNECT_GRACE": "1",
        "XNAI_UPLOAD_MAX_MB": "2",
        "XNAI_DRAIN_SECONDS": "0",
        **environment,
    }
    return Server(folder, settings)


def worker_of(server):
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "frame_worker" in " ".join(process.cmdline()):
            return process
    raise AssertionError("the model's worker does not run")


async def door(client, point="", fault="", later=False):
    told = {"point": point, "fault": fault, "later": later}
    return (await client.put("/faults", json=told)).raise_for_status().json()


async def seen(client):
    return (await client.get("/faults")).raise_for_status().json()


async def at_rest(client, seconds=15):
    """What the server says once nothing of any request is left."""
    state = {}

    async def rests():
        state.update(await seen(client))
        return not state["streams"] and not state["running"] and not state["tasks"]

    await eventually(rests, lambda: f"something is left of a request: {state}", seconds)
    return state


def codes_in(text):
    return set(re.findall(r"\b([a-z]+(?:_[a-z]+)+|internal) · [0-9a-f-]{1,64}", text))


def client_of(server, **options):
    return httpx.AsyncClient(base_url=server.url, timeout=30, **options)
