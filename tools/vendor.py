"""Fetch what browsers are served of other projects: `python tools/vendor.py`. For developers.

A package comes from the registry that npm is configured for, in the one version named here; a
tarball with another hash is refused. What the page needs of it goes to `public/vendor/`, byte for
byte, beside the licence and a manifest with the hash of every file. `tests/unit/setup/
test_vendored.py` compares the two.
"""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

VENDOR = Path(__file__).resolve().parents[1] / "public" / "vendor"
MANIFEST = VENDOR / "manifest.json"
LARGEST = 5_000_000  # bytes of a file


@dataclass(frozen=True)
class Package:
    """A package of npm: what is taken of it, below which folder of its tarball."""

    name: str
    version: str
    licence: str
    sha512: str  # of the tarball, as npm writes it
    root: str
    taken: str  # a pattern for paths below the root, or below the tarball's own


# The version whose scripts Chainlit brings along: style sheet and fonts belong to it.
PACKAGES = (
    Package(
        "katex",
        "0.16.22",
        "MIT",
        "XCHRdUw4lf3SKBaJe4EvgqIuWwkPSo9XoeO8GjQW94Bp7TWv9hNhzZjZ+OH9yf1UmLygb7DIT5GSFQiyt16zYg==",
        "dist/",
        r"katex\.min\.css|fonts/[\w-]+\.woff2|LICENSE",
    ),
)


def fetch(package: Package, folder: Path) -> Path:
    """Fetch the tarball of a package into a folder."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is not there; it knows the registry.")
    wanted = f"{package.name}@{package.version}"
    command = [npm, "pack", wanted, "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
    (tarball,) = folder.glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != package.sha512:
        sys.exit(f"{wanted} is not the package it was: its hash is {found}.")
    return tarball


def unpack(package: Package, folder: Path) -> dict[str, bytes]:
    """Return the files that are taken of a package, by their paths."""
    files: dict[str, bytes] = {}
    with tarfile.open(fetch(package, folder)) as archive:
        for member in archive:
            path = member.name.removeprefix("package/").removeprefix(package.root)
            if member.isfile() and member.size <= LARGEST and re.fullmatch(package.taken, path):
                content = archive.extractfile(member)
                assert content is not None
                files[path] = content.read()
    return files


def main() -> None:
    """Replace what is vendored."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    manifest = {}
    for package in PACKAGES:
        with tempfile.TemporaryDirectory() as folder:
            files = unpack(package, Path(folder))
        for path, content in files.items():
            target = VENDOR / package.name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        manifest[package.name] = {
            "version": package.version,
            "licence": package.licence,
            "sha512": package.sha512,
            "files": {
                path: hashlib.sha256(content).hexdigest() for path, content in sorted(files.items())
            },
        }
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
