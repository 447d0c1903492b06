"""A hub of models, asked through ``huggingface_hub``; everything it says is taken for hostile.

``HF_ENDPOINT`` names another hub, ``HF_TOKEN`` is sent to it; no other login is looked for. The
library downloads, goes on with what is there and tries again; which file, where to, whether there
is room, and whether it is the right one is decided here.
"""

import contextlib
import errno
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urlsplit

from xnai.errors import (
    DISK_FULL,
    HUB_GARBLED,
    HUB_NOT_FOUND,
    HUB_REFUSED,
    HUB_UNREACHABLE,
    XnaiError,
)

# The library reads these when it is imported: it tells nobody what is downloaded.
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")

from httpx2 import HTTPError, Timeout
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import logging as hub_logging
from huggingface_hub.utils._headers import build_hf_headers
from huggingface_hub.utils._http import get_session

_SECONDS = 20.0  # for what the hub says of a repository
_ANSWER_SECONDS = 5.0  # for a first word once it is connected
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAFE_PART = re.compile(r"[A-Za-z0-9_+()\[\] -][A-Za-z0-9._+()\[\] -]{0,254}")
_MOST_FILES = 20_000
_FORBIDDEN = {401, 403}
_MISSING = 404


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One GGUF of a repository; ``path`` is that in it and safe, ``size`` in bytes."""

    repository: str
    path: str
    size: int
    sha256: str
    revision: str

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.path).name


class Hub:
    """The hub that ``HF_ENDPOINT`` names, else the library's own."""

    def __init__(self) -> None:
        self._token = os.environ.get("HF_TOKEN") or False
        self._api = HfApi(token=self._token, library_name="xnai")
        self.shown = urlsplit(self._api.endpoint).netloc
        hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]

    def check_reachable(self, connect_seconds: float) -> None:
        """Ask for nothing, so that a hub that is not there is known of soon.

        Raises:
            XnaiError: HUB_UNREACHABLE.

        """
        problems: list[XnaiError] = []
        limit = Timeout(_ANSWER_SECONDS, connect=connect_seconds)

        def look() -> None:
            try:
                with self._errors(self.shown):
                    get_session().head(self._api.endpoint, timeout=limit, follow_redirects=False)
            except XnaiError as exc:
                problems.append(exc)

        # In a thread of its own: no limit holds for the resolving of names.
        looking = threading.Thread(target=look, name="hub", daemon=True)
        looking.start()
        looking.join(connect_seconds + _ANSWER_SECONDS)
        if looking.is_alive():
            reason = f"it does not answer within {connect_seconds + _ANSWER_SECONDS:.0f} seconds"
            raise XnaiError(HUB_UNREACHABLE, hub=self.shown, reason=reason)
        if problems:
            raise problems[0]

    def files(self, repository: str) -> list[RemoteFile]:
        """The GGUF files of a repository, by name; those with unsafe names are left out.

        Raises:
            XnaiError: HUB_NOT_FOUND, HUB_REFUSED, HUB_UNREACHABLE, HUB_GARBLED.

        """
        with self._errors(repository):
            info = self._api.model_info(repository, files_metadata=True, timeout=_SECONDS)
        revision = str(info.sha or "")
        if not re.fullmatch(r"[0-9a-f]{40}", revision):
            raise XnaiError(HUB_GARBLED, hub=self.shown, name=repository, problem="no revision")
        found = [
            self._file(repository, revision, sibling)
            for sibling in (info.siblings or [])[:_MOST_FILES]
            if sibling.rfilename.lower().endswith(".gguf") and _is_safe(sibling.rfilename)
        ]
        return sorted(found, key=lambda file: file.path)

    def _file(self, repository: str, revision: str, sibling: Any) -> RemoteFile:
        sha256 = str(getattr(sibling.lfs, "sha256", "") or "")
        size = getattr(sibling.lfs, "size", None) or sibling.size
        if not _SHA256.fullmatch(sha256) or not isinstance(size, int) or size <= 0:
            problem = f"{sibling.rfilename!r} has no size or no sha256"
            raise XnaiError(HUB_GARBLED, hub=self.shown, name=repository, problem=problem)
        return RemoteFile(repository, sibling.rfilename, size, sha256, revision)

    def download(self, file: RemoteFile, part: IO[bytes], have: int, bar: type[Any]) -> None:
        """Append what is missing to a part of the file; blocks.

        Args:
            file: which.
            part: open for appending and reading, ``have`` bytes long.
            have: bytes that are there.
            bar: a class like ``tqdm.tqdm`` that shows how far it is.

        Raises:
            XnaiError: HUB_NOT_FOUND, HUB_REFUSED, HUB_UNREACHABLE, HUB_GARBLED, DISK_FULL.

        """
        url = hf_hub_url(
            file.repository, file.path, revision=file.revision, endpoint=self._api.endpoint
        )
        headers = build_hf_headers(token=self._token, library_name="xnai")
        headers["Accept-Encoding"] = "identity"
        with self._errors(file.path, Path(str(part.name)).parent):
            http_get(
                url,
                part,  # type: ignore[arg-type]
                resume_size=have,
                headers=headers,
                expected_size=file.size,
                displayed_filename=file.name,
                tqdm_class=bar,
            )

    @contextlib.contextmanager
    def _errors(self, name: str, folder: Path | None = None) -> Iterator[None]:
        """Put what the library raises into words of the catalogue; its texts may hold anything."""
        try:
            yield
        except GatedRepoError as exc:  # also a RepositoryNotFoundError
            raise XnaiError(HUB_REFUSED, hub=self.shown, name=name, status=403) from exc
        except (RepositoryNotFoundError, EntryNotFoundError) as exc:
            raise XnaiError(HUB_NOT_FOUND, hub=self.shown, name=name) from exc
        except HfHubHTTPError as exc:
            raise self._status(name, exc) from exc
        except HFValidationError as exc:
            raise XnaiError(HUB_NOT_FOUND, hub=self.shown, name=name) from exc
        except OfflineModeIsEnabled as exc:
            reason = "HF_HUB_OFFLINE is set"
            raise XnaiError(HUB_UNREACHABLE, hub=self.shown, reason=reason) from exc
        except HTTPError as exc:
            reason = type(exc).__name__
            raise XnaiError(HUB_UNREACHABLE, hub=self.shown, reason=reason) from exc
        except OSError as exc:
            if exc.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise XnaiError(DISK_FULL, folder=folder, free="too little") from exc
            # The library raises plain OSError when a file is not as long as it was said to be.
            reason = exc.strerror or "the file is not as long as it was said to be"
            raise XnaiError(HUB_UNREACHABLE, hub=self.shown, reason=reason) from exc
        except (ValueError, KeyError, TypeError) as exc:
            problem = type(exc).__name__
            raise XnaiError(HUB_GARBLED, hub=self.shown, name=name, problem=problem) from exc

    def _status(self, name: str, exc: HfHubHTTPError) -> XnaiError:
        status = exc.response.status_code if exc.response is not None else 0
        if status in _FORBIDDEN:
            return XnaiError(HUB_REFUSED, hub=self.shown, name=name, status=status)
        if status == _MISSING:
            return XnaiError(HUB_NOT_FOUND, hub=self.shown, name=name)
        return XnaiError(HUB_UNREACHABLE, hub=self.shown, reason=f"HTTP {status}")


def _is_safe(path: str) -> bool:
    """Whether every part of a path is an ordinary name, so that the last one can be a file's."""
    return all(_SAFE_PART.fullmatch(part) for part in path.split("/"))
