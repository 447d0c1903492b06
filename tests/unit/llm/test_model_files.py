"""Which model files are offered, and which are refused with which error."""

import struct
from pathlib import Path

import pytest
from gguf_files import LAMA, gguf, string
from hypothesis import given
from hypothesis import strategies as st

from xnai.errors import XnaiError
from xnai.llm.gguf import catalogue
from xnai.llm.gguf.catalogue import ModelFile, ModelFiles
from xnai.llm.gguf.header import NotGgufError, TruncatedError, read_header
from xnai.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def _files(folder: Path, **values: object) -> ModelFiles:
    return ModelFiles(
        Settings(_env_file=None, models_dir=folder, data_dir=folder.parent / "data", **values)
    )


def _code(model_files: ModelFiles, path: Path) -> str:
    with pytest.raises(XnaiError) as caught:
        model_files.check(ModelFile(path.stem, path))
    return caught.value.code


def test_a_header_is_read(folder):
    path = folder / "a.gguf"
    path.write_bytes(gguf(LAMA))
    header = read_header(path)
    assert (
        header.architecture,
        header.integer("context_length"),
        header.tensor_bytes,
    ) == ("lama", 4096, 512)


def test_a_file_that_is_whole_passes(folder):
    path = folder / "a.gguf"
    path.write_bytes(gguf(LAMA))
    assert _files(folder).check(ModelFile("a", path)).context == 4096


def test_the_context_of_the_settings_is_taken_up_to_what_the_model_knows(folder):
    path = folder / "a.gguf"
    path.write_bytes(gguf(LAMA))
    contexts = [
        _files(folder, context=size).check(ModelFile("a", path)).context for size in (100, 9999)
    ]
    assert contexts == [100, 4096]


@pytest.mark.parametrize("content", [b"", b"GG", b"<html>not found</html>", b"PK\x03\x04" * 99])
def test_a_file_that_is_no_gguf_is_refused(folder, content):
    path = folder / "a.gguf"
    path.write_bytes(content)
    assert _code(_files(folder), path) == "model_not_gguf"


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(folder, kept):
    path, data = folder / "a.gguf", gguf(LAMA)
    path.write_bytes(data[: int(len(data) * kept)])
    assert _code(_files(folder), path) == "model_truncated"


def test_a_vanished_file_is_named(folder):
    assert _code(_files(folder), folder / "gone.gguf") == "model_not_found"


def test_a_file_that_does_not_fit_in_memory_is_refused(folder, monkeypatch):
    path = folder / "a.gguf"
    path.write_bytes(gguf(LAMA))
    monkeypatch.setattr(catalogue, "available_memory", lambda: 1_000_000)
    assert _code(_files(folder), path) == "model_too_large"


def test_the_cache_counts_towards_the_memory(folder, monkeypatch):
    heads = {"lama.embedding_length": 4096, "lama.attention.head_count": 32}
    path = folder / "a.gguf"
    path.write_bytes(gguf({**LAMA, **heads}))
    monkeypatch.setattr(catalogue, "COMPUTE_BYTES", 0)
    checked = _files(folder).check(ModelFile("a", path))
    caches = checked.capacity.slots * 2 * 4096 * 32 * (128 + 128) * 2
    assert checked.needed_bytes == 512 + caches + checked.capacity.store_bytes


@pytest.mark.parametrize(
    "head",
    [
        struct.pack("<IQQ", 3, 2**63, 0),
        struct.pack("<IQQ", 3, 0, 2**63),
        struct.pack("<IQQ", 1, 0, 0),
        struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**62),
        struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<IIQ", 9, 8, 2**60),
        struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<IIQ", 9, 9, 2),
        struct.pack("<IQQ", 3, 0, 1) + string("k") + struct.pack("<I", 99),
        struct.pack("<IQQ", 3, 1, 0) + string("t") + struct.pack("<I", 2**31),
        struct.pack("<IQQ", 3, 1, 0) + string("t") + struct.pack("<IQIQ", 1, 2**63, 0, 2**63),
    ],
)
def test_impossible_counts_are_refused_at_once(folder, head):
    path = folder / "a.gguf"
    path.write_bytes(b"GGUF" + head + bytes(200))
    with pytest.raises(NotGgufError):
        read_header(path)


@pytest.mark.slow
@given(position=st.integers(4, 200), junk=st.binary(min_size=1, max_size=9))
def test_a_damaged_header_raises_nothing_unexpected(tmp_path_factory, position, junk):
    data = bytearray(gguf(LAMA))
    data[position : position + len(junk)] = junk
    path = tmp_path_factory.getbasetemp() / "damaged.gguf"
    path.write_bytes(data)
    try:
        header = read_header(path)
    except (NotGgufError, TruncatedError):
        return
    assert header.expected_size <= len(data)


def test_models_of_the_folder_are_offered_by_their_names(folder):
    for name in ("b.gguf", "a.gguf", ".hidden.gguf", "notes.txt", "c-00002-of-00002.gguf"):
        (folder / name).touch()
    names = [file.name for file in _files(folder).available() if not file.bundled]
    assert names == ["a", "b"]


@pytest.mark.parametrize("name", ["a", "a.gguf"])
def test_a_model_is_found_by_its_name(folder, name):
    (folder / "a.gguf").touch()
    assert folder / "a.gguf" == _files(folder).find(name).path


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "", "x\0y"])
def test_names_from_outside_are_never_paths(folder, name):
    (folder.parent / "secret.gguf").touch()
    with pytest.raises(XnaiError, match="There is no model"):
        _files(folder).find(name)


def test_a_configured_path_outside_the_folder_is_used(folder):
    path = folder.parent / "mine.gguf"
    path.touch()
    assert path == _files(folder, model=str(path)).configured().path


def test_a_configured_model_that_is_missing_is_named_with_the_choice(folder):
    (folder / "other.gguf").touch()
    with pytest.raises(XnaiError, match="other"):
        _files(folder, model="missing").configured()


def test_a_missing_bundled_model_says_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(catalogue, "bundled_path", lambda: None)
    with pytest.raises(XnaiError, match="is not installed"):
        _files(folder).configured()


def test_a_bundled_file_that_was_changed_is_refused(folder):
    path = folder / catalogue.BUNDLED_FILE
    path.write_bytes(gguf(LAMA))
    with pytest.raises(XnaiError, match="sha256 differs"):
        _files(folder).check(ModelFile(catalogue.BUNDLED_NAME, path, bundled=True))


def test_the_bundled_file_is_hashed_once(folder, monkeypatch):
    path, hashed = folder / catalogue.BUNDLED_FILE, []
    path.write_bytes(gguf(LAMA))

    class Digest:
        def hexdigest(self) -> str:
            hashed.append(1)
            return catalogue.BUNDLED_SHA256

    monkeypatch.setattr(catalogue.hashlib, "file_digest", lambda *_: Digest())
    for _ in range(2):
        _files(folder).check(ModelFile(catalogue.BUNDLED_NAME, path, bundled=True))
    assert hashed == [1]
