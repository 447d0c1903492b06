"""The page of all documents, over HTTP: whose they are, what it says of them, what it does."""

from dataclasses import replace

import pytest
from api_server import program
from shown_pages import FIRST, KEYS, SECOND, Shown, read, reading

from xnai.types import ReadingReport


def names(shown: Shown) -> list[str | None]:
    return [row["data-name"] for row in shown.of("li") if "data-name" in row]


async def test_the_newest_stand_first_with_their_state_and_how_they_were_read(tmp_path):
    runtime = program(tmp_path)
    report = ReadingReport(pages_read=3, pages_ocr=1, tables=2, hidden=("sheet Costs",))
    async with reading(runtime) as http:
        await read(http, runtime, "one", "one.txt", page_count=3, chunk_count=7, report=report)
        await read(http, runtime, "two", "two.txt", status="error", error_message="It is broken.")
        await read(http, runtime, "three", "three.txt", status="uploaded")
        shown = Shown((await http.get("/documents")).text)
    assert names(shown) == ["three.txt", "two.txt", "one.txt"]
    for words in (
        "3 pages, 7 passages",
        "It is broken.",
        "Waits for its turn",
        "3 pages were read",
        "1 page was a picture and was recognised",
        "2 tables",
        "Hidden where it was made: sheet Costs",
        "Brought by a program",
    ):
        assert words in shown.words
    assert len(shown.of("button", **{"data-do": "again"})) == 1
    assert any("data-reading" in one for one in shown.of("section"))


async def test_only_what_can_be_read_is_linked(tmp_path):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        read_one = await read(http, runtime, "one", "one.txt")
        await read(http, runtime, "two", "two.txt", status="error", error_message="Broken.")
        shown = Shown((await http.get("/documents")).text)
    assert [a["href"] for a in shown.of("a") if a["href"].startswith("/reader/")] == [
        f"/reader/{read_one}"
    ]


async def test_names_are_found_and_words_in_the_documents_too(tmp_path):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        lamp = await read(http, runtime, "x", "Lamp.txt")
        await read(http, runtime, "x", "gate.txt")
        shown = Shown((await http.get("/documents?q=lamp")).text)
        nothing = Shown((await http.get("/documents?q=<b>zzz")).text)
    assert names(shown) == ["Lamp.txt"]
    assert "Places in your documents" in shown.words
    assert f"/reader/{lamp}?page=1&start=0&end=12" in [a["href"] for a in shown.of("a")]
    assert names(nothing) == []
    assert nothing.of("b") == []


async def test_the_documents_of_a_chat_are_those_of_its_collection(tmp_path):
    runtime = program(tmp_path)
    chat = "00000000-0000-4000-8000-000000000001"
    async with reading(runtime) as http:
        await read(http, runtime, "x", "in.txt", collection=f"thread:{chat}")
        await read(http, runtime, "x", "out.txt")
        shown = Shown((await http.get(f"/documents?chat={chat}")).text)
        other = Shown((await http.get("/documents?chat=nowhere")).text)
    assert names(shown) == ["in.txt"]
    assert names(other) == []
    assert "No documents in this chat yet" in other.words


async def test_a_hundred_stand_on_a_page(tmp_path):
    runtime = program(tmp_path)
    async with reading(runtime) as http:
        first = await read(http, runtime, "x", "0.txt")
        known = runtime.library.records[first]
        for number in range(1, 150):
            copy = replace(known, id=f"{number:032x}", file_name=f"{number}.txt")
            runtime.library.records[copy.id] = copy
        pages = [Shown((await http.get(f"/documents?page={n}")).text) for n in (1, 2, 9)]
    assert [len(names(page)) for page in pages] == [100, 50, 50]
    assert names(pages[0])[0] == "149.txt"
    assert pages[0].of("a", rel="next")[0]["href"] == "/documents?page=2"


async def test_ones_own_is_deleted_and_read_again_and_nobody_elses(tmp_path):
    runtime = program(tmp_path, **KEYS)
    person = runtime.people.of_key("second-key-of-test")
    async with reading(runtime, person) as http:
        own = await read(http, runtime, "mine", headers=SECOND, status="error")
        other = await read(http, runtime, "secret", "secret.txt", headers=FIRST)
        page = await http.get("/documents")
        told = [
            (await http.request(method, f"/documents/{one}{path}")).status_code
            for one in (other, own)
            for method, path in (("POST", "/again"), ("DELETE", ""))
        ]
    assert names(Shown(page.text)) == ["notes.txt"]
    assert "secret" not in page.text
    assert told == [404, 404, 202, 204]
    assert runtime.library.ingested[-1] == own
    assert list(runtime.library.records) == [other]


async def test_who_is_not_signed_in_is_asked_to(tmp_path):
    runtime = program(tmp_path, **KEYS)
    async with reading(runtime) as http:
        page = await http.get("/documents")
        delete = await http.delete("/documents/x")
    assert (page.status_code, page.headers["location"]) == (303, "/login?next=/documents")
    assert delete.status_code == 401


@pytest.mark.parametrize("query", ["page=0", "page=x"])
async def test_a_page_that_is_no_number_is_refused(tmp_path, query):
    async with reading(program(tmp_path)) as http:
        answer = await http.get(f"/documents?{query}")
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("headers", "size", "said"),
    [
        ({}, 10, "x-xnai-name is missing"),
        ({"x-xnai-name": "%E2%82%AC.txt"}, 1_100_000, "€.txt"),
    ],
)
async def test_a_file_that_is_not_taken_into_a_library_is_named(tmp_path, headers, size, said):
    runtime = program(tmp_path, upload_max_mb=1)
    async with reading(runtime) as http:
        own = (await http.get("/documents")).text.split('data-library="')[1].split('"')[0]
        answer = await http.post(f"/libraries/{own}/files", headers=headers, content=bytes(size))
    assert answer.status_code in {400, 413, 422}
    assert said in Shown(answer.text).words
    assert "It was not added" in Shown(answer.text).words
