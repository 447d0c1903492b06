"""How near texts are to a question by what they mean, without an index."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from xnai.retrieval.protocol import LineEmbedder, Vectors

MOST_TEXTS = 400  # that are compared with a question
_KEPT = 4000  # vectors, of 1.5 kB each
_LONGEST = 400  # characters of a text that count


class TextRanker:
    """Compares lines with questions by their vectors, and keeps those of the lines.

    Args:
        embedder: what turns texts into vectors.

    """

    def __init__(self, embedder: LineEmbedder) -> None:
        self._embedder = embedder
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()

    async def cosines(self, question: str, texts: Sequence[str]) -> list[float]:
        """The cosine of a question and each text, -1 to 1; none if there are too many texts.

        Raises:
            XnaiError: the embedder cannot be used.

        """
        if not texts or len(texts) > MOST_TEXTS:
            return []
        cut = [text[:_LONGEST] for text in texts]
        if missing := [text for text in dict.fromkeys(cut) if text not in self._vectors]:
            rows = await self._embedder.embed_lines(missing)
            self._vectors.update(zip(missing, rows, strict=True))
        # Taken before anything is waited for again: another question may drop them.
        rows = np.stack([self._kept(text) for text in cut])
        while len(self._vectors) > _KEPT:
            self._vectors.popitem(last=False)
        asked = await self._embedder.embed_question(question)
        return [float(one) for one in rows @ asked.vector]

    def _kept(self, text: str) -> Vectors:
        self._vectors.move_to_end(text)
        return self._vectors[text]
