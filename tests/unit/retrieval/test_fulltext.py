"""Words of texts and questions."""

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xnai.retrieval.index.sqlite.fulltext import (
    MAX_TERMS,
    match_expression,
    owner_token,
    searchable,
    terms_of,
)
from xnai.retrieval.index.sqlite.schema import migrate


def index_of(*texts: str):
    connection = apsw.Connection(":memory:")
    migrate(connection)
    connection.executemany(
        "INSERT INTO chunks_fts (rowid, text, owner) VALUES (?, ?, ?)",
        [(row, searchable(text), owner_token("me")) for row, text in enumerate(texts)],
    )
    return connection


def hits(connection, question, owner="me"):
    terms = terms_of(question)
    if not terms:
        return []
    query = "SELECT rowid FROM chunks_fts WHERE chunks_fts MATCH ? ORDER BY rank, rowid"
    return [row for (row,) in connection.execute(query, (match_expression(terms, owner),))]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("raised tariffs", "The tariff was raised."),
        ("cafe", "Le Café de Paris"),
        ('NEAR("x", AND OR NOT ^* -:{}()', "the letter x"),
        ("foo_bar", "foo_bar = 1"),
        ("what is it", "what it is"),
        ("北京大学", "我在北京学习"),
        ("人", "中国人"),
        ("東京 tower", "東京タワー"),
        ("שלום", "שלום עולם"),
        ("naïve\u202e", "naive"),
        ("résumé\x00", "the resume"),
    ],
)
def test_a_question_finds_the_text_that_shares_a_word(question, text):
    assert hits(index_of(text, "unrelated"), question) == [0]


@pytest.mark.parametrize("question", ["", " \n", '"', "🙂🙂", "***", "\ud800", "\x00", "((("])
def test_a_question_without_a_word_finds_nothing(question):
    assert hits(index_of("anything at all"), question) == []


def test_stop_words_do_not_count_beside_other_words():
    assert hits(index_of("the of and", "tariff"), "what is the tariff") == [1]


def test_another_owners_words_are_not_found():
    assert hits(index_of("secret"), "secret", owner="you") == []


def test_an_owners_token_is_one_word_whatever_the_owner_is_called():
    assert all(owner_token(owner).isalnum() for owner in ('a" OR b', "", "\ud800", "x" * 10_000))


def test_a_long_question_becomes_a_bounded_number_of_terms():
    assert len(terms_of(" ".join(f"w{number}" for number in range(10_000)))) == MAX_TERMS


CONNECTION = index_of("anything at all")


@given(st.text())
def test_any_text_is_a_valid_query(question):
    assert hits(CONNECTION, question) in ([], [0])
