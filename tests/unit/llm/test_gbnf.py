"""GBNF rewritten as Lark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llguidance import LLMatcher

from xnai.llm.worker.gbnf import GrammarSyntaxError, to_lark


def test_rules_get_names_of_their_own_and_root_is_the_start():
    lark = to_lark('root ::= item-1 | x_2\nitem-1 ::= "a"\nx_2 ::= "b"')
    assert lark == 'start: r1 | r2\nr1: ("a")\nr2: ("b")'


def test_a_literal_is_a_sequence_of_characters():
    assert to_lark(r'root ::= "a\"\n\x41😀"') == r'start: ("a" "\"" "\n" "A" "😀")'


def test_a_set_of_characters_keeps_escaped_hyphens_apart_from_ranges():
    assert to_lark(r"root ::= [^a\-z0-9-]") == (
        r"start: /[^\x{61}-\x{61}\x{2d}-\x{2d}\x{7a}-\x{7a}\x{30}-\x{39}\x{2d}-\x{2d}]/"
    )


def test_an_operator_repeats_the_whole_item_before_it():
    assert to_lark('root ::= "ab"* (.)+ x{2} x{2,} x{2,3}?\nx ::= "x"') == (
        'start: ("a" "b")* (/(?s:.)/)+ (r1){2,2} (r1){2,} ((r1){2,3})?\nr1: ("x")'
    )


def test_an_alternative_may_be_empty():
    assert to_lark('root ::= "a" ( | "b") |') == 'start: ("a") ("" | ("b")) | ""'


def test_a_rule_goes_on_after_an_alternative_mark_and_inside_parentheses():
    lark = to_lark('# comment\nroot ::=\n  "a" | # why\n  ( "b"\n  "c" )\n\nx ::= "y"\r\n')
    assert lark == 'start: ("a") | (("b") ("c"))\nr1: ("y")'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no rule 'root'"),
        ('x ::= "a"', "no rule 'root'"),
        ("root", "no ::="),
        ('root "a"', "cannot begin"),
        ("root ::= x", "'x' is not defined"),
        ('root ::= "a"\nroot ::= "b"', "defined twice"),
        ("root ::= *", "nothing to repeat"),
        ('root ::= "a" | +', "nothing to repeat"),
        ('root ::= ("a"', "'(' without a ')'"),
        ('root ::= "a")', "')' without a '('"),
        ("root ::= " + "(" * 10_000, "parentheses"),
        ('root ::= "a"{1000000}', "more than 2000 times"),
        ('root ::= "a"{3,2}', "runs backwards"),
        ("root ::= [z-a]", "runs backwards"),
        ("root ::= []", "empty"),
        ("root ::= <think>", "cannot be read"),
        ('root ::= "a', "cannot be read"),
        (r'root ::= "\q"', "is no escape"),
        (r'root ::= "\ud800"', "is no character"),
        (r'root ::= "\UFFFFFFFF"', "is no character"),
        ('root ::= "a" ::= "b"', "has no place"),
    ],
)
def test_what_is_no_grammar_is_refused_with_the_place(text, reason):
    with pytest.raises(GrammarSyntaxError) as caught:
        to_lark(text)
    assert reason in str(caught.value)


_ATOMS = st.sampled_from(['"a"', '"bc"', "[a-c]", "[^\\n]", ".", "x", '""', '"\\""', '"/"'])
_BODIES = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(" ".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({' | '.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,3}", "{1,}"])).map("".join),
    ),
    max_leaves=8,
)


@given(_BODIES)
def test_whatever_is_rewritten_is_accepted_by_llguidance(body):
    lark = to_lark(f'root ::= {body}\nx ::= "x" root?')
    assert LLMatcher.validate_grammar(LLMatcher.grammar_from_lark(lark)) == ""


@given(st.text(alphabet='root:=x"[]()|*+?{}1,\\-. \n#a', max_size=60))
def test_any_text_is_rewritten_or_refused(text):
    try:
        lark = to_lark(text)
    except GrammarSyntaxError:
        return
    assert "start: " in lark
