"""What a model wrote, on the page and in copies of it: code, links and formulas."""

import re
from collections.abc import Iterator

import pytest
from browser_pages import copied, say, visit
from playwright.sync_api import BrowserContext, Page, expect
from saying_endpoint import saying_server

from rig.whole_server import Server

pytestmark = [pytest.mark.browser, pytest.mark.needs("chromium")]

CODE = "grid[0][1] = get('https://a.example'); C:/ root@a.example"
INVISIBLE = re.compile("[\u2060-\u2063]")
# What code said at any moment with a character that nobody wrote, and what led elsewhere.
WITNESS = """
window.changed = []; window.live = [];
new MutationObserver(() => {
  for (const one of document.querySelectorAll(".ai-message .message-content code")) {
    if (/[\\u2060-\\u2063]/.test(one.textContent)) window.changed.push(one.textContent);
  }
  for (const one of document.querySelectorAll(".ai-message .message-content a[href]")) {
    if (one.origin !== location.origin) window.live.push(one.outerHTML);
  }
}).observe(document, { childList: true, subtree: true, characterData: true });
"""


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("written")) as server:
        yield server


@pytest.fixture
def asked(page: Page, context: BrowserContext, chat: Server) -> Page:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=chat.url)
    page.add_init_script(WITNESS)
    visit(page, chat.url)
    return page


def test_code_is_as_it_was_written_at_every_moment_and_in_every_copy(asked: Page, shot):
    said = (
        f"See https://a.example, and `{CODE}`; `a | grep [0]` too:\n\n"
        f"1. Type:\n   ```sh\n   {CODE}\n   ```\n2. Then:\n\n```py\n{CODE}\n\nx = d[1][2]\n```\n\n"
        f"It is done.\n\n~~~~\n{CODE}"
    )
    message = say(asked, said)

    assert asked.evaluate("window.changed") == []
    assert asked.evaluate("window.live") == []
    codes = message.locator("code").all_text_contents()
    assert sum(CODE in code for code in codes) == 4
    assert "a | grep [0]" in codes
    shot("50-code")
    assert copied(asked, message.locator("button:has(svg.lucide-copy)").last) == f"{said}\n~~~~"

    message.locator("[role=article]").first.evaluate(
        "(node) => { const range = document.createRange(); range.selectNodeContents(node);"
        "const all = getSelection(); all.removeAllRanges(); all.addRange(range); }"
    )
    asked.keyboard.press("Control+c")
    words = asked.evaluate("navigator.clipboard.readText()")
    assert words == f"See https://a.example, and {CODE}; a | grep [0] too:"


def test_formulas_are_set_and_money_is_not(asked: Page, shot):
    requests: list[str] = []
    asked.on("requestfinished", lambda request: requests.append(request.url))
    said = (
        "It costs $5 and $6, or $7.50; $$ is dear.\n\n"
        r"Euler: \(e^{i\pi} + 1 = 0\), \([0, 1]\), and \(f: A \to B\)." + "\n\n"
        "\\[\nx = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}\n\\]\n\n"
        "1. Gauss:\n   \\[ \\sum_{k=1}^n k = \\frac{n(n+1)}{2} \\]\n2. Next, `\\(x\\)` is code.\n\n"
        "$$\\int_0^1 x^2\\,dx$$\n\n$$ open"
    )
    message = say(asked, said)

    expect(message.locator(".katex")).to_have_count(6)
    expect(message.locator(".katex-display")).to_have_count(3)
    expect(message.locator(".katex-error")).to_have_count(0)
    words = INVISIBLE.sub("", message.locator(".message-content").inner_text())
    assert "It costs $5 and $6, or $7.50; $$ is dear." in words
    assert "\\(x\\)" in words
    assert "$$ open" in words
    assert message.locator("ol").count() == 1  # the formula has not ended the list
    fonts = message.locator(".katex .mathnormal").first
    expect(fonts).to_have_css("font-family", re.compile("KaTeX_Math"))
    asked.wait_for_function("() => document.fonts.check('italic 16px KaTeX_Math')")
    assert any(url.endswith("KaTeX_Math-Italic.woff2") for url in requests)
    shot("51-formulas")
    assert copied(asked, message.locator("button:has(svg.lucide-copy)").last) == said


def test_a_formula_leads_nowhere_and_stays_in_its_message(asked: Page, shot):
    message = say(
        asked,
        r"\(\href{https://evil.example}{x} \url{https://evil.example}\) "
        r"\(\includegraphics{https://evil.example/x.png}\) \(\rule{900em}{900em}\)"
        "\n\n\\[ \\raisebox{30em}{Press here} \\kern-90em y \\]\n\nhttp://evil.example",
    )

    assert message.locator(".message-content :is(a, img)").count() == 0
    assert asked.evaluate("window.live") == []
    shot("52-hostile-formulas")
    box = message.locator(".message-content").bounding_box()
    input_ = asked.locator("#chat-input")
    assert asked.evaluate("document.documentElement.scrollWidth") <= 1280
    assert box["width"] <= 1280
    expect(input_).to_be_in_viewport()
    question = asked.locator("[data-step-type=user_message] .message-content").last
    question.scroll_into_view_if_needed()
    assert question.evaluate(
        "(node) => { const { x, y, width, height } = node.getBoundingClientRect();"
        "return node.contains(document.elementFromPoint(x + width / 2, y + height / 2)); }"
    )
