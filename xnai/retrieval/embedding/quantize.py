"""Make the dynamic int8 model: ``python -P quantize.py PARENT SOURCE TARGET``.

A process of its own, because it takes seconds of pure Python and 300 MB that only its end gives
back. It ends with its parent.
"""

import hashlib
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from xnai.processes.sandbox.confine import be_killed_with_parent
from xnai.retrieval.embedding.weights import MAKING

LEAST_SIMILARITY = 0.97  # measured: 0.993 on average, 0.985 at least, over 192 abstracts


def quantize(source: Path, target: Path) -> None:
    """Write the model with its matrix products in int8, and its sha256 beside it, atomically.

    The source keeps its weights as int8 that are cast and scaled at run time, which hides them
    from the quantiser: constant folding brings them back to float32 first.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=MAKING) as folder:
        folded, plain, made = (Path(folder, name) for name in ("folded", "plain", "made"))
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(folded)
        _session(source, options)
        model = onnx.load(folded)
        _remove_nan_guards(model.graph)
        onnx.save(model, plain)
        quantize_dynamic(
            plain,
            made,
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
        )
        similarity = _least_similarity(source, made)
        if similarity < LEAST_SIMILARITY:
            raise ValueError(f"vectors differ from the source's: cosine {similarity:.3f}")
        checksum = Path(folder, "sha256")
        checksum.write_text(hashlib.sha256(made.read_bytes()).hexdigest(), encoding="ascii")
        made.replace(target)
        checksum.replace(target.with_suffix(".sha256"))


def _remove_nan_guards(graph: Any) -> None:
    """Take out ``Where(IsNaN(x), 0, x)`` after each softmax: a sixth of the time for nothing.

    It serves sequences that are all padding; the embedder runs every text alone, unpadded.
    """
    guards = {node.output[0]: node for node in graph.node if node.op_type == "IsNaN"}
    renamed = {}
    for node in [node for node in graph.node if node.op_type == "Where"]:
        guard = guards.get(node.input[0])
        if guard is not None and guard.input[0] == node.input[2]:
            renamed[node.output[0]] = node.input[2]
            graph.node.remove(node)
            graph.node.remove(guard)
    for node in graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = renamed.get(name, name)


def _session(path: Path, options: Any = None) -> Any:
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _least_similarity(source: Path, made: Path) -> float:
    """The least cosine similarity between both models' mean vectors of a few token sequences."""
    draw = np.random.default_rng(0)
    before, after = _session(source), _session(made)
    similarities = []
    for length in (8, 64, 256):
        ids = draw.integers(1000, 20_000, (1, length))
        feed = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        one, two = (session.run(None, feed)[0][0].mean(axis=0) for session in (before, after))
        similarities.append(one @ two / (np.linalg.norm(one) * np.linalg.norm(two)))
    return float(min(similarities))


if __name__ == "__main__":
    # The quantiser advises a pre-processing that constant folding has just done.
    logging.disable(logging.WARNING)
    be_killed_with_parent(int(sys.argv[1]))
    os.nice(10)
    quantize(Path(sys.argv[2]), Path(sys.argv[3]))
