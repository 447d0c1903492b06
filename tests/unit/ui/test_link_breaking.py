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
from xnai.ui.links import JOINER, break_links, citation_mark, unbreak_links
from xnai.ui.live_links import LinkBreaker
from xnai.ui.whole_answer import BLANKS, break_links_outside_code

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


def pieces(text: str, size: int) -> list[str]:
    breaker = LinkBreaker()
    return [
        *(breaker.feed(text[i : i + size]) for i in range(0, len(text), size)),
        breaker.finish(),
    ]


def streamed(text: str, size: int) -> str:
    return "".join(pieces(text, size))


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
    shown = ""
    for piece in pieces(text, size):
        if piece:
            shown += piece
            assert links(shown) == []
    assert unbreak_links(shown) == text.lstrip(BLANKS)
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
        f"Type `{CODE} | grep x || {CODE}` there.",
    ],
)
def test_code_is_left_byte_for_byte(text):
    shown = break_links_outside_code(text)

    assert shown.count(CODE) == text.count(CODE)
    assert citation_mark(1) not in shown


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    "text",
    [
        f"```js\n{CODE}\n```\nthen",
        f"Use this:\n\n~~~~\n{CODE}\n```\n{CODE}\n~~~~\n\nand no other.",
        f"Use this:\n```\n{CODE}\n\n    {CODE}",  # open to the end
        f"- one\n\n  ```\n  {CODE}\n\n  {CODE}\n  ```\n- two",
        f"1. **Get** it:\n   ```sh\n   {CODE}\n   ```\n2. Set `{CODE}`.",
        f"10. Get it:\n    ```sh\n    {CODE}\n    ```\n",
        f"> ```\n> {CODE}\n> ```\n",
        f"1. Set `{CODE}` and ``a ` {CODE}``.",
        f"- Type `{CODE} | less`\n- and `a || {CODE}`.\n",
        f"# The `{CODE}`\n\n| a | b |\n| - | - |\n| `{CODE}` | it |",
    ],
)
def test_code_is_left_byte_for_byte_while_it_streams(text, size):
    assert streamed(text, size).count(CODE) == text.count(CODE)


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_a_line_makes_no_table_of_code_that_was_shown(size):
    shown = ""
    for piece in pieces("| `a | http://evil.example` | b |\n| - | - | - |\n\n| a |\n|-|\n", size):
        shown += piece
        assert not [
            one for one in READER.parse(shown) if "evil" in one.content and "table" in shown
        ]
        assert links(shown) == []
    assert len(re.findall("<table>", READER.render(shown))) == 1


def test_code_shows_before_its_block_is_closed_and_within_a_line_when_it_ends():
    breaker = LinkBreaker()
    assert breaker.feed("See:\n```py\nget('https://a.exa") == "See:\n```py\nget('https://a.exa"
    assert breaker.feed("mple')\n```\nand `grid[0]") == "mple')\n```\nand "
    assert breaker.feed("[1]`, x") == "`grid[0][1]`, x"


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "a ` b\n`http://evil.example`",
        "a | `b |\n- | -\n| `c | http://evil.example` | d |",
        "\\`http://evil.example`",
        "> ```\nhttp://evil.example",
        "- ```\nhttp://evil.example",
        "1. a\n   ```\n  http://evil.example",
        "\ufeff```\na\n```\nhttp://evil.example",
        "    ```\na\n```\nhttp://evil.example",
        "```\r\na\r\n```\r\nhttp://evil.example",
        "```a`\nhttp://evil.example",
        "```\na\n    ```\n```\nhttp://evil.example",
        "````\n```\n````\nhttp://evil.example",
        "`http://evil.example",
        "`" + "a" * 500 + "http://evil.example`",
    ],
)
def test_what_only_looks_like_code_is_none_while_it_streams(text, size):
    shown = streamed(text, size)

    assert "http://evil" not in shown
    assert unbreak_links(shown) == text.lstrip(BLANKS)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (r"So \(a_1 < b\), \([0, 1]\).", "So $$a_1 < b$$, $$[0, 1]$$."),
        (r"So \[x\] it is.", "So $$x$$ it is."),
        ("So $$f:A$$ it is.", "So $$f:A$$ it is."),
        ("\\[\nx^2\n\\]", "$$\nx^2\n$$"),
        ("So:\n\\[ x^2 \\]\nand", "So:\n$$\n x^2 \n$$\nand"),
        ("1. a\n   \\[\n   x\n   \\]\n2. b", "1. a\n   $$\n   x\n   $$\n2. b"),
        ("1. a\n   \\[x\\]\n2. b", "1. a\n   $$\n   x\n   $$\n2. b"),
        ("$$x$$", "$$\nx\n$$"),
        ("$$\nx\n$$", "$$\nx\n$$"),
        ("\\[x +\n y\\]", "$$\nx +\n y\n$$"),
    ],
)
def test_formulas_stand_between_dollars_and_are_copied_as_they_were_written(said, shown):
    rendered = break_links_outside_code(said)

    assert re.sub("[\u2061-\u2063]", "", rendered) == shown
    assert unbreak_links(rendered) == said


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6, or $$ and $$$.",
        "$$ x\n+ y",
        "$$\nx",
        "$$ x\n+ y $$\n\nmore",
        "1. a\n   \\[\nx\n   \\]\nmore",  # the list has ended
        r"`\(x\)` and `$$x$$`",
        "```\n\\[\nx\n\\]\n```",
        "| a |\n| - |\n| \\(|x|\\) |",
        "a ` b \\(x\\)",
        r"\\(x\\) \(\)",
        "$$$x$$$",
    ],
)
def test_what_is_no_formula_is_none(text):
    code = re.sub(r"`[^`\n]+`|```[^`]+```", "", break_links_outside_code(text))

    assert "$$" not in code
    assert links(code) == []


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
