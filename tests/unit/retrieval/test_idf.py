import pytest
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from xnai.retrieval.embedding import weights
from xnai.retrieval.embedding.idf import VocabularyRanks


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(str(weights.locate(weights.TOKENIZER)))


def weighed(tokenizer, text):
    encoding = tokenizer.encode(text, add_special_tokens=False)
    found = VocabularyRanks.of(tokenizer).weights(text, encoding.offsets, encoding.ids)
    return None if found is None else dict(zip(encoding.tokens, found.tolist(), strict=True))


def test_a_rare_word_tells_more_than_a_common_one_and_signs_tell_nothing(tokenizer):
    found = weighed(tokenizer, "when was the lighthouse built?")

    assert found["lighthouse"] > found["built"] > found["was"] > found["the"] > found["?"] == 0
    assert sum(found.values()) == pytest.approx(1)


def test_a_word_that_begins_one_is_the_most_frequent_before_the_same_within_words():
    pieces = [("<unk>", 0.0), ("\u2581the", -1.0), ("\u2581lamp", -2.0), ("the", -3.0)]
    assert VocabularyRanks.of(Tokenizer(Unigram(pieces, 0, byte_fallback=False))).first == 1


def test_of_signs_alone_none_tells_more_than_another(tokenizer):
    assert weighed(tokenizer, "?!") is None
    assert weighed(tokenizer, "") is None
