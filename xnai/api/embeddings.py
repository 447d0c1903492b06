"""``POST /v1/embeddings``: the vectors that the search compares, in the form of OpenAI's API.

A model may read a question otherwise than what answers it, so ``input_type`` says which a text
is; as OpenAI's clients do not send it, it is a passage without.
"""

import base64
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field, StringConstraints
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route

from xnai.accounts import Principal
from xnai.api.auth import Authority
from xnai.api.endpoints import json_routes
from xnai.api.fields import refuse
from xnai.api.protocol import ApiRuntime
from xnai.api.vector_store_wire import StoreRequest, read_body
from xnai.errors import MODEL_NOT_FOUND, TOO_MANY_REQUESTS, XnaiError
from xnai.net import holders
from xnai.resilience.shares import NoShareError, Shares
from xnai.retrieval.protocol import Vectors

MOST_TEXTS: Final = 2048  # of one request, as at OpenAI
MOST_REQUESTS: Final = 32  # under way at once; one person may have half of them
_CHARACTERS: Final = 20_000  # of one text
_AT_ONCE: Final = 64  # texts between two looks whether the client is still there

_Text = Annotated[str, StringConstraints(min_length=1, max_length=_CHARACTERS)]


class EmbeddingsBody(StoreRequest):
    """The body of a request; unknown fields are ignored."""

    input: (
        _Text
        | Annotated[
            tuple[_Text, ...],
            Field(min_length=1, max_length=MOST_TEXTS, fail_fast=True, strict=False),
        ]
        | list[int]
        | list[list[int]]
    )
    model: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    input_type: Literal["passage", "query"] = "passage"

    @property
    def texts(self) -> list[str]:
        """The texts.

        Raises:
            XnaiError: BAD_REQUEST, they are tokens of another model.

        """
        if isinstance(self.input, str):
            return [self.input]
        texts = [one for one in self.input if isinstance(one, str)]
        if len(texts) != len(self.input) or not texts:
            raise refuse(
                "'input' holds tokens, which are those of another model.",
                "Send texts; some clients cut texts into tokens by themselves unless told not to.",
            )
        return texts


class EmbeddingRoutes:
    """The endpoint."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority
        self._shares = Shares(MOST_REQUESTS)

    def routes(self) -> list[Route]:
        """Return path and method."""
        endpoints = [("/v1/embeddings", {"POST": self._create})]
        return json_routes(self._runtime, self._authority, endpoints)

    async def _create(self, request: Request, caller: Principal) -> dict[str, object]:
        body = await read_body(request, EmbeddingsBody)
        texts, name = body.texts, await self._runtime.embedder.name()
        if body.model not in {None, "", "default", name}:
            shown = str(body.model)[:100]
            raise XnaiError(MODEL_NOT_FOUND, name=shown, folder="models", available=name)
        address = request.client.host if request.client else ""
        try:
            with self._shares.share(*holders(caller.person_id, address)):
                vectors, tokens = await self._embedded(texts, body, request)
        except NoShareError as exc:
            raise XnaiError(TOO_MANY_REQUESTS, count=exc.held) from None
        if body.dimensions not in {None, vectors.shape[1]}:
            raise refuse(
                f"dimensions={body.dimensions} is not valid.",
                f"The vectors of this model have {vectors.shape[1]}.",
            )
        as_text = body.encoding_format == "base64"
        data = [
            {"object": "embedding", "index": at, "embedding": _written(row, as_text=as_text)}
            for at, row in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "model": name, "data": data, "usage": usage}

    async def _embedded(
        self, texts: list[str], body: EmbeddingsBody, request: Request
    ) -> tuple[Vectors, int]:
        """Return the vectors and how many tokens were read; ends when nobody waits any more."""
        rows, tokens = [], 0
        for start in range(0, len(texts), _AT_ONCE):
            if await request.is_disconnected():
                raise ClientDisconnect
            asking = body.input_type == "query"
            part = texts[start : start + _AT_ONCE]
            vectors, count = await self._runtime.embedder.embed_texts(part, asking=asking)
            rows.append(vectors)
            tokens += count
        return np.concatenate(rows), tokens


def _written(row: Vectors, *, as_text: bool) -> object:
    """Return a vector as numbers, or as the text of its little-endian bytes."""
    numbers = row.astype("<f4")
    return base64.b64encode(numbers.tobytes()).decode() if as_text else numbers.tolist()
