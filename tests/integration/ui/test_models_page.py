"""The page of the models over HTTP: what it shows, who may press its buttons, and what they do."""

from pathlib import Path

import pytest
from api_server import program
from shown_pages import FIRST, KEYS, SECOND, Shown, reading

from xnai.llm.remote.endpoint import Endpoint
from xnai.models.catalogue import shipped
from xnai.ui.pages.model_words import NOTES

BUNDLED = "SmolLM2-135M-Instruct"
KNOWN = "qwen2.5-coder-0.5b-instruct-q4_k_m"
HUB_ONLY = "qwen2.5-1.5b-instruct-q4_k_m"


def row(shown: Shown, name: str) -> bool:
    return any(one.get("data-id") == name for one in shown.of("li"))


def buttons(shown: Shown, what: str) -> int:
    return len(shown.of("button", **{"data-do": what}))


def test_the_notes_of_the_catalogue_are_translated():
    assert set(NOTES) == {one.note for one in shipped().models if one.note}


async def test_it_shows_what_lies_here_and_what_can_be_fetched_and_from_where(tmp_path: Path):
    runtime = program(tmp_path, models_dir=tmp_path / "models")
    async with reading(runtime) as http:
        shown = Shown((await http.get("/models")).text)
    assert row(shown, BUNDLED)
    assert row(shown, KNOWN)
    for words in (
        "491 MB, 0.63 billion weights, Apache-2.0",
        "491 MB come from huggingface.co (Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF).",
        "If it does not answer, they come from the package registry that pip asks here.",
        "It learns the address of this machine and which file is fetched, nothing of yours.",
        "Nobody has looked at answers of it here yet.",
    ):
        assert words in shown.words, words


async def test_with_the_hub_off_only_packages_are_offered(tmp_path: Path):
    runtime = program(tmp_path, hub="off", models_dir=tmp_path / "models")
    async with reading(runtime) as http:
        shown = Shown((await http.get("/models")).text)
        refused = await http.post(f"/models/{HUB_ONLY}/get")
    assert "huggingface.co" not in shown.words
    assert "491 MB come from the package registry that pip asks here." in shown.words
    assert refused.status_code == 400
    assert "is to be had from a hub alone, and XNAI_HUB is off." in Shown(refused.text).words
    assert runtime.models.begun == ""


async def test_a_download_is_begun_shown_and_paused(tmp_path: Path):
    runtime = program(tmp_path, models_dir=tmp_path / "models")
    async with reading(runtime) as http:
        assert (await http.post(f"/models/{KNOWN}/get")).status_code == 200
        assert runtime.models.begun == KNOWN
        runtime.models.told = {
            "state": "fetching",
            "name": KNOWN,
            "done": 123_000_000,
            "total": 491_400_064,
            "rate": 2e6,
            "eta_seconds": 184.0,
        }
        shown = Shown((await http.get("/models")).text)
        again = await http.post(f"/models/{HUB_ONLY}/get")
        await http.post(f"/models/{HUB_ONLY}/pause")
        assert runtime.models.begun == KNOWN
        await http.post(f"/models/{KNOWN}/pause")
    assert "123 of 491 MB, 2.0 MB a second, about 3 min left" in shown.words
    assert [bar["value"] for bar in shown.of("progress")] == ["25"]
    assert buttons(shown, "pause") == 1
    assert any("data-reading" in one for one in shown.of("section"))
    assert f"{KNOWN} is being fetched." in Shown(again.text).words
    assert runtime.models.begun == ""


async def test_what_was_paused_says_what_is_kept_and_goes_on(tmp_path: Path):
    runtime = program(tmp_path, models_dir=tmp_path / "models")
    runtime.models.told = {
        "state": "stopped",
        "name": KNOWN,
        "done": 123_000_000,
        "total": 491_400_064,
        "rate": 2e6,
        "eta_seconds": 184.0,
    }
    async with reading(runtime) as http:
        shown = Shown((await http.get("/models")).text)
    assert "Paused: 123 of 491 MB are kept." in shown.words
    assert "Go on" in shown.words


async def test_a_model_of_the_folder_is_deleted_and_one_in_use_is_not(tmp_path: Path):
    runtime = program(tmp_path, models_dir=tmp_path / "models")
    entry = shipped().get(KNOWN)
    path = entry.path(tmp_path / "models")
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(entry.size)  # a hole, as large as it is
    async with reading(runtime) as http:
        used = await http.delete(f"/models/{runtime.model.status.name}")
        gone = await http.delete(f"/models/{KNOWN}")
    assert used.status_code == 400
    assert "is in use" in Shown(used.text).words
    assert gone.status_code == 200
    assert not path.exists()


@pytest.mark.parametrize("what", ["get", "pause", "use", ""])
async def test_only_the_first_key_changes_what_everybody_uses(tmp_path: Path, what: str):
    runtime = program(tmp_path, models_dir=tmp_path / "models", **KEYS)
    path = f"/models/{KNOWN}/{what}" if what else f"/models/{KNOWN}"
    async with reading(runtime) as http:
        method = "POST" if what else "DELETE"
        second = await http.request(method, path, headers=SECOND)
        page = Shown((await http.get("/models", headers=SECOND)).text)
        first = Shown((await http.get("/models", headers=FIRST)).text)
        stranger = await http.get("/models")
    assert second.status_code == 403
    assert (
        "This key may not change what everybody on this server shares" in Shown(second.text).words
    )
    assert not page.of("button")
    assert "Which of them is used is decided by who runs this server." in page.words
    assert buttons(first, "get") > 0
    assert stranger.status_code == 303
    assert stranger.headers["location"].startswith("/login")


async def test_choosing_switches_now_and_writes_what_the_next_start_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XNAI_MODEL", raising=False)
    runtime = program(tmp_path, models_dir=tmp_path / "models")
    async with reading(runtime) as http:
        switched = await http.post("/models/large/use")  # which no file of this machine has
        unknown = await http.post("/models/unknown/use")
    assert runtime.model.used == ["large"]
    assert switched.text == (
        "large answers from now on. After the next start the former one does again."
    )
    assert unknown.status_code == 404
    assert not (tmp_path / ".env").exists()

    monkeypatch.setattr(runtime.model, "use", _anything)
    async with reading(runtime) as http:
        kept = await http.post(f"/models/{BUNDLED}/use")
        monkeypatch.setenv("XNAI_MODEL", "another")
        overridden = await http.post(f"/models/{BUNDLED}/use")
    assert kept.text == f"{BUNDLED} answers from now on."
    assert f"XNAI_MODEL='{BUNDLED}'" in (tmp_path / ".env").read_text().replace('"', "'")
    assert "XNAI_MODEL is set for this server" in overridden.text


async def _anything(_name: str) -> None:
    return


async def test_an_address_is_asked_nothing_before_it_is_confirmed_and_its_key_is_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []

    async def hear(server: Endpoint) -> None:
        asked.append(server.name)

    monkeypatch.setattr(Endpoint, "check", hear)
    form = {"url": "http://127.0.0.1:9", "key": "sk-not-to-be-shown", "model": "llama"}
    runtime = program(tmp_path, models_dir=tmp_path / "models", **KEYS)
    where = "/models/endpoint"
    async with reading(runtime) as http:
        assert (await http.post(where, data=form, headers=SECOND)).status_code == 403
        unsure = await http.post(where, data=form, headers=FIRST)
        assert (unsure.status_code, asked) == (400, [])
        assert not (tmp_path / ".env").exists()
        sure = await http.post(where, data={**form, "confirmed": "yes"}, headers=FIRST)
        assert sure.status_code == 200, sure.text
        assert asked == ["127.0.0.1:9"]
        page = (await http.get("/models", headers=FIRST)).text
        assert "Answers come from 127.0.0.1:9 after the next start" in Shown(page).words
        assert "sk-not-to-be-shown" not in page + sure.text
        assert "sk-not-to-be-shown" in (tmp_path / ".env").read_text()
        monkeypatch.setenv("XNAI_LLM_URL", "http://10.0.0.9")
        refused = await http.delete(where, headers=FIRST)
        assert refused.status_code == 400
        assert "XNAI_LLM_URL is set where this server was started" in Shown(refused.text).words
        monkeypatch.delenv("XNAI_LLM_URL")
        assert (await http.delete(where, headers=FIRST)).status_code == 200
        assert "127.0.0.1:9" not in (await http.get("/models", headers=FIRST)).text
