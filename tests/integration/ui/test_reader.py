"""The page that shows a document, over HTTP: its access, its words, and what hostile files do."""

import pytest
from api_server import program
from shown_pages import FIRST, KEYS, SECOND, Shown, read, reading


async def test_a_text_is_shown_with_the_passage_marked(tmp_path):
    runtime = program(tmp_path)
    text = "Größe: 330 m.\n\nThe tower 🗼 is <b>tall</b> & old."
    start = text.index("tower")
    async with reading(runtime) as http:
        file_id = await read(http, runtime, text)
        answer = await http.get(f"/reader/{file_id}?page=0&start={start}&end={start + 7}")
    shown = Shown(answer.text)
    assert answer.status_code == 200
    assert shown.marked == "tower 🗼"
    assert text in shown.words
    assert shown.of("a", href=f"/v1/files/{file_id}/content")


async def test_what_lies_over_a_page_is_told_in_shares_of_it(tmp_path):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "x", "a.pdf", media_type="application/pdf")
        answer = await http.get(f"/reader/{file_id}/layer?page=3&start=4&end=9")
        wrong = await http.get(f"/reader/{file_id}/layer?page=0")
        gone = await http.get(f"/reader/{'0' * 32}/layer?page=1")
    assert answer.json() == {
        "marks": [[0.01, 0.02, 0.03, 0.04]],
        "words": [["3-4-9", 0, 0, 0.5, 1.0]],
    }
    assert (wrong.status_code, gone.status_code) == (400, 404)


async def test_a_pdf_has_the_tools_of_the_reader_and_a_text_has_none(tmp_path):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        text = await read(http, runtime, "text")
        drawn = await read(http, runtime, "x", "a.pdf", media_type="application/pdf")
        shown, plain = [Shown((await http.get(f"/reader/{one}")).text) for one in (drawn, text)]
    (viewer,) = shown.of("div", **{"class": "xnai-viewer"})
    assert (viewer["data-kind"], viewer["data-id"]) == ("pdf", drawn)
    (tools,) = shown.of("div", role="toolbar")
    assert "hidden" in tools  # until there is a script that they can ask
    assert plain.of("div", **{"class": "xnai-viewer"}) == []


async def test_the_page_may_run_nothing_but_its_modules_and_is_kept_nowhere(tmp_path):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "text")
        pages = [await http.get(f"/reader/{name}") for name in (file_id, "gone")]
        theme = await http.get("/pages/theme.css")
    for answer in pages:
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'; script-src 'self';" in policy
        assert answer.headers["cache-control"] == "private, no-store"
        shown = Shown(answer.text)
        assert all(attributes.get("src") for attributes in shown.of("script"))
        assert not any(name.startswith("on") for _, one in shown.tags for name in one)
        assert not any("style" in one for _, one in shown.tags)
    assert "--background:" in theme.text
    assert theme.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize(
    ("query", "marks"), [("page=2&start=4&end=9", True), ("page=3&start=4&end=9&cited=2", False)]
)
async def test_a_page_of_a_pdf_is_a_picture_with_its_words_below(tmp_path, query, marks):
    runtime = program(tmp_path)
    changes = {"media_type": "application/pdf", "page_count": 3}
    runtime.library.page_text = every_page
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "x", "a.pdf", **changes)
        shown = Shown((await http.get(f"/reader/{file_id}?{query}")).text)
    (picture,) = shown.of("img")
    assert picture["src"].startswith(f"/v1/files/{file_id}/pages/{query[5]}.png?")
    assert picture["alt"] == f"Page {query[5]} of a.pdf"
    assert ("start=4&end=9" in picture["src"]) == marks
    assert bool(shown.marked) == marks
    assert f"Page {query[5]} of 3" in shown.words
    before, after = shown.of("a", rel="prev"), shown.of("a", rel="next")
    assert before[0]["href"].startswith(f"/reader/{file_id}?page={int(query[5]) - 1}&")
    assert bool(after) == (query[5] == "2")
    assert bool(shown.of("a", **{"class": "xnai-back"})) == (not marks)


async def every_page(_id: str, number: int | None) -> str:
    return f"Words of page {number}."


async def test_a_long_text_is_turned_over_part_by_part(tmp_path):
    runtime = program(tmp_path)
    text = "".join(f"Line {number} of a long text.\n" for number in range(3000))
    start = text.index("Line 2000 ")
    async with reading(runtime) as http:
        file_id = await read(http, runtime, text)
        shown = Shown((await http.get(f"/reader/{file_id}?start={start}&end={start + 9}")).text)
        (after,) = shown.of("a", rel="next")
        following = Shown((await http.get(after["href"])).text)
        (back,) = following.of("a", **{"class": "xnai-back"})
        again = Shown((await http.get(back["href"])).text)
    assert (shown.marked, following.marked, again.marked) == ("Line 2000", "", "Line 2000")
    assert "Part 5 of 7" in shown.words
    assert "Part 6 of 7" in following.words


HOSTILE = ['"><script>alert(1)</script>.txt', "a' onload='x.txt", "{{ 7 * 7 }}{% raw %}.txt"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_names_and_texts_of_files_are_words_alone(tmp_path, name):
    runtime = program(tmp_path)
    text = f"</div></main><script>alert(1)</script><img src=x onerror=alert(1)>{name}"
    async with reading(runtime) as http:
        file_id = await read(http, runtime, text)
        runtime.library.become(file_id, file_name=name)
        shown = Shown((await http.get(f"/reader/{file_id}?start=0&end=5")).text)
    assert text in shown.words
    assert name in shown.words
    assert len(shown.of("script")) == 2
    assert all(one["src"].startswith("/public/page/") for one in shown.of("script"))
    assert shown.of("img") == []
    assert len(shown.of("main")) == 1


@pytest.mark.parametrize(
    "query",
    ["page=x", "page=-1", "start=9999999999999", "end=1e3", "part=%00", "start=" + "9" * 5000],
)
async def test_numbers_that_are_none_are_refused_on_a_page(tmp_path, query):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "text")
        answer = await http.get(f"/reader/{file_id}?{query}")
    assert answer.status_code == 400
    assert "is not valid" in Shown(answer.text).words


@pytest.mark.parametrize("query", ["page=7", "page=2147483647&start=5&end=1"])
async def test_a_page_that_is_not_there_is_said_so(tmp_path, query):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "text")
        answer = await http.get(f"/reader/{file_id}?{query}")
    assert answer.status_code == 404
    assert "notes.txt has no page" in Shown(answer.text).words


@pytest.mark.parametrize(
    "query", ["", "start=900&end=950", "start=3&end=1", "part=99", "page=0&cited=5"]
)
async def test_places_outside_of_a_text_show_the_text(tmp_path, query):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "text")
        answer = await http.get(f"/reader/{file_id}?{query}")
    assert answer.status_code == 200
    assert "text" in Shown(answer.text).words


async def test_a_document_of_somebody_else_or_deleted_is_not_here(tmp_path):
    runtime = program(tmp_path, **KEYS)
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "my secret", headers=FIRST)
        own = await http.get(f"/reader/{file_id}", headers=FIRST)
        other = await http.get(f"/reader/{file_id}", headers=SECOND)
        gone = await http.get("/reader/" + "0" * 32, headers=FIRST)
        nobody = await http.get(f"/reader/{file_id}")
    assert "my secret" in own.text
    assert other.text == gone.text
    assert (other.status_code, nobody.status_code) == (404, 401)
    assert "It was deleted, or it belongs to somebody else." in Shown(other.text).words
    (sign_in,) = Shown(nobody.text).of("a")
    assert sign_in["href"].startswith(f"/login?next=/reader/{file_id}")
    assert "secret" not in other.text + nobody.text


async def test_whoever_is_signed_in_to_the_page_reads_their_own(tmp_path):
    runtime = program(tmp_path, **KEYS)
    person = runtime.people.of_key("second-key-of-test")
    async with reading(runtime, person) as http:
        own = await read(http, runtime, "mine", headers=SECOND)
        other = await read(http, runtime, "secret", headers=FIRST)
        answers = [await http.get(f"/reader/{one}") for one in (own, other)]
    assert [answer.status_code for answer in answers] == [200, 404]


async def test_a_document_that_is_still_read_says_so(tmp_path):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        file_id = await read(http, runtime, "text", status="processing")
        answer = await http.get(f"/reader/{file_id}")
    assert answer.status_code >= 400
    assert "notes.txt" in Shown(answer.text).words
