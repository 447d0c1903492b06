"""What browsers are given of other projects is what its publishers gave out."""

import hashlib
import importlib.util
import json
import re
import sys

import pytest
from paths import ROOT

_spec = importlib.util.spec_from_file_location("vendor", ROOT / "tools" / "vendor.py")
vendor = importlib.util.module_from_spec(_spec)
sys.modules["vendor"] = vendor
_spec.loader.exec_module(vendor)
FOLDERS = {"page": vendor.PAGE, "tests": vendor.TESTS}


@pytest.mark.parametrize("name", FOLDERS)
def test_every_vendored_file_has_its_hash_and_none_is_there_beside_them(name):
    folder = FOLDERS[name]
    manifest = folder / vendor.MANIFEST
    listed = {
        f"{package}/{path}": digest
        for package, entry in json.loads(manifest.read_bytes()).items()
        for path, digest in entry["files"].items()
    }
    found = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path != manifest
    }
    assert found == listed


@pytest.mark.parametrize("name", FOLDERS)
def test_the_manifest_is_of_the_versions_that_the_command_fetches(name):
    folder = FOLDERS[name]
    packages = [one for one in vendor.PACKAGES if one.folder == folder]
    kept = {
        package: (entry["version"], entry["sha512"], entry["licence"])
        for package, entry in json.loads((folder / vendor.MANIFEST).read_bytes()).items()
    }
    assert kept == {one.name: (one.version, one.sha512, one.licence) for one in packages}
    assert [one for one in packages if not (folder / one.name / "LICENSE").is_file()] == []


def test_the_fonts_that_a_browser_takes_are_there():
    styles = (vendor.PAGE / "katex" / "katex.min.css").read_text(encoding="utf-8")
    faces = re.findall(r"src:url\(([^)]+)\)", styles)
    assert len(faces) == styles.count("@font-face")
    assert all((vendor.PAGE / "katex" / face).is_file() for face in faces)
