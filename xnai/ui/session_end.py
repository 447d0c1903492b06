"""Knowing when a Chainlit session is really gone, and where its uploads lie until then.

A session outlives blips of its connection; it ends when it is deleted: at once for a new chat,
after ``XNAI_SESSION_TIMEOUT`` otherwise, see ``lifecycle``.
"""

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

from xnai.documents.claim import FolderClaim

log = structlog.get_logger(__name__)

UPLOADS = "uploads"
STALE_AFTER = 24 * 3600.0  # seconds; an upload folder that old outlived its process

_claims: list[FolderClaim] = []  # held until the process ends

SessionDeleted = Callable[[str, bool], Awaitable[None]]


def install(
    on_session_deleted: SessionDeleted, forget: Callable[[Any], None] = lambda _: None
) -> None:
    """Call ``on_session_deleted(thread_id, persisted)`` after a session has really ended.

    ``persisted`` tells whether the thread is in the history; if not, nothing of it may stay.
    Sessions whose thread is still open in another one are not told of; ``forget`` is called with
    every session.
    """
    delete: Callable[[Any], Awaitable[None]] = getattr(
        WebsocketSession.delete, "original", WebsocketSession.delete
    )

    async def delete_and_tell(session: Any) -> None:
        await delete(session)
        chat_contexts.pop(session.id, None)
        forget(session)
        user_sessions.pop(session.id, None)
        thread_id = str(session.thread_id)
        if any(other.thread_id == thread_id for other in ws_sessions_id.values()):
            return
        try:
            await on_session_deleted(thread_id, await is_persisted(thread_id))
        except Exception:
            # Chainlit calls this from a timer that nobody awaits.
            log.exception("what a session left behind could not be removed", thread_id=thread_id)

    told: Any = delete_and_tell
    told.original = delete
    WebsocketSession.delete = told


async def is_persisted(thread_id: str) -> bool:
    """Whether the history has the thread; a resumed thread is there before it is spoken in."""
    layer = get_data_layer()
    return bool(layer and await layer.get_thread_author(thread_id))


def use_files_directory(data_dir: Path) -> bool:
    """Keep uploads, and the parts of requests on their way there, below the data folder.

    Returns:
        Whether no other process uses it. Leftovers of processes that were killed are removed from
        it; while another process uses it too, only those that are too old to be its.

    """
    uploads = data_dir / UPLOADS
    uploads.mkdir(parents=True, exist_ok=True, mode=0o700)
    claim = FolderClaim(uploads)
    _remove_left(uploads, 0.0 if claim.alone else STALE_AFTER)
    claim.share()
    _claims.append(claim)
    stray = Path(chainlit.config.FILES_DIRECTORY)
    chainlit.config.FILES_DIRECTORY = uploads
    chainlit.server.FILES_DIRECTORY = uploads
    if stray != uploads:
        with contextlib.suppress(OSError):  # not empty, or not there: not ours to remove
            stray.rmdir()
    spool = data_dir / "tmp"
    spool.mkdir(exist_ok=True, mode=0o700)
    tempfile.tempdir = str(spool)
    return claim.alone


def _remove_left(uploads: Path, age: float) -> None:
    newest = time.time() - age
    for folder in uploads.glob("[!.]*"):  # not the claim
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime <= newest:
                shutil.rmtree(folder) if folder.is_dir() else folder.unlink()
