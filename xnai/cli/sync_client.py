"""What `xnai sync` talks to the server with."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, BinaryIO

from xnai.client import Client
from xnai.documents.folders.plan import Change
from xnai.retrieval.synced import SyncedFile


class RemoteKeeper:
    """Keeps on a running server what the files of a folder are; see ``Keeper``.

    Args:
        client: reaches the server.
        library: is the name of the library, which is made unless ``make`` is False.
        source: names this machine and the folder.

    """

    def __init__(self, client: Client, library: str, source: str, *, make: bool = True) -> None:
        self._client = client
        self._opening = {"library": library, "source": source, "make": make}
        self._there: dict[str, Any] = {"source": source}

    async def files(self) -> list[SyncedFile]:
        """What is known of them."""
        found = await self._post("/v1/sync", self._opening)
        self._there["library_id"] = str(found["library_id"])
        return [SyncedFile(*row) for row in found["files"]]

    async def note(self, changes: Sequence[Change]) -> list[bool]:
        """Note changes, and say of which files the content is known."""
        entries = [_entry(change) for change in changes]
        return list((await self._post("/v1/sync/changes", {"changes": entries}))["known"])

    async def send(self, file: SyncedFile, content: BinaryIO) -> SyncedFile:
        """Take a file in."""
        header = json.dumps({**_entry(Change(file)), **self._there})
        answer = await asyncio.to_thread(self._client.send_synced, content, header)
        return SyncedFile(*answer["file"])

    async def forget(self, paths: Sequence[str]) -> int:
        """Delete what is gone; returns how many documents were."""
        return int((await self._post("/v1/sync/gone", {"paths": list(paths)}))["deleted"])

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(self._client.post, path, {**body, **self._there})


def _entry(change: Change) -> dict[str, Any]:
    file = change.file
    return {
        "path": file.path,
        "sha256": file.sha256,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
        "inode": file.inode,
        "before": change.before,
    }
