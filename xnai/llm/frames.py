"""Frames between the server and its worker: four bytes of length, then UTF-8 JSON."""

import asyncio
import json
import struct
from collections.abc import Mapping
from typing import IO, Any

MAX_FRAME = 64 * 1024 * 1024  # bytes

_LENGTH = struct.Struct("<I")

Frame = dict[str, Any]


class FrameError(Exception):
    """The stream does not hold frames; the other side is broken."""


def encode(frame: Mapping[str, object]) -> bytes:
    """One frame as bytes.

    Raises:
        FrameError: it is longer than the other side accepts.

    """
    body = json.dumps(frame, separators=(",", ":")).encode()
    if len(body) > MAX_FRAME:
        raise FrameError(f"a frame of {len(body)} bytes is too long")
    return _LENGTH.pack(len(body)) + body


def read(file: IO[bytes]) -> Frame | None:
    """The next frame of a blocking file; None at its end."""
    prefix = file.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    body = file.read(_body_length(prefix))
    return _decode(body) if len(body) == _body_length(prefix) else None


async def read_async(reader: asyncio.StreamReader) -> Frame | None:
    """The next frame of a stream; None at its end."""
    try:
        prefix = await reader.readexactly(_LENGTH.size)
        return _decode(await reader.readexactly(_body_length(prefix)))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _body_length(prefix: bytes) -> int:
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_FRAME:
        raise FrameError(f"a frame of {length} bytes is announced")
    return int(length)


def _decode(body: bytes) -> Frame:
    try:
        frame = json.loads(body)
    except ValueError as exc:
        raise FrameError("a frame is not JSON") from exc
    if not isinstance(frame, dict):
        raise FrameError("a frame is not an object")
    return frame
