"""The embedding model in service, and the one that is to follow it."""

from collections.abc import Sequence
from pathlib import Path

import structlog

from xnai.errors import XnaiError
from xnai.retrieval.embedding.model_folder import read_folder
from xnai.retrieval.embedding.onnx import OnnxEmbedder
from xnai.retrieval.protocol import Embedded, EmbeddedBy, SearchQuery, TokenVectors
from xnai.settings import Settings

log = structlog.get_logger(__name__)


class Embedders:
    """An embedder that can be exchanged while it is in use.

    ``following`` is the configured model while the documents' vectors are still another's.

    Raises:
        XnaiError: MODEL_FOLDER_INVALID.

    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._current = _embedder(settings, settings.embedder)
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
        return EmbeddedBy(await embedder.name(), self._settings.embedder, embedder.dimensions)

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

    async def embed_question(self, text: str) -> SearchQuery:
        """See ``Embedder.embed_question``."""
        return await self._current.embed_question(text)

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """See ``Embedder.embed_tokens``."""
        return await self._current.embed_tokens(texts)

    async def close(self) -> None:
        """Stop both."""
        await self._current.close()
        if self.following is not None:
            await self.following.close()


def _embedder(settings: Settings, folder: str) -> OnnxEmbedder:
    model = read_folder(Path(folder), "XNAI_EMBEDDER") if folder else None
    return OnnxEmbedder(settings, model)
