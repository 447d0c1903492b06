"""The embedding model in service, and the one that is to follow it."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog

from xnai.errors import XnaiError
from xnai.retrieval.embedding.model_folder import read_folder
from xnai.retrieval.embedding.onnx import INTERACTIVE, OnnxEmbedder
from xnai.retrieval.embedding.packed.unpacking import is_unpacked
from xnai.retrieval.protocol import Embedded, EmbeddedBy, SearchQuery, TokenVectors, Vectors
from xnai.settings import Settings
from xnai.settings.retrieval import BUNDLED_EMBEDDER

MULTILINGUAL = "multilingual-e5-small-q4"  # as the catalogue of models calls it

log = structlog.get_logger(__name__)


class Embedders:
    """An embedder that can be exchanged while it is in use.

    ``following`` is the configured model while the documents' vectors are still another's.

    Raises:
        XnaiError: MODEL_FOLDER_INVALID.

    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = configured_folder(settings)
        self._current = _embedder(settings, self._folder)
        self.following: OnnxEmbedder | None = None

    @property
    def dimensions(self) -> int:
        """Length of a vector of the model in service."""
        return self._current.dimensions

    @property
    def tokenizer_path(self) -> Path:
        """The tokenizer of the model in service."""
        return self._current.tokenizer_path

    async def start(self) -> None:
        """Begin loading and return at once."""
        await self._current.start()

    async def ready(self) -> None:
        """Wait until texts can be embedded."""
        await self._current.ready()

    async def settled(self) -> None:
        """See ``OnnxEmbedder.settled``."""
        await self._current.settled()

    async def wanted(self) -> EmbeddedBy:
        """The configured model, as an index records it."""
        embedder = self.following or self._current
        return EmbeddedBy(await embedder.name(), self._folder, embedder.dimensions)

    async def follow(self) -> bool:
        """Let a model follow that has come since; whether there is one.

        Raises:
            XnaiError: MODEL_FOLDER_INVALID.

        """
        folder = await asyncio.to_thread(configured_folder, self._settings)
        if folder == self._folder or self.following is not None:
            return False
        following = await asyncio.to_thread(_embedder, self._settings, folder)
        await following.start()
        self._folder, self.following = folder, following
        return True

    async def serve_until_switched(self, recorded: EmbeddedBy) -> bool:
        """Let the model of the documents' vectors serve; False if it is gone."""
        try:
            former = _embedder(self._settings, recorded.folder)
            is_same = await former.name() == recorded.model
        except (XnaiError, OSError):
            is_same = False
        if not is_same:
            log.warning("embedder.former_model_gone", model=recorded.model)
            return False
        await former.start()
        self.following, self._current = self._current, former
        return True

    async def switch(self) -> None:
        """Let the configured model serve from now on."""
        if self.following is not None:
            former, self._current, self.following = self._current, self.following, None
            await former.close()

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded:
        """See ``Embedder.embed_chunks``."""
        return await self._current.embed_chunks(texts)

    async def embed_texts(self, texts: Sequence[str], *, asking: bool) -> tuple[Vectors, int]:
        """See ``OnnxEmbedder.embed_texts``."""
        return await self._current.embed_texts(texts, asking=asking)

    async def name(self) -> str:
        """Return what the model in service is called."""
        return await self._current.name()

    async def embed_question(self, text: str) -> SearchQuery:
        """See ``Embedder.embed_question``."""
        return await self._current.embed_question(text)

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """See ``Embedder.embed_tokens``."""
        return await self._current.embed_tokens(texts)

    async def embed_lines(self, texts: Sequence[str]) -> Vectors:
        """See ``LineEmbedder.embed_lines``."""
        # A few at a time go ahead of documents, and let others' questions in between.
        few = range(0, len(texts), INTERACTIVE)
        rows = [await self._current.embed(texts[at : at + INTERACTIVE]) for at in few]
        return np.concatenate(rows) if rows else np.empty((0, self.dimensions), np.float32)

    async def close(self) -> None:
        """Stop both."""
        await self._current.close()
        if self.following is not None:
            await self.following.close()


def configured_folder(settings: Settings) -> str:
    """Return the folder of the model to embed with; empty: the bundled one.

    Where none is named, it is the multilingual one as soon as that was fetched.
    """
    if settings.embedder:
        return "" if settings.embedder == BUNDLED_EMBEDDER else settings.embedder
    fetched = settings.models_dir / MULTILINGUAL
    return str(fetched) if is_unpacked(fetched) else ""


def _embedder(settings: Settings, folder: str) -> OnnxEmbedder:
    model = read_folder(Path(folder), "XNAI_EMBEDDER") if folder else None
    return OnnxEmbedder(settings, model)
