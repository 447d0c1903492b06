import gzip
import os
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from xnai.ui.chainlit.static import StaticFiles

SCRIPT = "let words = 'many words';\n" * 100


@pytest.fixture
async def client(tmp_path: Path):
    folder = tmp_path / "public"
    (folder / "sub").mkdir(parents=True)
    (folder / "page.js").write_text(SCRIPT)
    (folder / "sub" / "dot.png").write_bytes(b"\x89PNG" * 300)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    app, router = FastAPI(), APIRouter()
    files = StaticFiles(folder, "no-cache")
    router.add_api_route("/public/{filename:path}", files.serve)
    app.include_router(router)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        opened.folder = folder
        yield opened


async def test_a_script_comes_compressed_with_its_type_and_tag(client):
    answer = await client.get("/public/page.js")
    assert answer.text == SCRIPT
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "javascript" in answer.headers["Content-Type"]
    assert int(answer.headers["Content-Length"]) == len(gzip.compress(SCRIPT.encode(), 6))


async def test_a_client_that_cannot_decompress_gets_the_file_itself(client):
    answer = await client.get("/public/page.js", headers={"Accept-Encoding": "identity"})
    assert answer.text == SCRIPT
    assert answer.headers["Content-Encoding"] == "identity"


async def test_what_a_browser_has_already_is_not_sent_again(client):
    tag = (await client.get("/public/page.js")).headers["ETag"]
    again = await client.get("/public/page.js", headers={"If-None-Match": tag})
    assert again.status_code == httpx.codes.NOT_MODIFIED
    assert again.content == b""


async def test_a_file_that_changed_is_read_again(client):
    await client.get("/public/page.js")
    path = client.folder / "page.js"
    path.write_text("new")
    os.utime(path, ns=(1, 1))
    assert (await client.get("/public/page.js")).text == "new"


async def test_a_picture_is_not_compressed_twice(client):
    answer = await client.get("/public/sub/dot.png")
    assert answer.headers["Content-Encoding"] == "identity"
    assert answer.headers["Content-Type"] == "image/png"


async def test_a_part_of_a_file_is_given(client):
    answer = await client.get("/public/page.js", headers={"Range": "bytes=0-2"})
    assert answer.status_code == httpx.codes.PARTIAL_CONTENT
    assert answer.text == "let"


@pytest.mark.parametrize(
    "name",
    ["missing.js", "..%2Fsecret.txt", "out.txt", "sub", "", "%00", "x" * 5000, "%2Fetc%2Fpasswd"],
)
async def test_nothing_outside_the_folder_is_served(client, name):
    answer = await client.get(f"/public/{name}")
    assert answer.status_code == httpx.codes.NOT_FOUND
    assert "secret" not in answer.text
