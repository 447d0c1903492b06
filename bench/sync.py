"""Time of `xnai sync` over a folder of which the server knows every file: `python bench/sync.py`.

    PYTHONPATH=. python bench/sync.py [--files 10000] [--rounds 5]

A whole server, and the command as it is typed, its start included. The documents are put into the
index as if they had been read. The aim: 3 s for 10,000 files of which none has changed.
"""

import argparse
import asyncio
import hashlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any
from unittest import mock

from rig.whole_server import ROOT, Server
from xnai.accounts import People
from xnai.cli.sync import source_of
from xnai.data_folder.ownership import prepare_folder
from xnai.documents import cards
from xnai.documents.folders.keeping import folder_of
from xnai.documents.storage import OriginalFiles
from xnai.retrieval.embedding.onnx import DIMENSIONS
from xnai.retrieval.index.sqlite.index import SqliteIndex
from xnai.retrieval.libraries import HOME, NamedLibrary
from xnai.types import Document

LIBRARY = "bench"
A_FOLDER = 100  # files
START_SECONDS = 600.0
NOBODY = {"XNAI_LLM_URL": "http://127.0.0.1:9"}  # no model is needed


def make_files(folder: Path, count: int) -> list[str]:
    """Write small files of an hour ago; returns their paths."""
    paths = [f"folder-{number // A_FOLDER}/{number}.txt" for number in range(count)]
    before = time.time() - 3600
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"This is {path}.\n")
        os.utime(file, (before, before))
    return paths


async def make_known(data: Path, folder: Path, paths: list[str]) -> None:
    """Have a data folder know the files, each as a document of the library."""
    prepare_folder(data)
    owner = People(data).local.person_id
    index = SqliteIndex(data / "index.sqlite3", DIMENSIONS)
    originals = OriginalFiles(data / "documents", 0)
    await index.start()
    await index.libraries.create(NamedLibrary(LIBRARY, owner, LIBRARY, LIBRARY, 0.0, 0.0))
    await index.close()
    documents = []
    seen = []
    source = source_of(folder)
    for path in paths:
        content, there = (folder / path).read_bytes(), (folder / path).stat()
        digest = hashlib.sha256(content).hexdigest()
        document = Document(
            id=digest[:32],
            owner=owner,
            collection=HOME + LIBRARY,
            file_name=Path(path).name,
            media_type="text/plain",
            size=len(content),
            sha256=digest,
            created_at=time.time(),
            status="processed",
            page_count=1,
            chunk_count=1,
        )
        original = originals.path(document.id)
        original.parent.mkdir(parents=True, exist_ok=True)
        original.write_bytes(content)
        with mock.patch("os.fsync"):
            cards.write(original, document)
        documents.append(
            [one if isinstance(one, str | float | int) else "[]" for one in astuple(document)]
        )
        stat = (there.st_size, there.st_mtime_ns, there.st_ino)
        seen.append((LIBRARY, source, path, digest, *stat, document.id, folder_of(path), owner))
    put_rows(data / "index.sqlite3", documents, seen)


def put_rows(path: Path, documents: list[list[Any]], files: list[tuple[Any, ...]]) -> None:
    """Put all rows into an index at once: one by one each would wait for the disk."""
    names = ", ".join(field.name for field in fields(Document))
    marks = ", ".join("?" for _ in fields(Document))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(f"INSERT INTO documents ({names}) VALUES ({marks})", documents)
        connection.executemany(
            "INSERT INTO synced_files (library_id, source, path, sha256, size, mtime_ns, inode, "
            "document_id, refused) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '')",
            [row[:8] for row in files],
        )
        connection.executemany(
            "INSERT INTO library_documents (library_id, document_id, added_at, added_by, "
            "attributes, folder) VALUES (?, ?, 0.0, ?, '{}', ?)",
            [(row[0], row[7], row[9], row[8]) for row in files],
        )


def sync(server: Server, folder: Path) -> tuple[float, str]:
    """Type the command; returns the seconds that it took, and what it said."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "XNAI_PORT": str(server.port),
        "XNAI_DATA_DIR": str(server.folder / "data"),
    }
    command = [sys.executable, "-m", "xnai.cli.main", "sync", str(folder), "--library", LIBRARY]
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=server.folder, env=environment, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - began, done.stdout.strip()


def main() -> None:
    """Fill a server and a folder, and bring the one in step with the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = (Path(place) / "folder").resolve()
        paths = make_files(folder, given.files)
        asyncio.run(make_known(Path(place) / "data", folder, paths))
        server = Server(Path(place), NOBODY)
        server.start()
        try:
            server.until_it_answers("/health/ready", START_SECONDS)
            times = []
            for _ in range(given.rounds):
                seconds, said = sync(server, folder)
                times.append(seconds)
                print(f"{seconds:.2f} s: {said}", flush=True)
        finally:
            server.stop()
    print(f"median {statistics.median(times):.2f} s, longest {max(times):.2f} s")


if __name__ == "__main__":
    main()
