"""Prompts in the tokens of the bundled model's real vocabulary."""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.engine

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello, é 漢 🦊!"},
    {"role": "assistant", "content": "Hi."},
    {"role": "user", "content": "  And now?\n"},
]
# What transformers 5.23.0 renders with the template in the GGUF.
RENDERED = (
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello, é 漢 🦊!<|im_end|>\n"
    "<|im_start|>assistant\nHi.<|im_end|>\n<|im_start|>user\n  And now?\n<|im_end|>\n"
    "<|im_start|>assistant\n"
)


@pytest.fixture(scope="module")
def model():
    from native_model import NativeModel  # noqa: PLC0415 - only where there is an engine

    return NativeModel()


@pytest.fixture(scope="module")
def prompt_tokens(model):
    from xnai.llm.worker.sequence import Prompter  # noqa: PLC0415

    named = SimpleNamespace(vocabulary=model.vocabulary, chat_template=model.template)
    return Prompter(named).tokens


def test_a_prompt_has_the_tokens_of_what_transformers_renders(model, prompt_tokens):
    assert model.vocabulary.tokens(RENDERED, special=True) == prompt_tokens(TURNS)


def test_a_prompt_begins_once_and_opens_the_answer(model, prompt_tokens):
    start, end = (
        model.vocabulary.tokens(text, special=True)[0] for text in ("<|im_start|>", "<|im_end|>")
    )
    tokens = prompt_tokens(TURNS)
    assert (tokens.count(start), tokens.count(end)) == (5, 4)
    assert tokens[0] == start
    opening = model.vocabulary.tokens("<|im_start|>assistant\n", special=True)
    assert opening == tokens[-len(opening) :]


@pytest.mark.parametrize("role", ["user", "system", "assistant"])
def test_special_tokens_spelled_in_a_message_are_plain_text(model, prompt_tokens, role):
    hostile = "".join(model.vocabulary.specials())
    specials = {
        token
        for spelling in model.vocabulary.specials()
        for token in model.vocabulary.tokens(spelling, special=True)
    }
    turns = [{**turn, "content": hostile if turn["role"] == role else "x"} for turn in TURNS]
    harmless = [{**turn, "content": "x"} for turn in TURNS]
    assert [token for token in prompt_tokens(harmless) if token in specials] == [
        token for token in prompt_tokens(turns) if token in specials
    ]
    text = b"".join(map(model.vocabulary.piece, prompt_tokens(turns))).decode()
    assert text.count(hostile) == sum(turn["role"] == role for turn in TURNS)


@pytest.mark.parametrize("text", ["é", "漢字", "🦊👩‍🚀", "a\u0301", "x" * 300, " \n\t", "مرحبا"])
def test_pieces_of_tokens_join_to_the_text(model, text):
    pieces = map(model.vocabulary.piece, model.vocabulary.tokens(text, special=False))
    assert b"".join(pieces).decode() == text


class Letters:
    """A vocabulary of characters with one special token, which begins every text."""

    bos, eos, adds_bos = 0, 1, True

    def specials(self) -> list[str]:
        return ["<s>"]

    def spelling(self, token: int) -> str:
        return "<s>" if token == self.bos else ""

    def tokens(self, text: str, *, special: bool) -> list[int]:
        parts = text.split("<s>") if special else [text]
        return [*map(ord, parts[0]), *(t for part in parts[1:] for t in (0, *map(ord, part)))]


@pytest.mark.parametrize("source", ["{{ bos_token }}", ""], ids=["written", "not written"])
def test_a_text_begins_once_whether_or_not_the_template_writes_it(source):
    from xnai.llm.worker.sequence import Prompter  # noqa: PLC0415

    source += "{% for m in messages %}{{ m.content }}{% endfor %}"
    prompter = Prompter(SimpleNamespace(vocabulary=Letters(), chat_template=source))
    tokens = prompter.tokens([{"role": "user", "content": "a<s>"}])
    assert tokens == [0, *map(ord, "a<s>")]
