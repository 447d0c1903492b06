import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
from api_server import MEGABYTE, client, program, serving
from documents_library import GatedEmbedder, followed, opened

from rig.pdf_files import pdf
from rig.waiting import PATIENCE, eventually, stays
from xnai.accounts import Principal
from xnai.documents.library import Library
from xnai.types import Document

KEYS = {"api_keys": "first-key-of-test,second-key-of-test"}
FIRST = {"Authorization": "Bearer first-key-of-test"}
SECOND = {"Authorization": "Bearer second-key-of-test"}


async def upload(http, name="notes.txt", content=b"The tower is 330 m tall.", **options):
    response = await http.post("/v1/files", files={"file": (name, content)}, **options)
    assert response.status_code == 200, response.text
    return response.json()["id"]


async def test_the_openai_client_uploads_lists_reads_and_deletes_a_file(tmp_path):
    runtime = program(tmp_path)
    async with (
        serving(runtime) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none") as api,
    ):
        made = await api.files.create(file=("a.txt", b"text"), purpose="assistants")
        assert (
            made.object,
            made.filename,
            made.bytes,
            made.status,
        ) == ("file", "a.txt", 4, "uploaded")
        runtime.library.become(made.id, status="processed")
        assert (await api.files.retrieve(made.id)).status == "processed"
        assert [made.id] == [file.id async for file in api.files.list()]
        assert (await api.files.content(made.id)).content == b"text"
        assert (await api.files.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await api.files.retrieve(made.id)
    assert [made.id] == runtime.library.ingested


async def test_a_failed_document_says_why(tmp_path):
    runtime = program(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        file_id = await upload(http)
        runtime.library.become(
            file_id, status="error", error_code="file_no_text", error_message="No text."
        )
        body = (await http.get(f"/v1/files/{file_id}")).json()
    assert (
        body["status"],
        body["status_details"],
        body["error"]["code"],
    ) == ("error", "No text.", "file_no_text")


async def test_the_list_is_paged(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        ids = [await upload(http) for _ in range(3)]
        first = (await http.get("/v1/files", params={"limit": 2})).json()
        rest = (await http.get("/v1/files", params={"after": first["last_id"]})).json()
        bad = await http.get("/v1/files", params={"limit": "9" * 5000})
    assert (ids[:2], True) == ([f["id"] for f in first["data"]], first["has_more"])
    assert (ids[2:], False) == ([f["id"] for f in rest["data"]], rest["has_more"])
    assert bad.status_code == 400


HOSTILE_NAMES = ["../../etc/passwd", "a\u202efdp.exe", "n" * 300 + ".txt", "день 1.txt", 'a"b.txt']


@pytest.mark.parametrize("name", HOSTILE_NAMES)
async def test_any_file_name_arrives_whole_and_leaves_as_an_attachment(tmp_path, name):
    async with serving(program(tmp_path)) as url, client(url) as http:
        file_id = await upload(http, name)
        shown = (await http.get(f"/v1/files/{file_id}")).json()["filename"]
        response = await http.get(f"/v1/files/{file_id}/content")
    assert name.replace('"', "%22") == shown
    assert response.headers["Content-Disposition"].startswith("attachment; filename")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]


BOUNDARY = {"Content-Type": "multipart/form-data; boundary=X"}
PART = b'--X\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({"Content-Type": "text/plain"}, b"text", "not multipart/form-data"),
        ({"Content-Type": "multipart/form-data"}, b"text", "not multipart/form-data"),
        (BOUNDARY, b"", "no part named 'file'"),
        (BOUNDARY, b"garbage", "malformed"),
        (BOUNDARY, PART % (b"other", b"", b"x") + b"--X--\r\n", "no part named 'file'"),
        (BOUNDARY, PART % (b"file", b"", b"x") + b"--X--\r\n", "has no file name"),
        (BOUNDARY, PART % (b"doc", b'; filename="a"', b"x") + b"--X--\r\n", "another part"),
        (BOUNDARY, PART % (b"file", b'; filename="a"', b"x"), "ended"),
        (BOUNDARY, 2 * (PART % (b"file", b'; filename="a"', b"x")) + b"--X--\r\n", "More than"),
        (BOUNDARY, PART % (b"note", b"", b"x" * 2000) + b"--X--\r\n", "longer than 1024"),
        (BOUNDARY, PART % (b"purpose", b"", b"batch"), "no part named 'file'"),
    ],
)
async def test_a_malformed_upload_is_refused_with_the_reason_and_leaves_nothing(
    tmp_path, headers, body, said
):
    runtime = program(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        response = await http.post("/v1/files", headers=headers, content=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")
    assert said in response.json()["error"]["message"]
    assert runtime.library.records == {}


async def test_a_purpose_that_is_not_served_is_refused_by_name(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.post(
            "/v1/files", files={"file": ("a", b"x")}, data={"purpose": "batch"}
        )
    assert "'batch'" in response.json()["error"]["message"]


async def test_an_upload_that_is_declared_too_large_is_refused_before_it_is_sent(tmp_path):
    runtime = program(tmp_path)
    head = (
        b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n"
        b"Content-Type: multipart/form-data; boundary=X\r\n\r\n"
        + PART
        % (b"file", b'; filename="big.pdf"', b"")
    )
    async with serving(runtime) as url, asyncio.timeout(PATIENCE):
        status, answer = await raw(url, head)
    assert b"HTTP/1.1 413" in status
    assert b"file_too_large" in answer
    assert b"big.pdf" in answer
    assert runtime.library.received == 0


async def test_an_upload_of_unknown_length_is_refused_as_soon_as_it_passes_the_limit(tmp_path):
    runtime = program(tmp_path)
    part = PART[:-2] % (b"file", b'; filename="endless.txt"', b"")
    head = (
        b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: multipart/form-data; boundary=X\r\n\r\n%x\r\n%b\r\n" % (len(part), part)
    )
    async with serving(runtime) as url, asyncio.timeout(10):
        status, answer = await raw(url, head, b"10000\r\n" + b"x" * 65536 + b"\r\n")
    assert b"HTTP/1.1 413" in status
    assert b"file_too_large" in answer
    assert runtime.library.received < 2 * MEGABYTE
    assert runtime.library.records == {}


async def test_a_client_that_sends_everything_before_it_reads_gets_the_refusal_too(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        response = await http.post("/v1/files", files={"file": ("big.txt", b"x" * 20 * MEGABYTE)})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "file_too_large")
    assert "big.txt" in response.json()["error"]["message"]


async def raw(url, head, repeated=b""):
    """Send bytes, some of them again and again, and read the answer to an unfinished request."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    async def send() -> None:
        writer.write(head)
        while repeated:
            writer.write(repeated)
            await writer.drain()

    sending = asyncio.create_task(send())
    status = await reader.readuntil(b"\r\n\r\n")
    length = int(status.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    sending.cancel()
    writer.transport.abort()
    return status, body


async def test_an_aborted_upload_leaves_nothing(tmp_path):
    runtime = program(tmp_path)
    head = (
        b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
        b"Content-Type: multipart/form-data; boundary=X\r\n\r\n"
    )
    async with serving(runtime) as url, asyncio.timeout(PATIENCE):
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(head + PART[:-2] % (b"file", b'; filename="a.txt"', b"half"))
        await eventually(lambda: runtime.library.received)
        writer.transport.abort()
        await stays(lambda: (runtime.library.records, runtime.library.ingested) == ({}, []))


KNOWN = PART % (b"file", b'; filename="again.txt"', b"The tower is 330 m tall.")


@pytest.fixture
async def real(tmp_path):
    """The interface over a real library, which has one document."""
    async with opened(tmp_path / "data", GatedEmbedder(tmp_path)) as (library, _):
        runtime = program(tmp_path)
        runtime.library = library
        async with serving(runtime) as url, client(url) as http:
            await followed(library, await upload(http))
            yield library, http


async def test_a_file_says_how_far_its_reading_is(tmp_path):
    embedder = GatedEmbedder(tmp_path)
    async with opened(tmp_path / "data", embedder) as (library, _):
        runtime = program(tmp_path)
        runtime.library = library
        async with serving(runtime) as url, client(url) as http:
            embedder.gate.clear()
            file_id = await upload(http, "tea.pdf", pdf([["Tea is grown in Assam."] * 30] * 40))
            await embedder.reached.wait()
            first = (await http.get(f"/v1/files/{file_id}")).json()
            listed = (await http.get("/v1/files")).json()["data"]
            embedder.gate.set()
            await followed(library, file_id)
            last = (await http.get(f"/v1/files/{file_id}")).json()

    assert (first["status"], first["page_count"]) == ("processing", 40)
    assert 0 < first["progress"] < 1
    assert first["status_details"].startswith(("Reading: ", "Splitting: "))
    assert (listed[0]["progress"] > 0, listed[0]["page_count"]) == (True, 40)
    assert (last["status"], last["progress"], last["eta_seconds"]) == ("processed", 1.0, 0)


async def mine(library: Library) -> list[Document]:
    """The documents of the one person who has any."""
    owners = {document.owner for document in await library._index.documents()}
    return [document for owner in owners for document in await library.documents(owner)]


@pytest.mark.parametrize(
    "rest", [b"", KNOWN.removeprefix(b"--X\r\n") + b"--X--\r\n"], ids=["cut off", "second file"]
)
async def test_a_known_document_outlives_an_upload_of_it_that_ends_badly(real, rest):
    library, http = real

    async def packets() -> AsyncIterator[bytes]:
        yield KNOWN + b"--X\r\n"
        await asyncio.sleep(0.3)  # so that the whole file is read before what follows it
        yield rest

    response = await http.post("/v1/files", headers=BOUNDARY, content=packets())

    assert response.status_code == 400
    assert ["notes.txt"] == [document.file_name for document in await mine(library)]


async def test_a_known_document_outlives_a_client_that_drops_while_it_is_sent_again(real):
    library, http = real
    head = (
        b"POST /v1/files HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
        b"Content-Type: multipart/form-data; boundary=X\r\n\r\n"
    )
    _, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(head + KNOWN + b"--X\r\n")
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.transport.abort()
    await asyncio.sleep(0.3)

    assert ["notes.txt"] == [document.file_name for document in await mine(library)]


async def contents_after(library, http, content, **fields):
    """The contents of the documents once another notes.txt has been read."""
    file_id = await upload(http, content=content, data=fields)
    await followed(library, file_id)
    return {library.original(d).read_bytes()[:9] for d in await mine(library)}


async def test_a_file_of_the_same_name_replaces_the_former_ones_only_if_the_request_says_so(real):
    library, http = real

    assert await contents_after(library, http, b"The lamp.") == {b"The tower", b"The lamp."}
    assert len(await contents_after(library, http, b"The sea..", replace="false")) == 3
    assert await contents_after(library, http, b"The bread", replace="true") == {b"The bread"}


async def test_known_content_is_there_under_the_name_that_is_to_be_replaced(real):
    library, http = real
    (known,) = await mine(library)
    content = library.original(known).read_bytes()

    renamed = await http.post(
        "/v1/files", data={"replace": "true"}, files={"file": ("other.txt", content)}
    )
    again = await http.post(
        "/v1/files", data={"replace": "true"}, files={"file": ("notes.txt", content)}
    )

    assert renamed.json()["filename"] == "other.txt"
    assert again.json()["id"] == known.id


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (PART % (b"replace", b"", b"yes"), b"", "replace='yes' is not valid"),
        (b"", PART % (b"replace", b"", b"true"), "comes after the file"),
    ],
)
async def test_a_wish_to_replace_that_cannot_be_heeded_is_refused(real, before, after, said):
    library, http = real
    file = PART % (b"file", b'; filename="notes.txt"', b"The lamp.")

    async def packets() -> AsyncIterator[bytes]:
        yield before + file
        await asyncio.sleep(0.3)  # the file is being kept by then
        yield after + b"--X--\r\n"

    response = await http.post("/v1/files", headers=BOUNDARY, content=packets())

    assert response.status_code == 400
    assert said in response.json()["error"]["message"]
    assert len(await mine(library)) == 1


async def test_a_key_is_needed_where_keys_are_set(tmp_path):
    async with serving(program(tmp_path, **KEYS)) as url, client(url) as http:
        answers = [
            await http.get("/v1/files"),
            await http.get("/v1/models"),
            await http.get("/metrics"),
            await http.get("/v1/files/x/content"),
            await http.post("/v1/chat/completions", content=b"{"),
            await http.get("/v1/files", headers={"Authorization": "Bearer wrong-key"}),
            await http.get("/v1/files", headers={"Authorization": "Basic first-key-of-test"}),
        ]
        open_to_all = [await http.get("/health/live"), await http.get("/health/ready")]
        allowed = await http.get("/v1/files", headers=FIRST)
    assert [
        (a.status_code, a.json()["error"]["code"], a.headers["WWW-Authenticate"]) for a in answers
    ] == 7 * [(401, "unauthorized", "Bearer")]
    assert [a.status_code for a in (*open_to_all, allowed)] == [200, 200, 200]


async def test_a_key_owns_what_it_brings_and_another_key_does_not_see_it(tmp_path):
    runtime = program(tmp_path, **KEYS)
    async with serving(runtime) as url, client(url) as http:
        file_id = await upload(http, headers=FIRST)
        others = [
            await http.get(f"/v1/files/{file_id}", headers=SECOND),
            await http.get(f"/v1/files/{file_id}/content", headers=SECOND),
            await http.get(f"/v1/files/{file_id}/pages/0", headers=SECOND),
            await http.delete(f"/v1/files/{file_id}", headers=SECOND),
        ]
        listed = (await http.get("/v1/files", headers=SECOND)).json()["data"]
        own = await http.get(f"/v1/files/{file_id}/content", headers=FIRST)
    assert (
        runtime.people.of_key("first-key-of-test").person_id
        == runtime.library.records[file_id].owner
    )
    assert ([a.status_code for a in others], listed) == ([404, 404, 404, 404], [])
    assert own.status_code == 200


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ({}, {}, 200),
        (KEYS, {}, 401),
        (KEYS, {"Cookie": "login=first-key-of-test"}, 200),
        (KEYS, {"Cookie": "login=second-key-of-test"}, 404),
        (
            KEYS,
            {"Cookie": "login=first-key-of-test", "Authorization": "Bearer second-key-of-test"},
            404,
        ),
        (KEYS, {"Cookie": "login=nobody"}, 401),
        (KEYS, FIRST, 200),
        (KEYS, SECOND, 404),
    ],
)
async def test_pages_of_a_chats_document_open_for_its_person_by_cookie_or_key(
    tmp_path, settings, headers, status
):
    runtime = program(tmp_path, **settings)

    def page_person(request) -> Principal | None:
        return runtime.people.of_key(request.cookies.get("login", ""))

    async def content() -> AsyncIterator[bytes]:
        yield b"The tower is 330 m tall."

    person = runtime.people.of_key("first-key-of-test") or runtime.people.local
    document = await runtime.library.add(person.person_id, "tower.pdf", content())
    runtime.library.become(
        document.id,
        collection="thread:1",
        status="processed",
        media_type="application/pdf",
        page_count=1,
    )
    base = f"/v1/files/{document.id}"
    async with (
        serving(runtime, page_person=page_person) as url,
        client(url, headers=headers) as http,
    ):
        text = await http.get(f"{base}/pages/1")
        image = await http.get(f"{base}/pages/1.png?start=4&end=9&width=640")
        original = await http.get(f"{base}/content")
        hidden = await http.get(base)
    assert [status] * 3 == [a.status_code for a in (text, image, original)]
    assert hidden.status_code == (401 if "Cookie" in headers and len(headers) == 1 else status)
    if status == 200:
        assert tuple(
            text.json()[k] for k in ("page", "page_count", "text", "media_type", "file_name")
        ) == (1, 1, "The tower is 330 m tall.", "application/pdf", "tower.pdf")
        assert (image.content, image.headers["Content-Type"]) == (b"PNG 1 4-9 640", "image/png")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("pages/0", 200),
        ("pages/2", 404),
        ("pages/x", 404),
        ("pages/-1", 404),
        ("pages/" + "9" * 5000, 404),
        ("pages/1.png", 404),  # a text has no pictures
        ("pages/1.png?width=99999", 400),
        ("pages/1.png?start=-5", 400),
    ],
)
async def test_page_numbers_and_offsets_are_checked(tmp_path, path, status):
    runtime = program(tmp_path)
    async with serving(runtime) as url, client(url) as http:
        file_id = await upload(http)
        runtime.library.become(file_id, status="processed", page_count=1)
        assert status == (await http.get(f"/v1/files/{file_id}/{path}")).status_code


async def test_a_page_of_a_document_still_being_read_is_busy(tmp_path):
    async with serving(program(tmp_path)) as url, client(url) as http:
        file_id = await upload(http)
        response = await http.get(f"/v1/files/{file_id}/pages/1")
    assert (response.status_code, response.headers["Retry-After"]) == (409, "2")
