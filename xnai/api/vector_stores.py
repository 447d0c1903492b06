"""``/v1/vector_stores``: libraries for programs, in the form of OpenAI's vector stores.

A store is a library, a file in it a document that stands there. Deleting a store, or taking a file
out of it, deletes no file.
"""

import structlog
from starlette.requests import Request
from starlette.routing import Route

from xnai.accounts import Principal
from xnai.api.auth import Authority
from xnai.api.endpoints import Endpoint, json_routes
from xnai.api.fields import refuse
from xnai.api.protocol import ApiRuntime
from xnai.api.scope import allowed, within_stores
from xnai.api.vector_store_wire import (
    AttributesBody,
    FileBody,
    SearchBody,
    StoreBody,
    page_of,
    read_body,
    result_object,
    state_of,
    store_file_object,
    store_object,
    wanted_state,
)
from xnai.errors import NOT_FOUND, XnaiError
from xnai.retrieval.libraries import Standing
from xnai.types import Document

log = structlog.get_logger(__name__)

_PATH = "/v1/vector_stores"


class VectorStoreRoutes:
    """The endpoints."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    def routes(self) -> list[Route]:
        """Return paths and methods."""
        one, file = f"{_PATH}/{{id}}", f"{_PATH}/{{id}}/files/{{file_id}}"
        endpoints: list[tuple[str, dict[str, Endpoint]]] = [
            (_PATH, {"GET": self._list, "POST": self._create}),
            (one, {"GET": self._get, "POST": self._modify, "DELETE": self._delete}),
            (f"{one}/search", {"POST": self._search}),
            (f"{one}/files", {"GET": self._files, "POST": self._add_file}),
            (file, {"GET": self._file, "POST": self._note_file, "DELETE": self._remove_file}),
        ]
        return json_routes(self._runtime, self._authority, endpoints)

    async def _list(self, request: Request, caller: Principal) -> dict[str, object]:
        libraries = await self._runtime.libraries.all(caller)
        oldest_first = sorted(libraries, key=lambda one: (one.created_at, one.id))
        shown, around = page_of(oldest_first, request)
        return {**around, "data": [store_object(library) for library in shown]}

    async def _create(self, request: Request, caller: Principal) -> dict[str, object]:
        body = await read_body(request, StoreBody)
        for file_id in body.file_ids:  # before anything is made
            await allowed(self._runtime, caller, "change", file_id)
        libraries = self._runtime.libraries
        days = body.expires_after.days if body.expires_after else None
        made = await libraries.create(caller, body.name, metadata=body.metadata, expires_days=days)
        for file_id in body.file_ids:
            await libraries.keep(caller, made.id, file_id)
        log.info("library made", library=made.id)
        return store_object(await libraries.get(caller, made.id))

    async def _get(self, request: Request, caller: Principal) -> dict[str, object]:
        return store_object(await self._runtime.libraries.get(caller, request.path_params["id"]))

    async def _modify(self, request: Request, caller: Principal) -> dict[str, object]:
        library_id = request.path_params["id"]
        body = await read_body(request, StoreBody)
        libraries = self._runtime.libraries
        found = await libraries.get(caller, library_id, "change")
        if body.name is not None and found.is_own:
            raise refuse("The library that everybody has keeps its name.", "Leave out 'name'.")
        days = body.expires_after.days if body.expires_after else None
        if "expires_after" in body.model_fields_set and days is None:
            days = 0  # never
        await libraries.change(
            caller, library_id, name=body.name, metadata=body.metadata, expires_days=days
        )
        return store_object(await libraries.get(caller, library_id))

    async def _delete(self, request: Request, caller: Principal) -> dict[str, object]:
        library_id = request.path_params["id"]
        await self._runtime.libraries.delete(caller, library_id, keeps_all=True)
        log.info("library deleted", library=library_id)
        return {"id": library_id, "object": "vector_store.deleted", "deleted": True}

    async def _search(self, request: Request, caller: Principal) -> dict[str, object]:
        body = await read_body(request, SearchBody)
        library_id = request.path_params["id"]
        scope = await within_stores(self._runtime, caller, [library_id], body.filters)
        query = "\n".join(body.queries)
        found = await self._runtime.library.search(query, scope, body.max_num_results)
        libraries = self._runtime.libraries
        noted = await libraries.noted(caller, library_id, [one.document_id for one in found])
        least = body.ranking_options.score_threshold
        return {
            "object": "vector_store.search_results.page",
            "search_query": body.queries,
            "data": [
                result_object(one, dict(noted.get(one.document_id, {})))
                for one in found
                if one.score >= least
            ],
            "has_more": False,
            "next_page": None,
        }

    async def _files(self, request: Request, caller: Principal) -> dict[str, object]:
        library_id = request.path_params["id"]
        wanted = wanted_state(request)
        standing = await self._runtime.libraries.standing(caller, library_id)
        if wanted:
            standing = [one for one in standing if state_of(one[0]) == wanted]
        by_id = {document.id: there for document, there in standing}
        shown, around = page_of([document for document, _ in standing], request)
        data = [store_file_object(library_id, one, by_id[one.id]) for one in shown]
        return {**around, "data": data}

    async def _add_file(self, request: Request, caller: Principal) -> dict[str, object]:
        library_id = request.path_params["id"]
        body = await read_body(request, FileBody)
        keep = self._runtime.libraries.keep
        await keep(caller, library_id, body.file_id, body.attributes)
        return store_file_object(library_id, *await self._there(caller, library_id, body.file_id))

    async def _file(self, request: Request, caller: Principal) -> dict[str, object]:
        library_id, file_id = request.path_params["id"], request.path_params["file_id"]
        return store_file_object(library_id, *await self._there(caller, library_id, file_id))

    async def _note_file(self, request: Request, caller: Principal) -> dict[str, object]:
        library_id, file_id = request.path_params["id"], request.path_params["file_id"]
        body = await read_body(request, AttributesBody)
        await self._there(caller, library_id, file_id)
        await self._runtime.libraries.keep(caller, library_id, file_id, body.attributes)
        return store_file_object(library_id, *await self._there(caller, library_id, file_id))

    async def _remove_file(self, request: Request, caller: Principal) -> dict[str, object]:
        library_id, file_id = request.path_params["id"], request.path_params["file_id"]
        if not await self._runtime.libraries.take_out(caller, library_id, file_id):
            raise XnaiError(NOT_FOUND, what="document", name=file_id[:100])
        return {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}

    async def _there(
        self, caller: Principal, library_id: str, file_id: str
    ) -> tuple[Document, Standing]:
        """Return a document of a library.

        Raises:
            XnaiError: NOT_FOUND.

        """
        found = await self._runtime.libraries.standing_of(caller, library_id, file_id)
        if found is None:
            raise XnaiError(NOT_FOUND, what="document", name=file_id[:100])
        return found
