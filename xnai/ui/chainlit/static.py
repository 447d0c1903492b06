"""The page's static files, served from memory and compressed once.

Chainlit reads a file in three steps in other threads, which wait for their turns beside a busy
model, and compresses it anew for every request inside the event loop.
"""

import asyncio
import gzip
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chainlit.server
from chainlit.config import public_dir
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import FileResponse

from xnai.ui.chainlit import bundle

LARGEST = 8_000_000  # bytes of a file that is kept in memory
SMALLEST = 500  # bytes that are worth compressing
_COMPRESSED = ("image/", "font/woff", "video/", "audio/", "application/zip", "application/pdf")
_FOR_EVER = "public, max-age=31536000, immutable"  # the names of assets change with their content
_ASK_AGAIN = "no-cache"
PDFJS = "/public/vendor/pdfjs-dist"
# Its worker compiles WebAssembly for the pictures of PDFs, and fetches that and fonts from here.
_PDFJS_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _Kept:
    tag: str
    body: bytes
    media_type: str
    is_compressed: bool


class StaticFiles:
    """One folder of files under one path.

    Args:
        folder: the files; links that lead out of it are not followed.
        cache_control: the header of every response.
        change: what is served of a file in place of its content.
        policy: the content policy of scripts that run as workers.

    """

    def __init__(
        self,
        folder: Path,
        cache_control: str,
        change: Callable[[bytes], bytes] | None = None,
        policy: str = "",
    ) -> None:
        self._folder = folder.resolve()
        self._cache_control = cache_control
        self._change = change
        self._policy = policy
        self._kept: dict[tuple[Path, bool], _Kept] = {}

    async def serve(self, filename: str, request: Request) -> Response:
        """Serve one file; one that is large, or asked for in parts, comes from disk."""
        path = self._find(filename)
        status = path.stat()
        headers = {"Cache-Control": self._cache_control, "Vary": "Accept-Encoding"}
        if self._policy:
            headers["Content-Security-Policy"] = self._policy
        is_part = "range" in request.headers and not self._change
        if status.st_size > LARGEST or is_part:
            return FileResponse(path, headers=headers)
        accepts = "gzip" in request.headers.get("accept-encoding", "").lower()
        tag = f'"{status.st_mtime_ns:x}-{status.st_size:x}{"-gz" if accepts else ""}"'
        kept = self._kept.get((path, accepts))
        if kept is None or kept.tag != tag:
            kept = await asyncio.to_thread(_read, path, tag, accepts, self._change)
            self._kept[path, accepts] = kept
        headers["ETag"] = tag
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        # Chainlit's compressor leaves a response alone that names its encoding.
        headers["Content-Encoding"] = "gzip" if kept.is_compressed else "identity"
        return Response(kept.body, media_type=kept.media_type, headers=headers)

    def _find(self, filename: str) -> Path:
        try:
            path = (self._folder / filename).resolve()
            if path.is_relative_to(self._folder) and path.is_file():
                return path
        except (OSError, ValueError):  # a name that no file can have
            pass
        raise HTTPException(404, "File not found")


def add_routes(router: APIRouter) -> None:
    """Add the routes of Chainlit's assets and of the public folder."""
    folder = Path(chainlit.server.build_dir) / "assets"
    public = StaticFiles(Path(public_dir), _ASK_AGAIN)
    pdfjs = StaticFiles(
        Path(public_dir) / "vendor" / "pdfjs-dist", _ASK_AGAIN, policy=_PDFJS_POLICY
    )
    routes: dict[str, Any] = {
        f"/assets/{bundle.CHANGED}": StaticFiles(folder, _FOR_EVER, bundle.changed).serve,
        "/assets": StaticFiles(folder, _FOR_EVER).serve,
        PDFJS: pdfjs.serve,
        "/public": public.serve,
    }
    for path, serve in routes.items():
        router.add_api_route(f"{path}/{{filename:path}}", serve, methods=["GET"])


def _read(path: Path, tag: str, compress: bool, change: Callable[[bytes], bytes] | None) -> _Kept:
    body = path.read_bytes() if change is None else change(path.read_bytes())
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if compress and len(body) >= SMALLEST and not media_type.startswith(_COMPRESSED):
        return _Kept(tag, gzip.compress(body, 6), media_type, is_compressed=True)
    return _Kept(tag, body, media_type, is_compressed=False)
