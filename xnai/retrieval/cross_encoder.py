"""A cross-encoder from a folder: it reads question and passage together, and scores the pair."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from xnai.errors import SEARCH_DOWN, XnaiError
from xnai.retrieval.embedding.model_folder import (
    ModelFolder,
    load_session,
    load_tokenizer,
    read_folder,
)
from xnai.settings import Settings
from xnai.types import Passage

log = structlog.get_logger(__name__)


def reranker(settings: Settings) -> "CrossEncoder | None":
    """The cross-encoder of the settings, if there is one.

    Raises:
        XnaiError: MODEL_FOLDER_INVALID.

    """
    if not settings.reranker:
        return None
    return CrossEncoder(read_folder(Path(settings.reranker), "XNAI_RERANKER"))


class CrossEncoder:
    """Implements ``Reranker``; the model is loaded with the first question."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._loading = asyncio.Lock()
        self._tokenizer: Any = None
        self._session: Any = None

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """The passages, best first; a score is the logistic function of the model's.

        Raises:
            XnaiError: SEARCH_DOWN, if the model cannot be used.

        """
        try:
            async with self._loading:
                if self._session is None:
                    await asyncio.to_thread(self._load)
            scoring = (asyncio.to_thread(self._score, question, p.text) for p in passages)
            scores = await asyncio.gather(*scoring)
        except Exception as exc:  # onnxruntime's errors have no common type
            log.exception("cross_encoder.failed")
            raise XnaiError(SEARCH_DOWN, reason="the cross-encoder failed") from exc
        scored = [replace(p, score=score) for p, score in zip(passages, scores, strict=True)]
        return sorted(scored, key=lambda passage: -passage.score)

    def _load(self) -> None:
        self._tokenizer = load_tokenizer(self._folder.tokenizer, self._folder.max_tokens)
        self._session = load_session(self._folder.model)

    def _score(self, question: str, text: str) -> float:
        encoding = self._tokenizer.encode(question, text)
        feed = {
            "input_ids": np.array([encoding.ids], np.int64),
            "attention_mask": np.array([encoding.attention_mask], np.int64),
            "token_type_ids": np.array([encoding.type_ids], np.int64),
        }
        known = {entry.name for entry in self._session.get_inputs()}
        feed = {name: value for name, value in feed.items() if name in known}
        logits = np.asarray(self._session.run(None, feed)[0], np.float64).reshape(-1)
        # One score, or the last of the classes "does not answer, answers".
        score = float(np.clip(logits[-1] - (logits[0] if len(logits) > 1 else 0.0), -50, 50))
        return 1 / (1 + math.exp(-score))
