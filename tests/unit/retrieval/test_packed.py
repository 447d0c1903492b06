"""An encoder packed into one file, and the model folder that is made of it."""

import numpy as np
import pytest
from packed_encoder import PIECES, PackedEncoder

from xnai.retrieval.embedding.model_folder import load_session, load_tokenizer, read_folder
from xnai.retrieval.embedding.packed.packed_file import PackedFile
from xnai.retrieval.embedding.packed.unpacking import FILES, is_unpacked, unpack


@pytest.fixture(scope="module")
def encoder():
    return PackedEncoder()


@pytest.fixture
def folder(encoder, tmp_path):
    unpack(encoder.write(tmp_path / "model"), {})
    return tmp_path / "model"


@pytest.fixture
def tokenizer(folder):
    return load_tokenizer(folder / "tokenizer.json", 40)


def vectors(folder, ids):
    session = load_session(folder / "model.onnx")
    return session.run(None, {"input_ids": np.array([ids], np.int64)})[0][0]


def cosines(one, other):
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return (one * other).sum(axis=1) / lengths


@pytest.mark.parametrize("ids", [[0, 2], [0, 6, 8, 4, 13, 2], [0, *range(3, len(PIECES)), 2]])
def test_the_vectors_are_those_of_the_weights(encoder, folder, ids):
    assert cosines(vectors(folder, ids), encoder.vectors(ids)).min() > 0.999


def test_the_centre_is_taken_off_every_vector(encoder, folder, tmp_path):
    ids = [0, 6, 8, 2]
    unpack(encoder.write(tmp_path / "off", centre=0.25), {})
    assert vectors(folder, ids) - vectors(tmp_path / "off", ids) == pytest.approx(0.25, abs=1e-5)


def test_the_folder_says_what_a_loader_needs(folder):
    model = read_folder(folder, "XNAI_EMBEDDER")
    assert (model.dimensions, model.max_tokens, model.pooling) == (64, 40, "mean")
    assert (model.query, model.passage) == ("query: ", "passage: ")
    assert model.floors == (0.25, -0.5)
    assert is_unpacked(folder)
    assert {path.name for path in folder.iterdir()} == {*FILES, "packed.bin", "recipe.json"}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("lamp lighthouse", ["\u2581lamp", "\u2581light", "house"]),
        (" \tlamp,\n\nbread\u200b ", ["\u2581lamp", ",", "\u2581bread"]),
        ("la\x01mp", ["\u2581lamp"]),
        ("e\u0301 \uff4c\uff41\uff4d\uff50", ["\u2581é", "\u2581lamp"]),  # composed; full width
        ("\u0438 \u706f\u706f", ["\u2581\u0438", "\u2581\u706f", "\u706f"]),
        ("", []),
    ],
)
def test_the_tokenizer_normalises_and_splits_as_sentencepiece(tokenizer, text, tokens):
    assert tokenizer.encode(text).tokens == ["<s>", *tokens, "</s>"]


def test_tokens_stand_where_they_stand_in_the_text(tokenizer):
    text = "bread,\n  e\u0301 lighthouse"
    starts = [start for start, _ in tokenizer.encode(text).offsets[1:-1]]
    assert starts == [text.index(word) for word in ("bread", ",", "e\u0301", "light", "house")]


def test_vectors_that_are_not_the_known_ones_make_no_model(encoder, tmp_path):
    source = encoder.write(tmp_path / "model")
    with pytest.raises(ValueError, match="vectors are wrong by"):
        unpack(source, {"lamp": [0.9, 0.9, 0.9]})
    assert {path.name for path in source.parent.iterdir()} == {"packed.bin", "recipe.json"}
    assert not is_unpacked(source.parent)


def test_the_known_vectors_are_those_of_passages(encoder, folder, tmp_path):
    ids = load_tokenizer(folder / "tokenizer.json", 40).encode("passage: lamp bread").ids
    mean = encoder.vectors(ids).mean(axis=0)
    numbers = (mean / np.linalg.norm(mean))[:8].tolist()
    unpack(encoder.write(tmp_path / "other"), {"lamp bread": numbers})
    assert is_unpacked(tmp_path / "other")


def test_a_file_that_is_cut_anywhere_is_refused(encoder, tmp_path):
    content = encoder.content()
    source = encoder.write(tmp_path / "model")
    for length in [*range(0, 1500, 37), *range(1500, len(content), 9973), len(content) - 1]:
        source.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"it|as long"):
            unpack(source, {})
    assert not is_unpacked(source.parent)


@pytest.mark.parametrize(
    ("at", "change", "words"),
    [
        (0, b"GGUF", "begin like"),
        (8, b"\xff\xff\xff\xff", "shape"),
        (40, b"\x10\0\0\0", "shape"),
        (44, b"\xff\xff\xff\x7f", "pieces"),
    ],
)
def test_a_file_of_another_kind_is_refused(encoder, tmp_path, at, change, words):
    source = encoder.write(tmp_path)
    content = bytearray(source.read_bytes())
    content[at : at + len(change)] = change
    source.write_bytes(content)
    with pytest.raises(ValueError, match=words):
        PackedFile(source)


def test_a_centre_of_another_length_is_refused(encoder, tmp_path):
    source = encoder.write(tmp_path)
    (tmp_path / "recipe.json").write_text('{"centre": [1, 2], "floors": [0, 0]}')
    with pytest.raises(ValueError, match="has 2 numbers"):
        unpack(source, {})
