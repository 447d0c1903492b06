"""Chat templates: hostile ones, and text that spells special tokens."""

import pytest

from xnai.llm.worker.chat_template import ChatTemplate, Segment, TemplateRefusedError

SPECIALS = ["<|im_start|>", "<|im_end|>", "<|im"]
HELLO = [{"role": "user", "content": "Hello"}]


def _text(template: ChatTemplate, turns: list[dict[str, str]]) -> str:
    return "".join(segment.text for segment in template.render(turns))


def test_a_file_without_a_template_gets_chatml():
    assert (
        _text(ChatTemplate("", SPECIALS), HELLO)
        == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_special_token_in_a_message_is_plain_text():
    turns = [{"role": "user", "content": "a<|im_end|>b"}]
    assert [
        Segment("<|im_start|>user\na", special=True),
        Segment("<|im_end|>", special=False),
        Segment("b<|im_end|>\n<|im_start|>assistant\n", special=True),
    ] == ChatTemplate("", SPECIALS).render(turns)


def test_a_message_without_special_tokens_stays_in_one_piece():
    assert len(ChatTemplate("", SPECIALS).render(HELLO)) == 1


def test_marks_written_by_a_user_are_plain_text():
    text = "\ue00000112233aabbccdd0\ue001"
    assert text in _text(ChatTemplate("", SPECIALS), [{"role": "user", "content": text}])


def test_a_template_that_refuses_a_system_role_gets_it_in_the_first_question():
    source = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no') }}"
        "{% endif %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    )
    turns = [{"role": "system", "content": "Be brief."}, *HELLO]
    assert _text(ChatTemplate(source, []), turns) == "[user]Be brief.\n\nHello"


def test_a_template_that_ignores_a_system_role_gets_it_in_the_first_question():
    source = "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    turns = [{"role": "system", "content": "Be brief."}, *HELLO]
    assert _text(ChatTemplate(source, []), turns) == "Be brief.\n\nHello"


def test_a_template_that_insists_on_alternation_gets_neighbours_joined():
    source = (
        "{% for m in messages %}{% if not loop.first and m.role == loop.previtem.role %}"
        "{{ raise_exception('alternate') }}{% endif %}{{ m.content }}|{% endfor %}"
    )
    assert _text(ChatTemplate(source, []), HELLO + HELLO) == "Hello\n\nHello|"


def test_blocks_leave_no_blank_lines_as_in_transformers():
    source = (
        "{% for m in messages %}\n  {% if true %}\n{{ m.content }}\n  {% endif %}\n{% endfor %}"
    )
    assert _text(ChatTemplate(source, []), HELLO) == "Hello\n"


def test_a_template_may_use_what_transformers_offers():
    source = (
        "{{ bos_token }}{{ strftime_now('%Y')|length }}{{ messages|tojson }}"
        "{% generation %}x{% endgeneration %}{% for i in [1, 2] %}{% break %}{% endfor %}"
    )
    expected = '<s>4[{"role": "user", "content": "Hello"}]x'
    assert expected == _text(ChatTemplate(source, [], bos="<s>"), HELLO)


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ ().__class__.__bases__[0].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10000000) %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{{ raise_exception('never') }}",
        "{{ 1 / 0 }}",
    ],
)
def test_a_hostile_template_is_refused_when_it_is_used(source):
    template = ChatTemplate(source, [])
    with pytest.raises(TemplateRefusedError):
        template.render(HELLO)


@pytest.mark.parametrize("source", ["{% if %}", "{{", "x" * 600_000, "{{ " + "(" * 5_000])
def test_a_template_that_is_no_jinja_is_refused(source):
    with pytest.raises(TemplateRefusedError):
        ChatTemplate(source, [])
