"""What browsers are served of other projects is what its publishers gave out."""

import hashlib
import importlib.util
import json
import re
import sys

from paths import ROOT

_spec = importlib.util.spec_from_file_location("vendor", ROOT / "tools" / "vendor.py")
vendor = importlib.util.module_from_spec(_spec)
sys.modules["vendor"] = vendor
_spec.loader.exec_module(vendor)
MANIFEST = json.loads(vendor.MANIFEST.read_bytes())


def test_every_vendored_file_has_its_hash_and_none_is_there_beside_them():
    listed = {
        f"{name}/{path}": digest
        for name, entry in MANIFEST.items()
        for path, digest in entry["files"].items()
    }
    found = {
        path.relative_to(vendor.VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.VENDOR.rglob("*")
        if path.is_file() and path != vendor.MANIFEST
    }
    assert found == listed


def test_the_manifest_is_of_the_versions_that_the_command_fetches():
    told = {one.name: (one.version, one.sha512, one.licence) for one in vendor.PACKAGES}
    kept = {
        name: (entry["version"], entry["sha512"], entry["licence"])
        for name, entry in MANIFEST.items()
    }
    assert kept == told
    for one in vendor.PACKAGES:
        assert (vendor.VENDOR / one.name / "LICENSE").is_file()


def test_the_fonts_that_a_browser_takes_are_there():
    styles = (vendor.VENDOR / "katex" / "katex.min.css").read_text(encoding="utf-8")
    faces = re.findall(r"src:url\(([^)]+)\)", styles)
    assert len(faces) == styles.count("@font-face")
    assert all((vendor.VENDOR / "katex" / face).is_file() for face in faces)
