"""What has changed in a folder since it was looked at last."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from xnai.documents.folders.scan import FileState, Scan
from xnai.retrieval.synced import SyncedFile


class Change(NamedTuple):
    """A file that is new, or not what it was; ``before`` is the path under which it was known."""

    file: SyncedFile
    before: str = ""


@dataclass(slots=True)
class Differences:
    """A folder beside what is known of it.

    ``unlike`` are the paths of files that have to be read to know what they are, ``refused`` those
    that were refused before and are the same; ``gone`` are known paths where nothing is any more,
    and ``unsure`` those of which nobody can tell.
    """

    unchanged: int = 0
    unlike: list[str] = field(default_factory=list)
    refused: list[SyncedFile] = field(default_factory=list)
    gone: dict[str, SyncedFile] = field(default_factory=dict)
    unsure: dict[str, SyncedFile] = field(default_factory=dict)


def compare(found: Scan, known: Mapping[str, SyncedFile]) -> Differences:
    """Tell what has changed, without reading a file."""
    differences = Differences()
    for path, seen in found.files.items():
        before = known.get(path)
        if before is None or seen != FileState(before.size, before.mtime_ns, before.inode):
            differences.unlike.append(path)
        elif before.refused:
            differences.refused.append(before)
        else:
            differences.unchanged += 1
    for path, before in known.items():
        if path in found.files:
            continue
        if found.is_unsure(path):
            differences.unsure[path] = before
        else:
            differences.gone[path] = before
    differences.unlike.sort()
    return differences


def changes(
    read: Iterable[SyncedFile],
    known: Mapping[str, SyncedFile],
    differences: Differences,
) -> list[Change]:
    """Tell of files that were read which were moved: those whose content is gone elsewhere.

    One that has the inode of what is gone comes first; no file that is gone was moved twice. What
    was moved is gone no more, in ``differences`` too.
    """
    by_content: dict[str, list[SyncedFile]] = {}
    for file in (*differences.gone.values(), *differences.unsure.values()):
        if file.document_id:
            by_content.setdefault(file.sha256, []).append(file)
    made = []
    for file in read:
        former = known.get(file.path)
        candidates = by_content.get(file.sha256, [])
        if former is not None or not candidates:
            made.append(Change(file))
            continue
        moved = next((one for one in candidates if one.inode == file.inode), candidates[0])
        candidates.remove(moved)
        for missed in (differences.gone, differences.unsure):
            missed.pop(moved.path, None)
        made.append(Change(replace(file, document_id=moved.document_id), moved.path))
    return made
