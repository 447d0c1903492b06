"""Sentence embeddings on onnxruntime: all-MiniLM-L6-v2, or a model from a folder."""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import structlog

from xnai.errors import SEARCH_DOWN, SHUTTING_DOWN, XnaiError
from xnai.processes import child
from xnai.retrieval.binary_codes import encode
from xnai.retrieval.embedding import weights
from xnai.retrieval.embedding.cores import usable_cores, yield_to_others
from xnai.retrieval.embedding.idf import VocabularyRanks
from xnai.retrieval.embedding.model_folder import ModelFolder, load_session, load_tokenizer
from xnai.retrieval.embedding.plain_tokens import plain_places, plain_tokens
from xnai.retrieval.protocol import Embedded, SearchQuery, TokenVectors, Vectors
from xnai.settings import Settings
from xnai.text.scripts import script_of

BUNDLED = "all-MiniLM-L6-v2"
DIMENSIONS = 384
MAX_TOKENS = 256  # what the model was trained with; the shipped tokenizer cuts at 128
MAX_CHARACTERS = 20_000  # far more than 256 tokens of any prose; keeps tokenising short
INTERACTIVE = 2  # so few texts are a question rather than a document
_QUANTIZE_SECONDS = 600.0

T = TypeVar("T")
log = structlog.get_logger(__name__)


class OnnxEmbedder:
    """Embeds texts one by one, a text per core at a time.

    One sequence per run needs no padding, so a text has the same vector alone and in any batch
    (activations are quantised per run), and single-threaded runs side by side cost less CPU than
    one run on all cores. Questions have threads of their own; those for documents yield to
    them, to the page and to the language model by their niceness (Linux).

    Until the dynamic int8 model is made (once, in the background) the packaged one is used: the
    vectors agree within cosine 0.98 and may be mixed.

    Args:
        settings: where the data folder is.
        model: another model than the bundled one.

    """

    def __init__(self, settings: Settings, model: ModelFolder | None = None) -> None:
        self._folder = settings.data_dir / "embedding"
        self._model = model
        self._loading: asyncio.Task[None] | None = None
        self._quantizing: asyncio.Task[None] | None = None
        self._is_closed = False
        self._tokenizer: Any = None
        self._ranks = VocabularyRanks(0)
        self._session: Any = None
        self._questions = ThreadPoolExecutor(usable_cores(), "embed-question")
        self._documents = ThreadPoolExecutor(usable_cores(), "embed", initializer=yield_to_others)

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._model.dimensions if self._model else DIMENSIONS

    async def name(self) -> str:
        """What the model is called in an index."""
        return await asyncio.to_thread(self._model.name) if self._model else BUNDLED

    @property
    def tokenizer_path(self) -> Path:
        """The model's tokenizer.json.

        Raises:
            XnaiError: EMBEDDING_MODEL_MISSING.

        """
        return self._model.tokenizer if self._model else weights.locate(weights.TOKENIZER)

    async def start(self) -> None:
        """Begin loading and return at once; ``embed`` waits for it."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load(), name="embedder-load")
            self._loading.add_done_callback(_log_failure)

    async def ready(self) -> None:
        """Wait until texts can be embedded.

        Raises:
            XnaiError: EMBEDDING_MODEL_MISSING, SHUTTING_DOWN, or SEARCH_DOWN when not started.

        """
        if self._is_closed:
            raise XnaiError(SHUTTING_DOWN)
        if self._loading is None:
            raise XnaiError(SEARCH_DOWN, reason="the embedding model is not started")
        await asyncio.shield(self._loading)

    async def settled(self) -> None:
        """Wait until no other form of the model will take its place, whatever comes of that.

        Raises:
            XnaiError: what ``ready`` raises.

        """
        await self.ready()
        if self._quantizing is not None:
            await asyncio.wait([self._quantizing])

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors of shape (len(texts), 384); of a long text, its first 256 tokens count.

        Any text is accepted. One or two texts go ahead of documents. When the caller is
        cancelled, texts that were not begun are dropped.

        Raises:
            XnaiError: EMBEDDING_MODEL_MISSING, SHUTTING_DOWN, or SEARCH_DOWN when not started.

        """
        pool = self._questions if len(texts) <= INTERACTIVE else self._documents
        return self._stacked(await self._run(pool, self._vector_of, texts))

    async def embed_chunks(self, texts: Sequence[str]) -> Embedded:
        """Vectors as those of ``embed`` and codes of the tokens, which it raises the errors of.

        Chunks always yield to questions.
        """
        rows = await self._run(self._documents, self._chunk_of, texts)
        return Embedded(self._stacked([row for row, _ in rows]), tuple(codes for _, codes in rows))

    async def embed_question(self, text: str) -> SearchQuery:
        """The vectors of a question and of its tokens; raises what ``embed`` raises."""
        return (await self._run(self._questions, self._question_of, [text]))[0]

    async def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Unit vectors of each chunk's tokens; raises what ``embed`` raises."""
        return await self._run(self._questions, self._tokens_of, texts)

    async def embed_texts(self, texts: Sequence[str], *, asking: bool) -> tuple[Vectors, int]:
        """Vectors of questions or of chunks, and how many tokens they have; as ``embed_chunks``."""
        prefix = (self._model.query if self._model else "") if asking else self._passage

        def counted(text: str) -> tuple[Vectors, int]:
            encoding = self._encode(prefix + text)
            return self._pooled(self._infer(encoding)), len(encoding.ids)

        rows = await self._run(self._documents, counted, texts)
        return self._stacked([row for row, _ in rows]), sum(count for _, count in rows)

    async def _run(
        self, pool: ThreadPoolExecutor, work: Callable[[str], T], texts: Sequence[str]
    ) -> list[T]:
        futures: list[asyncio.Future[T]] = []
        try:
            await self.ready()
            loop = asyncio.get_running_loop()
            futures += [loop.run_in_executor(pool, work, text) for text in texts]
            return await asyncio.gather(*futures)
        except asyncio.CancelledError:
            if self._is_closed and not _is_cancelled():
                raise XnaiError(SHUTTING_DOWN) from None
            raise
        except XnaiError:
            raise
        except Exception as exc:  # onnxruntime's errors have no common type
            log.exception("embedder.failed_on_text")
            raise XnaiError(SEARCH_DOWN, reason="the embedding model failed") from exc
        finally:
            for future in futures:
                future.cancel()

    async def close(self) -> None:
        """Stop what was begun and end the threads; texts still waiting get SHUTTING_DOWN."""
        self._is_closed = True
        for task in (self._loading, self._quantizing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        for pool in (self._questions, self._documents):
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)
        self._session = None

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        is_quantized = await loop.run_in_executor(self._questions, self._load_best)
        if not is_quantized:
            self._quantizing = asyncio.create_task(self._quantize(), name="embedder-quantize")
            self._quantizing.add_done_callback(_log_failure)

    def _load_best(self) -> bool:
        """Load the tokenizer and the fastest model there is; whether that is the last word."""
        if self._model:
            self._tokenizer = load_tokenizer(self._model.tokenizer, self._model.max_tokens)
            self._ranks = VocabularyRanks.of(self._tokenizer)
            self._session = load_session(self._model.model)
            return True
        weights.remove_left(self._folder)
        tokenizer = weights.verified(weights.TOKENIZER, self._folder)
        self._tokenizer = load_tokenizer(tokenizer, MAX_TOKENS)
        self._ranks = VocabularyRanks.of(self._tokenizer)
        made = weights.quantized(self._folder)
        if made is not None:
            try:
                self._session = load_session(made)
            except Exception:  # onnxruntime's own types; whatever it is, the file is made anew
                log.warning("embedder.quantized_model_refused", path=str(made), exc_info=True)
            else:
                return True
        self._session = load_session(weights.verified(weights.MODEL, self._folder))
        return False

    async def _quantize(self) -> None:
        """Make the quantised model in a process and switch to it; without it, all still works."""
        source, target = weights.locate(weights.MODEL), self._folder / weights.QUANTIZED_NAME
        script = Path(__file__).with_name("quantize.py")
        files = (str(source), str(target))
        command = (sys.executable, "-P", str(script), str(os.getpid()), *files)
        program = child.Program(command, child.environment())
        try:
            outcome = await child.run(program, seconds=_QUANTIZE_SECONDS)
        except TimeoutError:
            log.warning("embedder.quantize_failed", reason=f"not done in {_QUANTIZE_SECONDS:g} s")
            return
        if outcome.code != 0:
            last = outcome.complaint.decode(errors="replace").strip().rpartition("\n")[2]
            log.warning("embedder.quantize_failed", code=outcome.code, reason=last[:500])
            return
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._questions, self._load_best)
        log.info("embedder.quantized", path=str(target))

    def _vector_of(self, text: str) -> Vectors:
        return self._pooled(self._infer(self._encode(self._passage + text)))

    def _chunk_of(self, text: str) -> tuple[Vectors, bytes]:
        encoding = self._encode(self._passage + text)
        vectors = self._infer(encoding)
        return self._pooled(vectors), encode(plain_tokens(encoding, vectors, len(self._passage)))

    def _tokens_of(self, text: str) -> TokenVectors:
        encoding = self._encode(self._passage + text)
        return plain_tokens(encoding, self._infer(encoding), len(self._passage))

    def _question_of(self, text: str) -> SearchQuery:
        prefix = self._model.query if self._model else ""
        encoding = self._encode(prefix + text)
        vectors = self._infer(encoding)
        plain = plain_places(encoding, len(prefix))
        offsets, known = encoding.offsets, encoding.ids
        spans, ids = [offsets[at] for at in plain], [known[at] for at in plain]
        weighed = self._ranks.weights(prefix + text, spans, ids)
        tokens = plain_tokens(encoding, vectors, len(prefix))
        floors = self._model.floors if self._model else (0.0, 0.0)
        return SearchQuery(self._pooled(vectors), tokens, weighed, script_of(text), floors)

    @property
    def _passage(self) -> str:
        return self._model.passage if self._model else ""

    def _stacked(self, rows: Sequence[Vectors]) -> Vectors:
        return np.stack(rows) if rows else np.empty((0, self.dimensions), np.float32)

    def _pooled(self, tokens: Vectors) -> Vectors:
        """The mean of the token vectors, scaled to unit length (Reimers and Gurevych, 2019)."""
        first_only = self._model is not None and self._model.pooling == "cls"
        mean: Vectors = tokens[0].copy() if first_only else tokens.mean(axis=0)
        mean /= max(float(np.linalg.norm(mean)), 1e-12)
        return mean

    def _encode(self, text: str) -> Any:
        # The tokenizer takes UTF-8 only; a lone surrogate becomes a question mark.
        valid = text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
        return self._tokenizer.encode(valid)

    def _infer(self, encoding: Any) -> Vectors:
        """Contextual vectors of all tokens, [CLS] and [SEP] included: (tokens, 384)."""
        ids = np.array([encoding.ids], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        feed["token_type_ids"] = np.zeros_like(ids)
        known = {entry.name for entry in self._session.get_inputs()}
        feed = {name: value for name, value in feed.items() if name in known}
        vectors: Vectors = self._session.run(None, feed)[0][0].astype(np.float32, copy=False)
        return vectors


def _is_cancelled() -> bool:
    """Whether the caller's own task is being cancelled (rather than a text of it)."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("embedder.failed", task=task.get_name(), reason=str(error))
