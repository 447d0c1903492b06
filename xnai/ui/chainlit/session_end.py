"""The end of a Chainlit session, and the folder of its uploads until then.

A session outlives blips of its connection. It ends when it is deleted: at once for a new chat,
after ``XNAI_SESSION_TIMEOUT`` otherwise, see ``lifecycle``.
"""

import atexit
import contextlib
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import chainlit.config
import chainlit.server
import structlog
from chainlit.chat_context import chat_contexts
from chainlit.data import get_data_layer
from chainlit.session import WebsocketSession, ws_sessions_id
from chainlit.user_session import user_sessions

from xnai.documents.folder_lock import FolderClaim

log = structlog.get_logger(__name__)

UPLOADS = "uploads"
STALE_AFTER = 24 * 3600.0  # seconds; an older upload folder has outlived its process


SessionDeleted = Callable[[str, bool], Awaitable[None]]


def install(on_session_deleted: SessionDeleted, *forget: Callable[[Any], None]) -> None:
    """Call ``on_session_deleted(thread_id, persisted)`` after a session has really ended.

    ``persisted`` is whether the thread is in the history; if not, nothing of it may stay. The
    callback is not called for sessions whose thread is still open in another one; each ``forget``
    is called with every session.
    """
    delete: Callable[[Any], Awaitable[None]] = getattr(
        WebsocketSession.delete, "original", WebsocketSession.delete
    )

    async def delete_and_report(session: Any) -> None:
        await delete(session)
        chat_contexts.pop(session.id, None)
        for tell in forget:
            tell(session)
        user_sessions.pop(session.id, None)
        thread_id = str(session.thread_id)
        if any(other.thread_id == thread_id for other in ws_sessions_id.values()):
            return
        try:
            await on_session_deleted(thread_id, await is_persisted(thread_id))
        except Exception:
            # Chainlit calls this from a timer that is never awaited.
            log.exception("what a session left behind could not be removed", thread_id=thread_id)

    replacement: Any = delete_and_report
    replacement.original = delete
    WebsocketSession.delete = replacement


async def is_persisted(thread_id: str) -> bool:
    """Return whether the history has the thread; a resumed thread is there before any message."""
    layer = get_data_layer()
    return bool(layer and await layer.get_thread_author(thread_id))


def use_files_directory(data_dir: Path) -> bool:
    """Keep uploads, and the parts of unfinished requests, below the data folder.

    Returns:
        Whether no other process uses the folder. Leftovers of processes that were killed are
        removed; while another process uses the folder too, only those too old to be its own.

    """
    uploads = data_dir / UPLOADS
    uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
    claim = FolderClaim(uploads)
    spool = data_dir / "tmp"
    spool.mkdir(exist_ok=True, mode=0o700)
    for folder in (uploads, spool):
        _remove_left(folder, 0.0 if claim.alone else STALE_AFTER)
    claim.share()
    atexit.register(claim.release)  # held until the process ends
    stray = Path(chainlit.config.FILES_DIRECTORY)
    chainlit.config.FILES_DIRECTORY = uploads
    chainlit.server.FILES_DIRECTORY = uploads
    if stray != uploads:
        with contextlib.suppress(OSError):  # not empty, or not there
            stray.rmdir()
    tempfile.tempdir = str(spool)
    return claim.alone


def _remove_left(uploads: Path, age: float) -> None:
    newest = time.time() - age
    for folder in uploads.glob("[!.]*"):  # not the claim
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime <= newest:
                shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
