"""Links that a document talks a model into: in a real browser, from the endpoint to the page.

Nothing that leads to another machine may be there to click, not even for a moment while the answer
streams; neither by the server's breaking of links alone nor by the guard of the page alone.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import CHROMIUM
from markdown_fragments import FRAGMENTS
from playwright.sync_api import Browser, Page, expect, sync_playwright
from saying_endpoint import Endpoint, saying_server

from rig.whole_server import Server

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"

HOSTILE = (
    "[click](http://evil.example/?q=secret)",
    "![x](http://evil.example/x.png)",
    "![x](//evil.example/x.png)",
    "[click][1]\n\n[1]: http://evil.example",
    "[click]\n\n[click]: <http://evil.example> 'title'",
    "[click][]\n\n[click]:\nhttp://evil.example",
    "[a\\]b](http://evil.example)",
    "[![x](http://evil.example/x.png)](http://evil.example)",
    "[mail](mailto:root@evil.example)",
    "[js](javascript:alert(1)) [d](data:text/html,x)",
    "<http://evil.example>",
    "<mailto:root@evil.example>",
    "<root@evil.example>",
    "<irc://evil.example>",
    '<a href="http://evil.example">click</a>',
    "http://evil.example and https://evil.example/?q=secret.",
    "HTTP://EVIL.EXAMPLE",
    "http:\\/\\/evil.example",
    "http\\://evil.example",
    "http&#58;//evil.example",
    "http&#x3A;//evil.example",
    "http&#0000058;//evil.example",
    "http&colon;//evil.example",
    "http:&sol;&sol;evil.example",
    "http:&#47;/evil.example",
    "http&colon;\\/&sol;evil.example",
    "h&#116;tps&colon;//evil.example",
    "www.evil.example",
    "WwW.evil.example",
    "www&period;evil.example",
    "www&#46;evil.example",
    "www\\.evil.example",
    "&#119;&#x77;w.evil.example",
    "ww&#87;&period;evil.example",
    "root@evil.example",
    "root&commat;evil.example",
    "root&#64;evil.example",
    "root\\@evil.example",
    "mailto:root@evil.example xmpp:root@evil.example/x",
    "*http://evil.example* _www.evil.example_ ~~root@evil.example~~",
    "- http://evil.example\n- [x](http://evil.example)",
    "> www.evil.example\nhttp://evil.example",
    "# http://evil.example\n\nwww.evil.example\n---",
    "| a | b |\n| - | - |\n| http://evil.example | `a | www.evil.example` |",
    "[^1] note[^a]\n\n[^1]: http://evil.example\n[^a]: www.evil.example",
    ":a[http://evil.example]{href=http://evil.example}",
    "::a[x]{href=http://evil.example}",
    ':::info{href="http://evil.example"}\n[x](http://evil.example)\n:::',
    ':a{x="`"} http://evil.example `',
    "a ` b\n`http://evil.example`",
    "\\`http://evil.example`",
    "    http://evil.example",
    "> ```\nhttp://evil.example",
    "[1](http://evil.example) [1][1] ![1][1] [x][1]",
)
CODE = "grid[0][1] = get('https://a.example'); C:/ root@a.example <http://b.example> www.c.example"

# Every address of another machine that was ever in the page, however short.
WITNESS = """
window.seen = [];
const look = (node) => {
  if (!(node instanceof Element)) return;
  for (const one of [node, ...node.querySelectorAll("[href], [src]")]) {
    const address = one.getAttribute("href") ?? one.getAttribute("src");
    if (address && one.closest(".message-content") &&
        new URL(address, location.href).origin !== location.origin) window.seen.push(one.outerHTML);
  }
};
new MutationObserver((changes) => changes.forEach((change) => {
  look(change.target);
  change.addedNodes.forEach(look);
})).observe(document, { childList: true, subtree: true, attributes: true });
"""
LIVE = """() => [...document.querySelectorAll('a[href], area[href], img[src]')].filter((link) =>
  link.closest('.step') &&
  new URL(link.href ?? link.src, location.href).origin !== location.origin
).map((link) => link.outerHTML)"""


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with saying_server(tmp_path_factory.mktemp("links")) as server:
        yield server


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, chat: Server) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=chat.url)
    yield context.new_page()
    context.close()


def without_guard(page: Page) -> None:
    """Take the page's guard away, so that the server's breaking alone is seen."""
    page.route("**/public/xnai.js*", lambda route: route.abort())
    page.add_init_script(WITNESS)


def visit(page: Page, chat: Server) -> None:
    page.goto(chat.url)
    expect(page.locator("#upload-button")).to_be_enabled(timeout=20_000)


def ask(page: Page, answer: str) -> None:
    """Have the model say something, and wait until it is said."""
    Endpoint.answers.append(answer)
    before = page.locator(".ai-message").count()
    page.locator("#chat-input").click()
    page.keyboard.insert_text(f"Say answer number {len(Endpoint.answers) - 1}.")
    page.locator("#chat-submit").click()
    page.wait_for_function(
        "(count) => document.querySelectorAll('.ai-message').length > count", arg=before
    )
    expect(page.locator("#stop-button")).to_have_count(0, timeout=20_000)


@pytest.mark.needs("chromium")
def test_no_hostile_answer_has_a_link_by_the_servers_work_alone(page: Page, chat: Server):
    without_guard(page)
    visit(page, chat)
    for answer in (*HOSTILE, f"Use `{CODE}`:\n\n```\n{CODE}\n```", "\n\n".join(HOSTILE)):
        ask(page, answer)

    assert page.evaluate(LIVE) == []
    assert page.evaluate("window.seen") == []
    shown = page.locator(".message-content").all_inner_texts()
    assert sum("evil.example" in text.lower() for text in shown) >= len(HOSTILE)
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SHOTS / "links.png"))


@pytest.mark.needs("chromium")
def test_no_fragments_of_markdown_make_a_link(page: Page, chat: Server):
    chance = random.Random(15)
    without_guard(page)
    visit(page, chat)
    for _ in range(40):
        ask(page, "x" + "".join(chance.choices(FRAGMENTS, k=chance.randint(20, 90))))

    assert page.evaluate(LIVE) == []
    assert page.evaluate("window.seen") == []


@pytest.mark.needs("chromium")
def test_the_guard_alone_takes_a_link_before_it_can_be_pressed(page: Page, chat: Server):
    visit(page, chat)
    ask(page, "Hello.")

    links = page.evaluate(
        """async () => {
          const answer = document.querySelector(".ai-message .message-content");
          const made = {};
          for (const href of ["http://evil.example", "//evil.example", "mailto:root@evil.example",
              "javascript:alert(1)", "data:text/html,x", "http://[", "#", "/v1/files/a/content"]) {
            const link = document.createElement("a");
            const box = document.createElement("p");
            link.href = href;
            link.textContent = href;
            box.append(link);
            answer.append(box);
            await null;  // what the observer was told it has done by now
            made[href] = link.hasAttribute("href");
          }
          const late = document.createElement("a");
          answer.append(late);
          late.setAttribute("href", "/here");
          await null;
          late.setAttribute("href", "https://evil.example");
          await null;
          made.late = late.hasAttribute("href");
          const header = document.createElement("a");
          header.href = "https://manual.example";
          document.querySelector("#header").append(header);
          await null;
          made.header = header.hasAttribute("href");
          return made;
        }"""
    )

    kept = {href for href, live in links.items() if live}
    assert kept == {"#", "/v1/files/a/content", "header"}


@pytest.mark.needs("chromium")
def test_copies_are_what_the_model_wrote_and_code_is_so_on_the_page(page: Page, chat: Server):
    visit(page, chat)
    said = f"See https://a.example [1] and `{CODE}`:\n\n```py\n{CODE}\n```"
    ask(page, said)
    answer = page.locator(".ai-message").last

    assert answer.locator("p code, [role=article] code").first.inner_text() == CODE
    assert answer.locator("pre").last.inner_text().strip().endswith(CODE)
    buttons = answer.locator("button:has(svg.lucide-copy)")
    copies = []
    for number in range(buttons.count()):
        buttons.nth(number).click()
        page.wait_for_timeout(150)
        copies.append(page.evaluate("navigator.clipboard.readText()").strip())
    assert CODE in copies
    assert said in copies

    answer.locator("[role=article]").first.evaluate(
        "(node) => { const range = document.createRange(); range.selectNodeContents(node);"
        "const all = getSelection(); all.removeAllRanges(); all.addRange(range); }"
    )
    page.keyboard.press("Control+c")
    assert page.evaluate("navigator.clipboard.readText()").startswith("See https://a.example [1]")


@pytest.mark.needs("chromium")
def test_citations_open_and_code_with_their_mark_stays_code(page: Page, chat: Server):
    visit(page, chat)
    story = "The lamp was replaced in October 1987, see https://evil.example/&lt;b&gt;.\n"
    page.locator("#upload-button-input").set_input_files(
        {"name": "www.evil.example.txt", "mimeType": "text/plain", "buffer": story.encode()}
    )
    expect(page.get_by_text("www.evil.example.txt").first).to_be_visible()
    said = "The lamp was replaced in October 1987. [1]\n\n```\nx = grid[0][1]\n```"
    Endpoint.answers.append(said)
    page.locator("#chat-input").click()
    page.keyboard.insert_text(
        f"When was the lamp replaced? Give answer number {len(Endpoint.answers) - 1}."
    )
    page.locator("#chat-submit").click()
    expect(page.get_by_text("Sources", exact=True)).to_be_visible(timeout=30_000)
    expect(page.locator("#stop-button")).to_have_count(0, timeout=20_000)

    answer = page.locator(".ai-message").last
    assert page.evaluate(LIVE) == []
    assert "&lt;b&gt;" in answer.inner_text()
    assert answer.locator("code").last.inner_text().strip() == "x = grid[0][1]"
    page.screenshot(path=str(SHOTS / "links-citations.png"))
    answer.locator("a[href^='/reader/']").first.click()
    expect(page.locator("#xnai-reader mark")).to_contain_text("1987", timeout=20_000)
