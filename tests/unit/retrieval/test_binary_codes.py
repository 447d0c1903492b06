"""Token vectors in 1 bit a dimension."""

import numpy as np
import pytest

from xnai.retrieval.binary_codes import decode, encode
from xnai.retrieval.protocol import TokenVectors

DIMENSIONS = 384


def drawn(count, dimensions=DIMENSIONS, seed=1):
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return TokenVectors(vectors, np.arange(0, 3 * count, 3, dtype=np.int32))


def test_a_token_takes_a_bit_for_each_dimension_and_four_bytes():
    assert len(encode(drawn(200))) == 200 * (DIMENSIONS // 8 + 4)


@pytest.mark.parametrize("dimensions", [2, 16, 100, 384])
def test_places_come_back_as_they_were_and_signs_too(dimensions):
    tokens = drawn(7, dimensions)

    back = decode(encode(tokens), dimensions)

    assert back.starts.tolist() == tokens.starts.tolist()
    assert np.array_equal(back.vectors > 0, tokens.vectors > 0)


def test_the_product_of_a_vector_with_its_own_code_is_one():
    tokens = drawn(50)

    products = (decode(encode(tokens), DIMENSIONS).vectors * tokens.vectors).sum(axis=1)

    assert np.abs(products - 1).max() < 1e-3


def test_products_with_other_vectors_estimate_their_cosines():
    tokens, question = drawn(500), drawn(20, seed=2)
    mixed = question.vectors.repeat(25, axis=0) + tokens.vectors * np.linspace(0.2, 3, 500)[:, None]
    mixed = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    near = TokenVectors(mixed, tokens.starts)

    exact = question.vectors @ near.vectors.T
    estimated = question.vectors @ decode(encode(near), DIMENSIONS).vectors.T

    assert np.abs(estimated - exact).mean() < 0.04
    assert abs((estimated - exact).mean()) < 0.002
    assert np.corrcoef(estimated.ravel(), exact.ravel())[0, 1] > 0.95


def test_a_text_without_tokens_has_an_empty_code():
    none = decode(encode(drawn(0)), DIMENSIONS)

    assert (none.vectors.shape, none.starts.shape) == ((0, DIMENSIONS), (0,))


def test_a_vector_of_zeros_stays_finite():
    tokens = TokenVectors(np.zeros((1, DIMENSIONS), np.float32), np.zeros(1, np.int32))

    assert np.isfinite(decode(encode(tokens), DIMENSIONS).vectors).all()


def test_codes_of_another_length_of_vectors_are_refused():
    with pytest.raises(ValueError, match="hold no tokens of 384 dimensions"):
        decode(encode(drawn(3, 16)), DIMENSIONS)
