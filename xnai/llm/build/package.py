"""The engine as it lies in this environment: whether it is there, and as its wheel had it."""

import base64
import hashlib
import importlib
import itertools
from importlib.metadata import PackageNotFoundError, PackagePath, distribution
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "llama-cpp-python"
MOST_NAMED = 3  # of the files that are damaged


def is_whole() -> bool:
    """Whether the package is there, whole: pip writes INSTALLER when all else is in place."""
    importlib.invalidate_caches()
    spec = find_spec("llama_cpp")
    if spec is None or not spec.submodule_search_locations:
        return False
    package = Path(next(iter(spec.submodule_search_locations)))
    finished = package.parent.glob("llama_cpp_python-*.dist-info/INSTALLER")
    return any(finished) and any((package / "lib").glob("libllama.*"))


def damaged_files() -> list[str]:
    """The files of the package that are not as its wheel had them, some of them; blocks."""
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        return []
    damaged = (str(one) for one in files if one.hash is not None and not _is_as_packed(one))
    return list(itertools.islice(damaged, MOST_NAMED))


def _is_as_packed(file: PackagePath) -> bool:
    """Whether a file of a package has the digest that its wheel names."""
    assert file.hash is not None
    try:
        with Path(file.locate()).open("rb") as data:
            digest = hashlib.file_digest(data, file.hash.mode).digest()
    except OSError:
        return False
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value
