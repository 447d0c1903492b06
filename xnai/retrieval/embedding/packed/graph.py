"""Writes a packed encoder as a graph for onnxruntime, its weights still in 4 bits."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from xnai.retrieval.embedding.packed.packed_file import BLOCK, PackedFile

OUTPUT = "last_hidden_state"
_OWN = "com.microsoft"  # domain of the operators of onnxruntime
_OPSET, _IR = 21, 10  # the first with integers of 4 bits
_INT8_PRODUCTS = 4  # "accuracy level": activations are rounded to 8 bits, block by block


def graph_of(packed: PackedFile, centre: NDArray[np.float32]) -> bytes:
    """Return the content of ``model.onnx``: ids of tokens in, their vectors less ``centre`` out."""
    return _Graph(packed).content(centre)


class _Graph:
    def __init__(self, packed: PackedFile) -> None:
        self._packed = packed
        self._shape = packed.shape
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def content(self, centre: NDArray[np.float32]) -> bytes:
        hidden = self._shape.hidden
        values = self._embedded()
        for number in range(self._shape.layers):
            values = self._layer(values, f"l{number}")
        self._node("Sub", [values, self._constant("centre", centre.astype(np.float32))], OUTPUT)
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["texts", "tokens", hidden])],
            self._constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_OWN, 1)]
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
        content: bytes = model.SerializeToString(deterministic=True)
        return content

    def _node(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, values: NDArray[Any]) -> str:
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _floats(self, name: str) -> str:
        return self._constant(name, self._packed.floats(name))

    def _embedded(self) -> str:
        """Words by their ids, with their positions."""
        shape = self._shape
        words = self._packed.blocks("emb.word", shape.vocabulary)
        signed = np.bitwise_xor(
            words.weights, 8, dtype=np.uint8
        )  # the same numbers less 8, in two's complement
        table = TensorProto(name="words", data_type=TensorProto.INT4, raw_data=_paired(signed))
        table.dims.extend(signed.shape)
        self._constants.append(table)
        inputs = ["words", "input_ids", self._constant("words.scales", words.scales)]
        layout = {"block_size": BLOCK, "gather_axis": 0, "quantize_axis": 1}
        found = self._node("GatherBlockQuantized", inputs, "found", domain=_OWN, **layout)
        found = self._node("Cast", [found], "words.found", to=TensorProto.FLOAT)
        places = self._packed.floats("emb.pos").reshape(shape.positions, shape.hidden)
        kind = self._packed.floats("emb.type")[: shape.hidden]  # all tokens are of the first
        self._constant("places", places + kind)
        self._constant("start", np.array([0], np.int64))
        length = self._node("Shape", ["input_ids"], "length", start=1, end=2)
        placed = self._node("Slice", ["places", "start", length], "placed")
        values = self._node("Add", [found, placed], "embedded")
        inputs = [values, self._floats("emb.ln.w"), self._floats("emb.ln.b")]
        return self._node(
            "LayerNormalization", inputs, "embedded.norm", axis=-1, epsilon=shape.epsilon
        )

    def _layer(self, values: str, name: str) -> str:
        shape = self._shape
        together = self._product(values, [f"{name}.{part}" for part in "qkv"], shape.hidden)
        parts = [f"{name}.{part}" for part in ("queries", "keys", "values")]
        split = helper.make_node("Split", [together], parts, axis=-1, num_outputs=3)
        self._nodes.append(split)
        seen = self._node(
            "MultiHeadAttention", parts, f"{name}.seen", domain=_OWN, num_heads=shape.heads
        )
        values = self._added(values, self._product(seen, [f"{name}.ao"], shape.hidden), name, "aln")
        inner = self._product(values, [f"{name}.fi"], shape.inner)
        inner = self._node("Gelu", [inner], f"{name}.gelu", domain=_OWN)
        return self._added(values, self._product(inner, [f"{name}.fo"], shape.hidden), name, "oln")

    def _added(self, values: str, more: str, layer: str, norm: str) -> str:
        name = f"{layer}.{norm}"
        inputs = [values, more, self._floats(f"{name}.w"), self._floats(f"{name}.b")]
        epsilon = self._shape.epsilon
        return self._node(
            "SkipLayerNormalization", inputs, f"{name}.sum", domain=_OWN, epsilon=epsilon
        )

    def _product(self, values: str, names: Sequence[str], rows: int) -> str:
        """The product with one matrix, or with several one under the other."""
        found = [self._packed.blocks(f"{name}.w", rows) for name in names]
        weights = np.concatenate([one.weights for one in found])
        scales = np.concatenate([one.scales for one in found]).astype(np.float32)
        biases = np.concatenate([self._packed.floats(f"{name}.b") for name in names])
        count, columns = weights.shape
        packed = np.frombuffer(_paired(weights), np.uint8)
        inputs = [
            values,
            self._constant(f"{names[0]}.weights", packed.reshape(count, columns // BLOCK, -1)),
            self._constant(f"{names[0]}.scales", scales.reshape(-1)),
            "",  # the weight that stands for zero is 8 where none is given
            "",
            self._constant(f"{names[0]}.bias", biases),
        ]
        form = {"K": columns, "N": count, "bits": 4, "block_size": BLOCK}
        return self._node(
            "MatMulNBits",
            inputs,
            f"{names[0]}.product",
            domain=_OWN,
            accuracy_level=_INT8_PRODUCTS,
            **form,
        )


def _paired(values: NDArray[np.uint8]) -> bytes:
    """Two neighbours in a byte, the first in the lower half."""
    upper = np.left_shift(values[:, 1::2], 4, dtype=np.uint8)
    return np.bitwise_or(values[:, 0::2], upper).tobytes()
