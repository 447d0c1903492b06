"""Small models in folders, as Hugging Face lays them out, made here."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from xnai.retrieval.embedding import weights

VOCABULARY = 30_522


def _folder(path: Path, graph: onnx.GraphProto, dimensions: int) -> Path:
    path.mkdir(parents=True)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path / "model.onnx")
    config = {"hidden_size": dimensions, "max_position_embeddings": 128}
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copy(weights.locate(weights.TOKENIZER), path / "tokenizer.json")
    return path


def embedding_model(path: Path, dimensions: int = 16, seed: int = 1) -> Path:
    """A model that gives every token of the vocabulary a direction of its own."""
    table = np.random.default_rng(seed).standard_normal((VOCABULARY, dimensions))
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "embedding",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, None])],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(table.astype(np.float32), "table")],
    )
    return _folder(path, graph, dimensions)


def cross_encoder(path: Path, word: str) -> Path:
    """A model that scores a pair by how often one word stands in it."""
    table = np.full((VOCABULARY, 1), -0.1, np.float32)
    tokenizer = Tokenizer.from_file(str(weights.locate(weights.TOKENIZER)))
    table[tokenizer.token_to_id(word)] = 3.0
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["scores"]),
            helper.make_node("ReduceSum", ["scores", "axes"], ["logits"], keepdims=0),
        ],
        "cross-encoder",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, None])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([1], np.int64), "axes"),
        ],
    )
    return _folder(path, graph, 1)
