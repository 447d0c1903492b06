"""Creates a backup of a data folder, and restores one into an empty data folder.

A backup is a folder: the databases as they were at one moment, the files of the documents in them,
the accounts, the secret of the page's cookies, and ``manifest.json`` with their checksums. The
index is copied before the files, as a document's file exists before its record. So each record has
its file, unless the document was deleted meanwhile. Indexing models and the engine are made again.
"""

import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xnai
from xnai.data_folder import marker, ownership, restoring
from xnai.documents import cards
from xnai.documents.folder_lock import FolderClaim
from xnai.documents.storage import disk_errors
from xnai.errors import (
    BACKUP_INVALID,
    BACKUP_PLACE_TAKEN,
    DISK_TOO_SMALL,
    FOLDER_UNUSABLE,
    XnaiError,
)
from xnai.llm.hardware import human_size
from xnai.retrieval.index.damage import Damage
from xnai.retrieval.index.sqlite.checking import kept_files, records_in
from xnai.retrieval.index.sqlite.inspection import inspect
from xnai.settings import Settings
from xnai.sqlite.snapshot import SnapshotError, snapshot

INDEX, HISTORY, SECRET, DOCUMENTS = "index.sqlite3", "history.sqlite3", "auth_secret", "documents"
PEOPLE = "accounts.json"
MANIFEST = "manifest.json"
_FORMAT = 1
_CHECK_SECONDS = 600.0
_SPARE_BYTES = 50_000_000
_ID_LENGTH = 32

ProgressReport = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """A summary of what was copied; ``missing`` documents were deleted or changed meanwhile."""

    folder: Path
    documents: int
    missing: int
    size: int  # bytes


def create_backup(settings: Settings, folder: Path, report: ProgressReport) -> BackupSummary:
    """Copy a data folder; a server may be running on it.

    Args:
        settings: where the data folder is.
        folder: the target; it must not exist, or be empty. It appears complete or not at all.
        report: called with what is copied, how much is done and how much there is.

    Raises:
        XnaiError: BACKUP_PLACE_TAKEN, BACKUP_INVALID (nothing to copy, or damaged), DISK_TOO_SMALL.

    """
    data = settings.data_dir
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise XnaiError(BACKUP_PLACE_TAKEN, path=folder)
    if folder.is_symlink() or os.path.ismount(folder):
        reason = "it is a link or a disk's own folder; name a new folder inside it"
        raise XnaiError(FOLDER_UNUSABLE, folder=folder, reason=reason)
    if folder.resolve().is_relative_to(data.resolve()):
        reason = "it lies inside the data folder that is to be copied; name one outside"
        raise XnaiError(FOLDER_UNUSABLE, folder=folder, reason=reason)
    if not (data / INDEX).exists():
        raise XnaiError(BACKUP_INVALID, path=data, reason=f"there is no {INDEX} in it")
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        draft.mkdir(parents=True, mode=0o700)
        with disk_errors(draft):
            taken = _fill(data, draft, folder, report)
        if folder.exists():
            folder.rmdir()
        draft.replace(folder)
    except OSError as exc:
        raise _unusable(exc, folder) from exc
    except SnapshotError as exc:
        reason = f"a database cannot be copied ({exc})"
        raise XnaiError(BACKUP_INVALID, path=data, reason=reason) from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return taken


def _fill(data: Path, draft: Path, folder: Path, report: ProgressReport) -> BackupSummary:
    names = [name for name in (INDEX, HISTORY) if (data / name).exists()]
    _require_room(draft, sum((data / name).stat().st_size for name in names))
    for name in names:
        snapshot(data / name, draft / name, functools.partial(report, name))
        _require_whole(draft / name)
    for name in (SECRET, PEOPLE):
        if (data / name).exists():
            shutil.copyfile(data / name, draft / name)
            names.append(name)
    listed = kept_files(draft / INDEX)
    _require_room(draft, sum(size for _, size, _ in listed))
    copied = [one for one in listed if _copy_document(data, draft, one)]
    report(DOCUMENTS, len(listed), len(listed))
    for path in draft.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    manifest = {
        "format": _FORMAT,
        "version": xnai.__version__,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": {name: _sha256(draft / name) for name in names},
        "documents": {name: digest for name, _, digest in copied},
    }
    (draft / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    return BackupSummary(folder, len(copied), len(listed) - len(copied), size)


def _copy_document(data: Path, draft: Path, one: tuple[str, int, str]) -> bool:
    """Copy one document's file; False if it is gone or does not match its record."""
    name, _, digest = one
    source, target = data / _document_path(name), draft / _document_path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError:
        return False
    if _sha256(target) == digest:
        return True
    target.unlink()
    return False


def restore_backup(settings: Settings, folder: Path, report: ProgressReport) -> BackupSummary:
    """Fill an empty data folder from a backup, after comparing every checksum.

    Raises:
        XnaiError: BACKUP_PLACE_TAKEN (there is data already), BACKUP_INVALID, DISK_TOO_SMALL.

    """
    data = settings.data_dir
    if restoring.is_unfinished(data):
        return _finished(data, folder)
    logs = (f"{name}{end}" for name in (INDEX, HISTORY) for end in ("-wal", "-shm", "-journal"))
    # An old log would be replayed over the restored file.
    for name in (INDEX, HISTORY, SECRET, PEOPLE, DOCUMENTS, *logs):
        if (data / name).exists():
            raise XnaiError(BACKUP_PLACE_TAKEN, path=data / name)
    manifest = _read_manifest(folder)
    names = [*manifest["files"], *(str(_document_path(name)) for name in manifest["documents"])]
    digests = [*manifest["files"].values(), *manifest["documents"].values()]
    size = sum((folder / name).stat().st_size for name in names if (folder / name).is_file())
    was_marked = (data / marker.NAME).exists()
    ownership.prepare_folder(data)
    try:
        _require_room(data, size)
        draft = restoring.begin(data)
        with disk_errors(data):
            _copy_checked(folder, draft, zip(names, digests, strict=True), len(names), report)
            _add_cards(draft)
        marker.record(data, marker.DOCUMENTS)
        restoring.commit(data, sorted({Path(name).parts[0] for name in names} | {DOCUMENTS}))
    except OSError as exc:
        raise _unusable(exc, data) from exc
    finally:
        if not restoring.is_unfinished(data):
            shutil.rmtree(data / restoring.NAME, ignore_errors=True)
            if not was_marked and not (data / INDEX).exists():
                (data / marker.NAME).unlink(missing_ok=True)
    return BackupSummary(data, len(manifest["documents"]), 0, size)


def _finished(data: Path, folder: Path) -> BackupSummary:
    """Finish a restore that was killed after everything was copied, if it was of this backup."""
    manifest = _read_manifest(folder)
    restoring.finish(data)
    if _sha256(data / INDEX) != manifest["files"][INDEX]:
        raise XnaiError(BACKUP_PLACE_TAKEN, path=data / INDEX)
    return BackupSummary(data, len(manifest["documents"]), 0, 0)


def _add_cards(draft: Path) -> None:
    """Put a card beside each original, and the folder's mark, as the library does."""
    (draft / DOCUMENTS).mkdir(exist_ok=True, mode=0o700)
    FolderClaim(draft / DOCUMENTS).release()
    for record in records_in(draft / INDEX, Damage()):
        original = draft / _document_path(record.id)
        if original.exists():
            cards.write(original, record)


def _unusable(exc: OSError, folder: Path) -> XnaiError:
    return XnaiError(FOLDER_UNUSABLE, folder=folder, reason=exc.strerror or "unknown error")


def _copy_checked(
    folder: Path, draft: Path, wanted: Iterable[tuple[str, str]], total: int, report: ProgressReport
) -> None:
    for done, (name, digest) in enumerate(wanted, 1):
        target = draft / name
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            shutil.copyfile(folder / name, target)
        except FileNotFoundError as exc:
            raise XnaiError(BACKUP_INVALID, path=folder, reason=f"{name} is missing") from exc
        if _sha256(target) != digest:
            raise XnaiError(BACKUP_INVALID, path=folder, reason=f"{name} was changed")
        target.chmod(0o600)
        report("files", done, total)


def _read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest, with names that cannot lead out of the folder.

    Raises:
        XnaiError: BACKUP_INVALID.

    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        files, documents = manifest["files"], manifest["documents"]
        known = set(files) <= {INDEX, HISTORY, SECRET, PEOPLE} and INDEX in files
        ids = all(_is_id(name) for name in documents)
        if manifest["format"] != _FORMAT or not known or not ids:
            raise XnaiError(BACKUP_INVALID, path=folder, reason="its manifest is of another kind")
    except (OSError, ValueError, TypeError, KeyError) as exc:
        reason = f"it has no {MANIFEST} that can be read"
        raise XnaiError(BACKUP_INVALID, path=folder, reason=reason) from exc
    return dict(manifest)


def _is_id(name: str) -> bool:
    return len(name) == _ID_LENGTH and set(name) <= set("0123456789abcdef")


def _document_path(document_id: str) -> Path:
    return Path(DOCUMENTS, document_id[:2], document_id)


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + _SPARE_BYTES > free:
        raise XnaiError(
            DISK_TOO_SMALL,
            name="the copy",
            needed=human_size(needed + _SPARE_BYTES),
            folder=folder,
            free=human_size(free),
        )


def _require_whole(path: Path) -> None:
    found = inspect(path, _CHECK_SECONDS)
    if found.problem:
        reason = f"{path.name} is damaged; type `xnai doctor`"
        raise XnaiError(BACKUP_INVALID, path=path.parent, reason=reason)


def _sha256(path: Path) -> str:
    with path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
