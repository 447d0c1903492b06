"""What is sent to a model endpoint, and what is made of its pieces."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from xnai.errors import XnaiError
from xnai.llm.protocol import Completion, Prefill, Queued
from xnai.llm.remote.token_count import estimate_prompt, estimate_tokens
from xnai.llm.remote.wire import (
    GarbledStreamError,
    WireChunk,
    read_chunk,
    read_comment,
    request_body,
)
from xnai.types import Message, Sampling, TokenLogprob, Usage

STANDARD = {
    *("model", "messages", "stream", "stream_options", "max_tokens", "temperature", "top_p"),
    *("presence_penalty", "frequency_penalty", "stop", "seed", "logprobs", "top_logprobs"),
}
FULL = Sampling(
    max_tokens=5,
    temperature=0.5,
    top_k=7,
    top_p=0.8,
    min_p=0.1,
    repeat_penalty=1.2,
    presence_penalty=0.3,
    frequency_penalty=0.4,
    seed=9,
    stop=("\n",),
    logprobs=2,
)


def body(sampling=FULL, kind="openai", *, extensions=True):
    completion = Completion("r", "u", (Message("user", "Hi"),), sampling, 0.0)
    return request_body(completion, "m", kind, extensions=extensions)


def test_all_that_openai_knows_goes_under_its_names():
    assert body(extensions=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.8,
        "presence_penalty": 0.3,
        "frequency_penalty": 0.4,
        "stop": ["\n"],
        "seed": 9,
        "logprobs": True,
        "top_logprobs": 2,
    }


@pytest.mark.parametrize(
    ("kind", "extensions"),
    [
        ("llama-server", {"top_k": 7, "min_p": 0.1, "repeat_penalty": 1.2}),
        ("llama_cpp.server", {"top_k": 7, "min_p": 0.1, "repeat_penalty": 1.2}),
        ("vllm", {"top_k": 7, "min_p": 0.1, "repetition_penalty": 1.2}),
        ("xnai", {"top_k": 7, "min_p": 0.1, "repeat_penalty": 1.2, "retrieval": False}),
    ],
)
def test_each_server_gets_the_rest_under_names_it_understands(kind, extensions):
    sent = body(kind=kind)
    assert {name: sent[name] for name in sent.keys() - STANDARD} == extensions


@pytest.mark.parametrize("kind", ["openai", "vllm", "llama-server", "xnai"])
def test_a_schema_becomes_the_response_format(kind):
    form = body(Sampling(json_schema='{"type": "object"}'), kind)["response_format"]
    assert (form["type"], form["json_schema"]["schema"]) == ("json_schema", {"type": "object"})


def test_llama_cpp_server_has_a_response_format_of_its_own():
    form = body(Sampling(json_schema="{}"), "llama_cpp.server")["response_format"]
    assert form == {"type": "json_object", "schema": {}}


def test_a_grammar_is_refused_where_it_would_be_ignored():
    with pytest.raises(XnaiError, match="grammars"):
        body(Sampling(grammar="root ::= []"), extensions=False)


@pytest.mark.parametrize(
    ("comment", "event"),
    [
        ("queued 3", Queued(3)),
        ("queued 2, about 40 s", Queued(2, 40.0)),
        ("queued 99999999999999999999", None),
        ("reading 5/9", Prefill(5, 9)),
        ("reading 9/5", Prefill(5, 5)),
        ("waiting", None),
        ("ping - 2026-01-01 00:00:00", None),
    ],
)
def test_the_comments_of_another_xnai_are_understood(comment, event):
    assert read_comment(comment) == event


def chunk(delta, finish=None, **more):
    return json.dumps({"choices": [{"delta": delta, "finish_reason": finish, **more}]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (chunk({"role": "assistant", "content": ""}), WireChunk()),
        (chunk({"content": None}), WireChunk()),
        (chunk({"content": "a"}), WireChunk("a", alive=True)),
        (chunk({"reasoning_content": "hm"}), WireChunk(alive=True)),
        (chunk({}, "stop"), WireChunk(finish="stop")),
        (chunk({}, "length"), WireChunk(finish="length")),
        (chunk({}, "content_filter"), WireChunk(finish="stop")),
        ('{"choices": [], "usage": {"prompt_tokens": 3}}', WireChunk(usage=Usage(3, 0))),
        ('{"choices": [], "usage": {"prompt_tokens": true}}', WireChunk(usage=Usage())),
        ('{"choices": [], "usage": {"prompt_tokens": -1}}', WireChunk(usage=Usage())),
        ('{"error": {"code": 5}}', WireChunk(error={"code": 5})),
        ('{"object": "error", "code": 5}', WireChunk(error={"object": "error", "code": 5})),
        (chunk({"content": "\ud83d"}), WireChunk("\ufffd", alive=True)),
    ],
)
def test_a_chunk_is_read(text, expected):
    assert read_chunk(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "1", "{}", '{"choices": 1}', '{"choices": [1]}', '{"choices": [{}]}'),
        *(chunk({"content": 1}), chunk({}, 1), chunk({}, "abort"), "[" * 100_000),
    ],
)
def test_what_is_no_chunk_is_garbled(text):
    with pytest.raises(GarbledStreamError):
        read_chunk(text)


def test_log_probabilities_are_read_with_their_alternatives():
    other = {"token": "b", "logprob": None, "bytes": 10**12}
    item = {"token": "ä", "logprob": -1, "bytes": [195, 164], "top_logprobs": [other, 5]}
    read = read_chunk(chunk({"content": "ä"}, logprobs={"content": [item, "x"]}))
    alternative = TokenLogprob("b", b"b", -9999.0)
    assert read.logprobs == (TokenLogprob("ä", "ä".encode(), -1.0, (alternative,)),)


@pytest.mark.slow
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_no_logprobs_break_the_reader(value):
    item = {"token": "a", "logprob": value, "bytes": value, "top_logprobs": value}
    assert read_chunk(chunk({}, logprobs={"content": [item]})).logprobs[0].token == "a"


# The greediest of the vocabularies in llama.cpp's source on each text, counted with llama.cpp.
COUNTED = {
    "Die Donaudampfschifffahrtsgesellschaft verwaltete im neunzehnten Jahrhundert zahlreiche "
    "Schiffe. Der Kapitän saß täglich in der Kajüte und überprüfte die Frachtbriefe, während "
    "draußen die Matrosen Kohle schaufelten. Geschwindigkeitsbegrenzung und "
    "Rechtsschutzversicherungsgesellschaften waren damals unbekannt.": 130,
    "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni "
    "obdarzeni rozumem i sumieniem.": 63,
    "Genir pawb yn rhydd ac yn gydradd â'i gilydd mewn urddas a hawliau. Fe'u cynysgaeddir â "
    "rheswm a chydwybod, a dylai pawb ymddwyn y naill at y llall mewn ysbryd cymodlon.": 88,
    "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。"  # noqa: RUF001
    "すべての人間は、生まれながらにして自由であり": 113,
    "Все люди рождаются свободными и равными в своем достоинстве и правах. "  # noqa: RUF001
    "Они наделены разумом и совестью": 107,
    "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.": 62,
    "Great 👍🏽 job 🎉🎉 team 👨‍👩‍👧‍👦!": 42,
    "| a | 12.5 | 2024-01-31 |\n|---|---|---|\n| b | 1,234,567 | N/A |\n" * 20: 980,
    "THIS AGREEMENT SHALL BE GOVERNED BY THE LAWS OF THE STATE OF DELAWARE WITHOUT REGARD TO "
    "CONFLICT OF LAWS PRINCIPLES. INDEMNIFICATION NOTWITHSTANDING": 59,
}


@pytest.mark.parametrize(("text", "tokens"), COUNTED.items(), ids=[t[:12] for t in COUNTED])
def test_an_estimate_is_never_below_the_greediest_vocabulary(text, tokens):
    assert tokens <= estimate_tokens(text) <= 2 * tokens


def test_an_estimate_of_english_is_about_three_times_its_words():
    text = " ".join((ROOT / "LICENSE").read_text(encoding="utf-8").split())
    words = len(re.findall(r"\w+", text))
    assert 2 * words < estimate_tokens(text) < 3.5 * words


@given(st.text())
def test_an_estimate_exists_for_every_text_and_grows_with_it(text):
    assert 0 <= estimate_tokens(text) <= estimate_tokens(text + "x")


def test_a_prompt_has_more_tokens_than_its_messages():
    assert estimate_prompt([10, 20]) == 30 + 2 * 8 + 32
