"""A server killed at any moment of an ingest: what it accepted is read whole, no more is left."""

import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import apsw
import httpx
import psutil
import pytest
from documents_files import docx

from rig.pdf_files import pdf
from rig.waiting import wait_until
from rig.whole_server import Server
from xnai.retrieval.embedding import weights

# No model answers there: this is about documents alone.
WITHOUT_MODEL = {"XNAI_LLM_URL": "http://127.0.0.1:9"}
PATIENCE = 240.0  # seconds, on a loaded machine
ROUNDS = 7
LOOK = 0.0005  # seconds between two looks for the moment to kill at

Content = dict[str, bytes]


def words(seed: int, count: int) -> list[str]:
    source = random.Random(seed)
    syllables = [c + v for c in "bdfgklmnprstvw" for v in "aeiou"]
    return ["".join(source.choices(syllables, k=source.randint(1, 4))) for _ in range(count)]


def long_pdf(seed: int, pages: int = 6) -> bytes:
    made = words(seed, 12 * 40 * pages)
    lines = [" ".join(made[n : n + 12]).capitalize() + "." for n in range(0, len(made), 12)]
    return pdf([lines[n : n + 40] for n in range(0, len(lines), 40)])


def documents(round_: int) -> Content:
    return {
        f"book{round_}.pdf": long_pdf(round_),
        f"letter{round_}.docx": docx([f"# Letter {round_}", " ".join(words(50 + round_, 90))]),
        f"note{round_}.txt": " ".join(words(100 + round_, 400)).encode(),
    }


@dataclass
class Killed(Server):
    """A server that is killed outright rather than stopped; ``missed`` counts moments not seen."""

    missed: int = 0

    def send(self, content: Content) -> dict[str, str]:
        """Upload until the server is gone; gives the names and ids of what it accepted."""
        accepted = {}
        for name, data in content.items():
            try:
                answer = httpx.post(
                    f"{self.url}/v1/files", files={"file": (name, data)}, timeout=60
                )
            except httpx.TransportError:
                break
            assert answer.status_code == httpx.codes.OK, answer.text
            accepted[name] = str(answer.json()["id"])
        return accepted

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(20)

    def kill_when(self, moment: Callable[[], bool]) -> threading.Thread:
        """Kill it as soon as something is the case, from a thread that looks all the time."""

        def look() -> None:
            deadline = time.monotonic() + PATIENCE
            while not (came := moment()) and time.monotonic() < deadline:
                time.sleep(LOOK)
            self.missed += not came
            self.kill()

        watching = threading.Thread(target=look)
        watching.start()
        return watching

    @property
    def index(self) -> Path:
        return self.folder / "data" / "index.sqlite3"

    @property
    def spool(self) -> Path:
        return self.folder / "data" / "documents"

    def is_reading(self) -> bool:
        assert self.process is not None
        try:
            running = psutil.Process(self.process.pid).children()
            return any(
                "xnai.documents.parsers.main" in " ".join(child.cmdline()) for child in running
            )
        except psutil.Error:
            return False

    def states(self) -> list[str]:
        """What the index says of its documents, read beside the server."""
        connection = apsw.Connection(str(self.index), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return [state for (state,) in connection.execute("SELECT status FROM documents")]
        except apsw.Error:
            return []
        finally:
            connection.close()

    def is_writing(self) -> Callable[[], bool]:
        """Whether more is being written than the record of a document."""
        log = self.index.with_name(self.index.name + "-wal")

        def size() -> int:
            return log.stat().st_size if log.exists() else 0

        before = size()

        def writing() -> bool:
            nonlocal before
            last, before = before, size()
            return before - last > 100_000

        return writing

    def is_incoming(self) -> bool:
        folder = self.spool / ".incoming"
        return folder.exists() and any(path.stat().st_size for path in folder.iterdir())

    def all_read(self) -> bool:
        listed = httpx.get(f"{self.url}/v1/files", timeout=30).json()["data"]
        assert not [file for file in listed if file["status"] == "error"], listed
        return all(file["status"] == "processed" for file in listed)

    def wait_until_read(self) -> None:
        wait_until(self.all_read, self.states, PATIENCE, pace=0.2)

    def chunks(self) -> dict[str, list[tuple[int | None, int, int, str, bytes]]]:
        """Each document's chunks with their vectors, by its name; call it when stopped."""
        connection = apsw.Connection(str(self.index))
        rows = connection.execute(
            'SELECT d.file_name, c.page, c.start, c."end", c.text, v.vector FROM documents d '
            "JOIN chunks c ON c.document_id = d.id JOIN vectors v ON v.chunk_id = c.id "
            "ORDER BY c.id"
        ).fetchall()
        connection.close()
        found: dict[str, list[tuple[int | None, int, int, str, bytes]]] = {}
        for name, *chunk in rows:
            found.setdefault(name, []).append(tuple(chunk))
        return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """A server that has read all documents of all rounds in peace, and is stopped."""
    server = Killed(tmp_path_factory.mktemp("undisturbed"), WITHOUT_MODEL)
    server.start()
    server.wait(status="ready")
    folder = server.folder / "data" / "embedding"
    wait_until(lambda: weights.quantized(folder), "the quantised model", PATIENCE, pace=0.2)
    server.stop()
    server.start()
    server.wait(status="ready")
    for round_ in range(ROUNDS):
        server.send(documents(round_))
    server.wait_until_read()
    server.stop()
    return server


def moment(server: Killed, round_: int) -> Callable[[], bool]:
    """When to kill in a round; the last ones are left to chance."""
    after = time.monotonic() + random.Random(round_).uniform(0.05, 2.5)
    moments = [
        server.is_incoming,
        server.is_reading,
        lambda: "processing" in server.states() and not server.is_reading(),
        server.is_writing(),
    ]
    return moments[round_] if round_ < len(moments) else lambda: time.monotonic() > after


def test_what_was_accepted_is_read_whole_whenever_the_server_is_killed(undisturbed, tmp_path):
    shutil.copytree(undisturbed.folder / "data" / "embedding", tmp_path / "data" / "embedding")
    server = Killed(tmp_path, WITHOUT_MODEL)
    accepted: dict[str, str] = {}
    for round_ in range(ROUNDS):
        server.start()
        server.wait(status="ready")
        killing = server.kill_when(moment(server, round_))
        accepted |= server.send(documents(round_))
        killing.join()
    expected = undisturbed.chunks()

    server.start()
    server.wait(status="ready")
    server.wait_until_read()
    listed = httpx.get(f"{server.url}/v1/files", timeout=30).json()["data"]
    server.stop()

    found = server.chunks()
    # What was kept when the answer was not sent yet is a whole document too.
    assert {(name, file_id) for name, file_id in accepted.items()} <= {
        (file["filename"], file["id"]) for file in listed
    }
    assert set(found) == {file["filename"] for file in listed}
    assert found == {name: expected[name] for name in found}
    assert server.missed == 0
    assert len(accepted) >= ROUNDS  # on a slow machine some are killed before they take anything
    assert files_of(server) == sorted(file["id"] for file in listed)


def files_of(server: Killed) -> list[str]:
    """Every file of the spool but mark and cards, those of uploads that were cut off included."""
    paths = [path for path in server.spool.rglob("*") if path.is_file()]
    cards = {path.stem for path in paths if path.suffix == ".json"}
    left = sorted(path.name for path in paths if path.name != ".claim" and path.suffix != ".json")
    assert cards == set(left)
    return left


def test_a_server_killed_while_a_version_is_replaced_ends_with_the_new_one(undisturbed, tmp_path):
    shutil.copytree(undisturbed.folder / "data" / "embedding", tmp_path / "data" / "embedding")
    server = Killed(tmp_path, WITHOUT_MODEL)
    server.start()
    server.wait(status="ready")
    server.send({"book.pdf": long_pdf(0)})
    server.wait_until_read()
    killing = server.kill_when(server.is_writing())
    content = {"file": ("book.pdf", long_pdf(1))}
    url = f"{server.url}/v1/files"
    answer = httpx.post(url, data={"replace": "true"}, files=content, timeout=60)
    killing.join()

    server.start()
    server.wait(status="ready")
    server.wait_until_read()
    eventually_alone(server, answer.json()["id"])
    server.stop()

    assert server.missed == 0
    assert server.chunks() == {"book.pdf": undisturbed.chunks()["book1.pdf"]}
    assert files_of(server) == [answer.json()["id"]]


def eventually_alone(server: Killed, file_id: str) -> None:
    """Wait until a document is the only one; what is being deleted has another name first."""
    alone = {file_id, f"{file_id}.json", ".claim"}
    wait_until(
        lambda: {path.name for path in server.spool.rglob("*") if path.is_file()} == alone,
        "one document is left",
        PATIENCE,
    )
