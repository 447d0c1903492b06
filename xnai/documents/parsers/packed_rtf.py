"""RTF as Outlook packs it ([MS-OXRTFCP]); used in the worker process only.

A byte of flags says of each of the eight items behind it whether it is a byte, or a reference into
the last 4,096 that were written: 12 bits of place, 4 of length less two.
"""

import struct

from xnai.documents.parsers.failures import Failure
from xnai.errors import FILE_DAMAGED, FILE_TOO_EXPENSIVE

_PACKED, _PLAIN = 0x75465A4C, 0x414C454D
_HEADER = struct.Struct("<IIII")  # length, length unpacked, kind, checksum
_WINDOW = 4096
_MOST = 2**26  # bytes
# What the window holds at first.
_BEFORE = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}"
    rb"{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArial"
    b"Times New RomanCourier"
    rb"{\colortbl\red0\green0\blue0" + b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)


def unpacked(data: bytes) -> bytes:
    """Return the RTF.

    Raises:
        Failure: FILE_DAMAGED, or FILE_TOO_EXPENSIVE.

    """
    if not data:
        return b""
    if len(data) < _HEADER.size:
        raise Failure(FILE_DAMAGED, reason="its text is cut off")
    _, length, kind, _ = _HEADER.unpack_from(data)
    if length > _MOST:
        raise Failure(FILE_TOO_EXPENSIVE, resource="space", limit=f"{_MOST // 2**20} MB")
    if kind == _PLAIN:
        return data[_HEADER.size :][:length]
    if kind != _PACKED:
        raise Failure(FILE_DAMAGED, reason="its text is packed in no known way")
    return _unpacked(data[_HEADER.size :], length)


def _unpacked(data: bytes, length: int) -> bytes:
    window = bytearray(_BEFORE.ljust(_WINDOW, b"\0"))
    at, out, place = len(_BEFORE), bytearray(), 0
    while place < len(data) and len(out) < length:
        flags, place = data[place], place + 1
        for bit in range(8):
            refers = flags >> bit & 1
            item = data[place : place + 1 + refers]
            place += 1 + refers
            if len(item) <= refers:
                return bytes(out)
            start, count = at, 1
            if refers:
                start, count = item[0] << 4 | item[1] >> 4, (item[1] & 15) + 2
                if start == at:  # which stands for the end
                    return bytes(out[:length])
            else:
                window[at] = item[0]
            for step in range(count):
                byte = window[(start + step) % _WINDOW]
                window[at] = byte
                out.append(byte)
                at = (at + 1) % _WINDOW
    return bytes(out[:length])
