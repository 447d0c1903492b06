"""Whether what is asked stands in the documents at all, by what the model holds in the middle.

Before a model has written a word, a middle layer of it tells whether the text in front of it
answers the question, better than its own words do: a linear probe on the hidden state behind
"Source:" (Alain and Bengio 2016; for questions without an answer, arXiv:2509.22449). A probe is of
one model: a direction of as many numbers as the model has dimensions, fitted to questions with and
without an answer by ``tools/fit_answerability.py``.
"""

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xnai.llm.protocol import StateRequest

AFTER = "Source:"  # what every reply begins with
_FOLDER = Path(__file__).with_name("probes")


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """The linear probe of one model.

    Attributes:
        request: the hidden state that it looks at.
        weights: one per dimension, of a state scaled to a root mean square of one.
        bias: added to their product, a logit.

    """

    request: StateRequest
    weights: NDArray[np.float32]
    bias: float

    def logit(self, state: Sequence[float]) -> float | None:
        """How likely the documents answer the question; None for a state of another model."""
        values = np.asarray(state, np.float32)
        if values.shape != self.weights.shape:
            return None
        scale = float(np.sqrt(np.mean(np.square(values))))
        if not math.isfinite(scale) or scale <= 0:
            return None
        return float(values @ self.weights) / scale + self.bias


@cache
def probe_of(model: str) -> LinearProbe | None:
    """The probe of a model by its name; None if there is none."""
    known = {path.stem: path for path in _FOLDER.glob("*.json")}
    path = known.get(model.casefold())
    if path is None:
        return None
    content = json.loads(path.read_text("utf-8"))
    weights = np.frombuffer(base64.b64decode(content["weights"]), np.float16)
    request = StateRequest(content["layer"], AFTER)
    return LinearProbe(request, weights.astype(np.float32), content["bias"])
