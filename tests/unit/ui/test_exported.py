"""A conversation as Markdown and as JSON, made of messages as the page has them."""

import json

from xnai.locale import texts_in
from xnai.types import Citation
from xnai.ui import citation_links, markdown
from xnai.ui.exported import as_json, as_markdown, messages_of
from xnai.ui.links import break_links

RENT = Citation(1, "d1", 'a "lease" [2].pdf', 2, 4, 30, "The rent is 840 euros * 12.", 0.9)
KEYS = Citation(2, "d1", 'a "lease" [2].pdf', 2, 40, 60, "All four keys go back.", 0.9)
MAIL = Citation(3, "d2", "leak.eml", None, 0, 9, "Water drips.", 0.9)


def answer(language: str = "en") -> str:
    """An answer as ``AnswerView`` puts it together."""
    texts = texts_in(language)
    text = break_links("It is 840 euros. [1] Four keys. [2] A leak. [3]\n\n```py\ngrid[0][1]\n```")
    text, sources = citation_links.numbered(text, [RENT, KEYS, MAIL])
    return citation_links.linked(text + markdown.sources(sources, texts), sources, texts)


def steps(output: str) -> list[dict[str, object]]:
    return [
        {"type": "run", "output": "", "createdAt": "0"},
        {"type": "assistant_message", "output": output, "createdAt": "3"},
        {"type": "user_message", "output": "What is the rent?\nAnd the keys?", "createdAt": "1"},
        {"type": "tool", "output": "Searched", "createdAt": "2"},
        {"type": "assistant_message", "output": "Broken", "isError": True, "createdAt": "4"},
    ]


def test_json_has_what_was_said_with_each_place_and_its_words():
    for language in ("en", "de", "ar"):
        told = json.loads(as_json("Rent", "2026-01-01", messages_of(steps(answer(language)))))
        question, said = told["messages"]
        assert (question["role"], question["text"]) == ("user", "What is the rent?\nAnd the keys?")
        assert said["text"].startswith("It is 840 euros. [1] Four keys. [2] A leak. [3]")
        assert "grid[0][1]" in said["text"]
        cited = said["citations"]
        assert [(one["index"], one["document_id"], one["page"]) for one in cited] == [
            (1, "d1", 2),
            (2, "d1", 2),
            (3, "d2", None),
        ]
        assert [one["quote"] for one in cited] == [RENT.quote, KEYS.quote, MAIL.quote]
        assert [(one["start"], one["end"]) for one in cited] == [(4, 30), (40, 60), (0, 9)]
        assert cited[0]["place"].startswith('a "lease" [2].pdf')


def test_markdown_has_questions_as_quotations_and_sources_without_links():
    text = as_markdown("Rent  and\nkeys", messages_of(steps(answer())))
    assert text.startswith("# Rent and keys\n\n> What is the rent?\n> And the keys?\n\nIt is 840")
    assert "/reader/" not in text
    assert "\u2060" not in text
    assert "“All four keys go back.”" in text
    assert "Broken" not in text
    assert "Searched" not in text
