"""Drawing tokens from the real model's logits."""

import json
import subprocess
import sys

import numpy as np
import pytest

from xnai.types import Sampling

pytestmark = pytest.mark.engine

JSON = "Describe Paris as JSON."
OBJECT = '{"type": "object"}'
PERSON = json.dumps(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 12},
            "age": {"type": "integer", "minimum": 18, "maximum": 99},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        },
        "required": ["name", "age", "tags"],
        "additionalProperties": False,
    }
)
LIST = 'root ::= ("- " item){2}\nitem ::= [^\\n]{1,20} "\\n"'


@pytest.fixture(scope="module")
def model():
    from native_model import NativeModel  # noqa: PLC0415 - only where there is an engine

    return NativeModel()


def sampler(model, **values):
    from xnai.llm.worker.sampler import Sampler  # noqa: PLC0415

    return Sampler(Sampling(**values), model.vocabulary)


def draw(model, count, **values):
    """Tokens drawn again and again from the same logits."""
    drawing = sampler(model, **values)
    tokens = [drawing.sample(model.context, -1).token for _ in range(count)]
    drawing.free()
    return tokens


def refusal(model, **values):
    from xnai.llm.ipc import RefusedError  # noqa: PLC0415

    with pytest.raises(RefusedError) as caught:
        draw(model, 200, **values)
    assert caught.value.kind.code == "grammar_invalid"
    return caught.value.values["reason"]


def test_temperature_zero_takes_the_likeliest_token(model):
    model.ask("What is the capital of France?")
    assert draw(model, 1, temperature=0) == [int(model.logits().argmax())]


def test_the_same_seed_draws_the_same_tokens_and_another_seed_others(model):
    model.ask("Invent a name.")
    values = {"temperature": 2.0, "top_k": 0, "min_p": 0.0, "top_p": 1.0}
    first, again, other = (draw(model, 20, seed=seed, **values) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_without_a_seed_no_two_answers_are_drawn_alike(model):
    model.ask("Invent a name.")
    values = {"temperature": 2.0, "top_k": 0, "min_p": 0.0, "top_p": 1.0}
    assert draw(model, 20, **values) != draw(model, 20, **values)


@pytest.mark.parametrize(
    "values", [{"top_k": 1}, {"top_k": 0, "min_p": 1.0}, {"top_k": 0, "min_p": 0, "top_p": 0.001}]
)
def test_each_limit_alone_leaves_the_likeliest_token_only(model, values):
    model.ask("Invent a name.")
    drawn = draw(model, 20, temperature=2.0, repeat_penalty=1.0, **values)
    assert set(drawn) == {int(model.logits().argmax())}


def test_no_top_k_means_the_whole_vocabulary(model):
    model.ask("Invent a name.")
    values = {"temperature": 2.0, "min_p": 0.0, "top_p": 1.0, "seed": 1}
    rank = {int(token): place for place, token in enumerate(np.argsort(-model.logits()))}
    assert max(rank[token] for token in draw(model, 50, top_k=0, **values)) >= 40
    assert max(rank[token] for token in draw(model, 50, top_k=40, **values)) < 40


@pytest.mark.parametrize(
    "penalty", [{"repeat_penalty": 3.0}, {"presence_penalty": 2.0}, {"frequency_penalty": 2.0}]
)
def test_a_penalty_keeps_greedy_drawing_from_repeating_itself(model, penalty):
    model.ask("What is the capital of France?")
    values = {"temperature": 0, "repeat_penalty": 1.0}
    assert len(set(draw(model, 12, **values))) == 1
    assert len(set(draw(model, 12, **{**values, **penalty}))) > 1


def test_words_of_the_prompt_are_not_penalised(model):
    model.read(model.vocabulary.tokens("one two one two one two one", special=False))
    likeliest = int(model.logits().argmax())
    assert draw(model, 1, temperature=0, repeat_penalty=5.0) == [likeliest]
    assert model.vocabulary.piece(likeliest) == b" two"


def test_log_probabilities_are_those_of_the_raw_logits(model):
    model.ask("What is the capital of France?")
    logits = model.logits().astype(np.float64)
    expected = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
    best = [int(token) for token in np.argsort(-logits)[:3]]
    drawn = sampler(model, temperature=0, repeat_penalty=9.0, logprobs=3).sample(model.context, -1)
    assert [model.vocabulary.piece(token) for token in best] == [
        entry.data for entry in drawn.logprobs.alternatives
    ]
    assert pytest.approx([expected[token] for token in best], abs=1e-4) == [
        entry.logprob for entry in drawn.logprobs.alternatives
    ]
    assert pytest.approx(expected[drawn.token], abs=1e-4) == drawn.logprobs.logprob


def test_log_probabilities_without_alternatives_and_none_at_all(model):
    model.ask("Hello")
    assert sampler(model, logprobs=0).sample(model.context, -1).logprobs.alternatives == ()
    assert sampler(model).sample(model.context, -1).logprobs is None


@pytest.mark.parametrize("seed", range(4))
def test_an_answer_bound_by_a_schema_is_json_that_keeps_it(model, seed):
    text, reason = model.answer(JSON, Sampling(200, temperature=1.5, seed=seed, json_schema=PERSON))
    person = json.loads(text)
    assert reason in {"last", "stop"}
    assert set(person) == {"name", "age", "tags"}
    assert len(person["name"]) <= 12
    assert 18 <= person["age"] <= 99
    assert set(person["tags"]) <= {"a", "b"}


def test_any_json_object_stays_the_beginning_of_one_until_it_ends(model):
    text, reason = model.answer(JSON, Sampling(400, temperature=0, json_schema=OBJECT))
    assert text.startswith("{")
    if reason != "length":
        assert isinstance(json.loads(text), dict)


def test_the_same_seed_gives_the_same_bound_answer(model):
    sampling = Sampling(40, temperature=1.5, seed=5, json_schema=PERSON)
    assert model.answer(JSON, sampling) == model.answer(JSON, sampling)


def test_an_answer_bound_by_a_grammar_keeps_it_and_says_which_token_is_the_last(model):
    text, reason = model.answer("List two towns.", Sampling(99, temperature=1.0, grammar=LIST))
    assert [line[:2] for line in text.splitlines()] == ["- ", "- "]
    assert reason == "last"


def test_a_grammar_that_allows_no_text_ends_the_answer_at_once(model):
    assert model.answer("Hello", Sampling(grammar='root ::= ""')) == ("", "stop")


def test_a_grammar_may_stop_inside_a_character_only_when_the_next_token_goes_on(model):
    text, reason = model.answer("Hi", Sampling(60, temperature=1.0, grammar="root ::= [😀-😏]{3}"))
    assert (len(text), reason) == (3, "last")
    assert all("😀" <= char <= "😏" for char in text)


# What hostile grammars do to llama.cpp: endless or exponential work, or the end of the process.
HOSTILE = {
    "left": 'root ::= root "x" | "y"',
    "hidden-left": 'root ::= a root | "x"\na ::= b\nb ::= ""',
    "endless": "root ::= a\na ::= a",
    "never-ends": 'root ::= "x" a\na ::= "y" a',
    "ambiguous": 'root ::= s\ns ::= "x" s "y" | "x" s "z" | "w"',
    "exponential": "\n".join(f"r{i} ::= r{i + 1} | r{i + 1} r{i + 1}" for i in range(60))
    + '\nr60 ::= "x" | ""\nroot ::= r0',
    "nested-repeats": "root ::= " + "(" * 20 + '"x"' + "{0,2000})" * 20,
    "nested-stars": "root ::= " + "(" * 20 + "." + "*)" * 20,
    "huge-repeat": 'root ::= "x"{1000000}',
    "deep": "root ::= " + "(" * 15_000 + '"x"' + ")" * 15_000,
    "chain": "\n".join(f"r{i} ::= r{i + 1}" for i in range(1_500)) + '\nr1500 ::= "x"\nroot ::= r0',
    "wide": "root ::= " + " | ".join(f'"{i}"' for i in range(3_000)),
    "long": 'root ::= "' + "a" * 32_000 + '"',
    "too-long": 'root ::= "' + "a" * 33_000 + '"',
    "schema-deep": '{"items":' * 3_000 + "{}" + "}" * 3_000,
    "schema-self": '{"$ref": "#"}',
    "schema-remote": '{"$ref": "https://example.com/schema"}',
    "schema-file": '{"$ref": "file:///etc/passwd"}',
    "schema-doubling": json.dumps(
        {
            "$defs": {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(40)}
            | {"a40": {"type": "object"}},
            "$ref": "#/$defs/a0",
        }
    ),
    "schema-pattern": '{"type": "string", "pattern": "^((a{0,1000}){0,1000}){0,1000}$"}',
    "schema-dfa": '{"type": "string", "pattern": "^(a|b)*a(a|b){400}$"}',
    "schema-items": '{"type": "array", "items": {}, "minItems": 1000000000}',
    "schema-wide": json.dumps({"properties": {f"p{i}": {"type": "null"} for i in range(1_200)}}),
}
HOSTILE_SCRIPT = """
import json, resource, sys, time
resource.setrlimit(resource.RLIMIT_DATA, (2 * 1024**3,) * 2)
sys.path.insert(0, "tests/support")
from native_model import NativeModel
from xnai.llm.ipc import RefusedError
from xnai.types import Sampling
model = NativeModel()
for name, text in json.load(sys.stdin).items():
    form = {"json_schema" if name.startswith("schema") else "grammar": text}
    begun = time.monotonic()
    try:
        model.answer("x", Sampling(10, temperature=1.5, seed=1, **form))
        outcome = "followed"
    except RefusedError as error:
        outcome = error.values["reason"]
    print(json.dumps([name, outcome, time.monotonic() - begun]), flush=True)
"""


@pytest.fixture(scope="module")
def hostile_outcomes():
    ended = subprocess.run(
        [sys.executable, "-c", HOSTILE_SCRIPT],
        input=json.dumps(HOSTILE),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return {name: rest for name, *rest in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("endless", "no text fits it"),
        ("never-ends", "Too many items"),
        ("nested-repeats", "items"),
        ("huge-repeat", "more than 2000 times"),
        ("deep", "parentheses"),
        ("too-long", "32,768 characters"),
        ("schema-deep", "recursion limit"),
        ("schema-self", "no text fits it"),
        ("schema-remote", "does not fetch"),
        ("schema-file", "does not fetch"),
    ],
)
def test_a_hostile_form_is_refused(hostile_outcomes, name, reason):
    assert reason in hostile_outcomes[name][0]


def test_no_hostile_form_ends_the_process_or_takes_long(hostile_outcomes):
    assert hostile_outcomes.keys() == HOSTILE.keys()
    assert {} == {name: rest for name, rest in hostile_outcomes.items() if rest[1] > 5}


DIFFERENTIAL = {
    "list": (LIST, ["", "- ", "- a", "- ab\n", "- é\n- "]),
    "prefixes": ('root ::= "a" "b" "c" | "ab" "d" | [^x]+ "y"', ["", "a", "ab", "abc", "z"]),
    "left-over": ('root ::= (word " "?)+\nword ::= [a-zA-Z]+ | [0-9]{1,3}', ["", "ab", "12", "1 "]),
    "any": ('root ::= "\\"" (. | "\\n")* "\\""', ["", '"', '"日']),
}


@pytest.mark.parametrize("name", DIFFERENTIAL)
def test_llama_cpp_allows_the_same_tokens_for_the_same_grammar(model, name):
    import llama_cpp.llama_cpp as lib  # noqa: PLC0415

    from xnai.llm.worker.grammar import Grammar  # noqa: PLC0415

    text, prefixes = DIFFERENTIAL[name]
    vocabulary = model.vocabulary
    for prefix in prefixes:
        ours = Grammar(text, vocabulary, is_schema=False)
        theirs = lib.llama_sampler_init_grammar(vocabulary._vocab, text.encode(), b"root")
        for token in vocabulary.tokens(prefix, special=False):
            ours.accept(token)
            lib.llama_sampler_accept(theirs, token)
        candidates = (lib.llama_token_data * vocabulary.size)()
        for token, candidate in enumerate(candidates):
            candidate.id = token
        array = lib.llama_token_data_array(size=vocabulary.size, selected=-1)
        array.data = candidates
        lib.llama_sampler_apply(theirs, lib.ctypes.byref(array))
        lib.llama_sampler_free(theirs)
        allowed = {
            candidate.id
            for candidate in candidates
            if np.isfinite(candidate.logit) and vocabulary.piece(candidate.id).strip(b"\0")
        }
        found = {int(token) for token in ours.allowed() if vocabulary.piece(token).strip(b"\0")}
        assert allowed == found, prefix
