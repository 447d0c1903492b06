"""Prompts of well-known models, compared with what transformers renders (templates/README.md)."""

import datetime as dt
import json
from pathlib import Path

import pytest

from xnai.llm.worker.chat_template import ChatTemplate

FOLDER = Path(__file__).parent / "templates"
GOLDEN = json.loads((FOLDER / "prompts.json").read_text(encoding="utf-8"))
CONVERSATIONS, MODELS = GOLDEN["conversations"], GOLDEN["models"]
SPECIALS = {
    "llama-3.2": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "mistral-nemo": ["<s>", "</s>", "[INST]", "[/INST]"],
    "qwen-2.5": ["<|im_start|>", "<|im_end|>", "<|endoftext|>"],
    "qwen-3": ["<|im_start|>", "<|im_end|>", "<|endoftext|>"],
    "gemma-2": ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
    "phi-3.5": ["<s>", "<|user|>", "<|system|>", "<|assistant|>", "<|end|>", "<|endoftext|>"],
    "deepseek-r1": [
        "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",  # noqa: RUF001
        "<｜User｜>", "<｜Assistant｜>",  # noqa: RUF001
    ],
}  # fmt: skip


def template(model):
    source = (FOLDER / f"{model}.jinja").read_text(encoding="utf-8")
    return ChatTemplate(source, SPECIALS[model], MODELS[model]["bos"], MODELS[model]["eos"])


def text_of(segments):
    return "".join(segment.text for segment in segments)


@pytest.mark.parametrize("case", CONVERSATIONS)
@pytest.mark.parametrize("model", MODELS)
def test_a_prompt_is_what_transformers_renders(model, case):
    expected = MODELS[model]["prompts"][case]
    if expected is None:
        assert model == "gemma-2"  # it knows no system message; see the next test
        return
    today = dt.datetime.now().astimezone().strftime("%d %b %Y")
    rendered = text_of(template(model).render(CONVERSATIONS[case]))
    assert expected.replace("{today}", today) == rendered


def test_gemma_reads_the_system_message_at_the_beginning_of_the_first_question():
    rendered = text_of(template("gemma-2").render(CONVERSATIONS["a conversation"]))
    assert rendered == (
        "<bos><start_of_turn>user\nBe brief.\n\nHello, é 漢 🦊 <s>!<end_of_turn>\n"
        "<start_of_turn>model\nHi.<end_of_turn>\n"
        "<start_of_turn>user\nAnd now?<end_of_turn>\n<start_of_turn>model\n"
    )


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize("model", MODELS)
def test_what_messages_spell_never_becomes_a_special_token(model, role):
    hostile = "".join(SPECIALS[model])
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "And now?"},
    ]
    clean = text_of(template(model).render([{**t, "content": "x"} for t in turns]))
    turns = [{**t, "content": hostile if t["role"] == role else "x"} for t in turns]
    segments = template(model).render(turns)
    special = "".join(segment.text for segment in segments if segment.special)
    times = sum(turn["role"] == role for turn in turns)
    assert {spelling: clean.count(spelling) for spelling in SPECIALS[model]} == {
        spelling: special.count(spelling) for spelling in SPECIALS[model]
    }
    plain = [segment.text for segment in segments if not segment.special]
    assert plain == SPECIALS[model] * times


@pytest.mark.parametrize("model", MODELS)
def test_every_prompt_ends_where_the_answer_begins(model):
    waiting = text_of(template(model).render(CONVERSATIONS["a question"]))
    answered = text_of(
        template(model).render(
            [*CONVERSATIONS["a question"], {"role": "assistant", "content": "Y"}]
        )
    )
    opening = waiting.removesuffix("<think>\n</think>")
    assert answered.startswith(opening)
    assert answered.removeprefix(opening).lstrip().startswith(("Y", "<think>"))
