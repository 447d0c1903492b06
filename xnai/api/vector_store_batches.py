"""``/v1/vector_stores/{id}/file_batches``: many files put into a store at once, and followed.

All are put in before the batch is answered; what goes on is their reading, as ``/v1/files`` tells
it. A batch is only a list of them, known until the server is started again or until there are
many newer ones.
"""

import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import Field
from starlette.requests import Request
from starlette.routing import Route

from xnai.accounts import Action, Principal
from xnai.api.auth import Authority
from xnai.api.endpoints import json_routes
from xnai.api.fields import refuse
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed
from xnai.api.vector_store_wire import (
    Attributes,
    FileBody,
    FileId,
    StoreRequest,
    page_of,
    read_body,
    state_of,
    store_file_object,
    wanted_state,
)
from xnai.errors import NOT_FOUND, XnaiError
from xnai.retrieval.libraries import Standing
from xnai.types import Document

MOST_FILES: Final = 2000  # of one batch
_REMEMBERED: Final = 100_000  # files in all batches of one person
_ONE_BY_ONE: Final = 50  # files that are looked up by themselves, not in the list of all
_PATH = "/v1/vector_stores/{id}/file_batches"


class BatchBody(StoreRequest):
    """The body that puts files into a store."""

    file_ids: (
        Annotated[
            tuple[FileId, ...],
            Field(min_length=1, max_length=MOST_FILES, fail_fast=True, strict=False),
        ]
        | None
    ) = None
    files: (
        Annotated[
            tuple[FileBody, ...],
            Field(min_length=1, max_length=MOST_FILES, fail_fast=True, strict=False),
        ]
        | None
    ) = None
    attributes: Attributes | None = None

    @property
    def all_files(self) -> list[FileBody]:
        """What is put in, with what is noted of each.

        Raises:
            XnaiError: BAD_REQUEST, neither or both lists are given.

        """
        if (self.files is None) == (self.file_ids is None):
            raise refuse("'file_ids' and 'files' exclude each other.", "Send one of them.")
        if self.files is not None:
            return list(self.files)
        ids = self.file_ids or ()
        return [FileBody(file_id=one, attributes=self.attributes) for one in ids]


@dataclass
class FileBatch:
    """Files that were put into a store together; ``cancelled`` are those taken out again."""

    id: str
    store: str
    created_at: float
    files: tuple[str, ...]
    cancelled: set[str] = field(default_factory=set)


class _Remembered:
    """The batches of all persons, of each the newest."""

    def __init__(self) -> None:
        self._batches: dict[str, OrderedDict[str, FileBatch]] = {}

    def add(self, person: str, batch: FileBatch) -> None:
        theirs = self._batches.setdefault(person, OrderedDict())
        theirs[batch.id] = batch
        while len(theirs) > 1 and sum(1 + len(one.files) for one in theirs.values()) > _REMEMBERED:
            theirs.popitem(last=False)

    def get(self, person: str, store: str, batch_id: str) -> FileBatch:
        theirs = self._batches.get(person)
        found = None if theirs is None else theirs.get(batch_id)
        if found is None or found.store != store:
            raise XnaiError(NOT_FOUND, what="batch", name=batch_id[:100])
        return found


class BatchRoutes:
    """The endpoints."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority
        self._remembered = _Remembered()

    def routes(self) -> list[Route]:
        """Return paths and methods."""
        one = f"{_PATH}/{{batch_id}}"
        endpoints = [
            (_PATH, {"POST": self._create}),
            (one, {"GET": self._get}),
            (f"{one}/cancel", {"POST": self._cancel}),
            (f"{one}/files", {"GET": self._files}),
        ]
        return json_routes(self._runtime, self._authority, endpoints)

    async def _create(self, request: Request, caller: Principal) -> dict[str, object]:
        store = request.path_params["id"]
        files = (await read_body(request, BatchBody)).all_files
        libraries = self._runtime.libraries
        await libraries.get(caller, store, "add")
        for one in files:  # before anything is put in
            await allowed(self._runtime, caller, "change", one.file_id)
        for one in files:
            await libraries.keep(caller, store, one.file_id, one.attributes)
        ids = tuple(dict.fromkeys(one.file_id for one in files))
        batch = FileBatch(f"vsfb_{uuid.uuid4().hex}", store, time.time(), ids)
        self._remembered.add(caller.person_id, batch)
        return _batch_object(batch, await self._states(caller, batch))

    async def _get(self, request: Request, caller: Principal) -> dict[str, object]:
        batch = await self._batch(request, caller)
        return _batch_object(batch, await self._states(caller, batch))

    async def _cancel(self, request: Request, caller: Principal) -> dict[str, object]:
        """Take out of the store what is not read yet; the files stay, and are read."""
        batch = await self._batch(request, caller, "change")
        for file_id, state in (await self._states(caller, batch)).items():
            if state == "in_progress":
                await self._runtime.libraries.take_out(caller, batch.store, file_id)
                batch.cancelled.add(file_id)
        return _batch_object(batch, await self._states(caller, batch))

    async def _files(self, request: Request, caller: Principal) -> dict[str, object]:
        batch = await self._batch(request, caller)
        wanted = wanted_state(request)
        there = await self._standing(caller, batch)
        found = [one for one in there.values() if not wanted or state_of(one[0]) == wanted]
        by_id = {document.id: standing for document, standing in found}
        shown, around = page_of([document for document, _ in found], request)
        data = [store_file_object(batch.store, one, by_id[one.id]) for one in shown]
        return {**around, "data": data}

    async def _batch(
        self, request: Request, caller: Principal, action: Action = "see"
    ) -> FileBatch:
        store = request.path_params["id"]
        await self._runtime.libraries.get(caller, store, action)
        return self._remembered.get(caller.person_id, store, request.path_params["batch_id"])

    async def _states(self, caller: Principal, batch: FileBatch) -> dict[str, str]:
        """Return how far each file is; what is not in the store any more was cancelled."""
        there = await self._standing(caller, batch)
        return {
            one: state_of(there[one][0]) if one in there else "cancelled" for one in batch.files
        }

    async def _standing(
        self, caller: Principal, batch: FileBatch
    ) -> dict[str, tuple[Document, Standing]]:
        libraries = self._runtime.libraries
        if len(batch.files) > _ONE_BY_ONE:
            standing = await libraries.standing(caller, batch.store)
            there = {one[0].id: one for one in standing}
            return {file: there[file] for file in batch.files if file in there}
        found = [await libraries.standing_of(caller, batch.store, file) for file in batch.files]
        return {one[0].id: one for one in found if one is not None}


def _batch_object(batch: FileBatch, states: dict[str, str]) -> dict[str, object]:
    counts = dict.fromkeys(("in_progress", "completed", "cancelled", "failed"), 0)
    for state in states.values():
        counts[state] += 1
    status = "cancelled" if batch.cancelled else "completed"
    return {
        "id": batch.id,
        "object": "vector_store.files_batch",
        "created_at": int(batch.created_at),
        "vector_store_id": batch.store,
        "status": "in_progress" if counts["in_progress"] else status,
        "file_counts": {**counts, "total": len(batch.files)},
    }
