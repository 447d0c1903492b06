"""``/openapi.json``: every address of the interface, in the words of OpenAPI 3.1."""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnai import __version__
from xnai.api.openapi_operations import OPERATIONS, Operation
from xnai.errors import CATALOGUE

PATH = "/openapi.json"
_SCHEMAS = "#/components/schemas/"
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")


class OpenApi:
    """The description; it is made with the first request, and never changes."""

    def routes(self) -> list[Route]:
        """Return path and method."""
        return [Route(PATH, self.show, methods=["GET"])]

    async def show(self, _: Request) -> Response:
        """Return the description; it holds nothing of anybody, and needs no key."""
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(self._body, media_type="application/json", headers=headers)

    @cached_property
    def _body(self) -> bytes:
        return json.dumps(description(), ensure_ascii=False).encode()


def description() -> dict[str, Any]:
    """Return the description of all addresses."""
    schemas: dict[str, Any] = {"Error": _error_schema()}
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in OPERATIONS.items():
        described = _described(operation, path, schemas)
        paths.setdefault(plain(path), {})[method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "XNAi",
            "version": __version__,
            "description": "Private document chat. Paths below /v1 have OpenAI's wire format.",
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": schemas,
        },
    }


def plain(path: str) -> str:
    """Return a path with its parameters as OpenAPI has them."""
    return _PARAMETER.sub(r"{\1}", path)


def _described(operation: Operation, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    content = {operation.answers: {"schema": {"type": "object"}}}
    if operation.answers != "application/json":
        content = {operation.answers: {"schema": {"type": "string"}}}
    if operation.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    told: dict[str, Any] = {
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": list(_parameters(path, operation)),
        "responses": {
            "200": {"description": "As asked for.", "content": content},
            "default": {
                "description": "What went wrong, and what to do.",
                "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Error"}}},
            },
        },
    }
    if operation.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": {operation.takes: {"schema": _body_schema(operation.body, schemas)}},
        }
    if operation.is_open:
        told["security"] = []
    return told


def _parameters(path: str, operation: Operation) -> Iterable[dict[str, Any]]:
    for name in _PARAMETER.findall(path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for name, words in operation.query.items():
        yield {"name": name, "in": "query", "description": words, "schema": {"type": "string"}}


def _body_schema(
    body: type[BaseModel] | Mapping[str, Any], schemas: dict[str, Any]
) -> Mapping[str, Any]:
    if isinstance(body, Mapping):
        return body
    schema = body.model_json_schema(ref_template=f"{_SCHEMAS}{{model}}")
    schemas.update(schema.pop("$defs", {}))
    schemas[body.__name__] = schema
    return {"$ref": f"{_SCHEMAS}{body.__name__}"}


def _error_schema() -> dict[str, Any]:
    text = {"type": "string"}
    properties = {
        "code": {"type": "string", "enum": sorted(CATALOGUE)},
        "category": text,
        "message": text,
        "hint": text,
        "retryable": {"type": "boolean"},
        "causes": {"type": "array", "items": text},
        "request_id": text,
        "timestamp": text,
    }
    error = {"type": "object", "properties": properties, "required": ["code", "message", "hint"]}
    return {"type": "object", "properties": {"error": error}, "required": ["error"]}
