"""Outlook messages (MSG) for tests: compound files ([MS-CFB]) of properties ([MS-OXMSG])."""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime

Tree = Mapping[str, "bytes | Tree"]
_END, _FREE, _FAT = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
_SECTOR, _MINI, _CUTOFF = 512, 64, 4096


class _Sectors:
    """Data in sectors of one size, chained by a table."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.table: list[int] = []
        self.data = b""

    def stored(self, data: bytes) -> int:
        """Put data at the end; says where it begins."""
        first, count = len(self.table), -(-len(data) // self.size)
        self.data += data.ljust(count * self.size, b"\0")
        self.table += [*range(first + 1, first + count), _END][:count]
        return first if count else _END


def _entries(tree: Tree) -> list[list]:
    """Name, kind, next of the same storage, first inside, and data of all; the root is first."""
    entries: list[list] = [["Root Entry", 5, _FREE, _FREE, b""]]

    def add(parent: int, children: Tree) -> None:
        at, place = parent, 3
        for name, content in children.items():
            number = len(entries)
            entries[at][place] = number
            at, place = number, 2
            is_stream = isinstance(content, bytes)
            entries.append([name, 1 + is_stream, _FREE, _FREE, content if is_stream else b""])
            if not is_stream:
                add(number, content)

    add(0, tree)
    return entries


def compound(tree: Tree) -> bytes:
    """A compound file of streams (bytes) and storages (mappings)."""
    entries = _entries(tree)
    large, small = _Sectors(_SECTOR), _Sectors(_MINI)
    starts = [(small if len(data) < _CUTOFF else large).stored(data) for *_, data in entries]
    entries[0][4] = small.data
    starts[0] = large.stored(small.data)
    table = struct.pack(f"<{len(small.table)}I", *small.table)
    small_at = large.stored(table + b"\xff" * (-len(table) % _SECTOR))
    directory = b"".join(
        (shown := name.encode("utf-16-le") + b"\0\0").ljust(64, b"\0")
        + struct.pack("<HBBIII", len(shown), kind, 1, _FREE, following, inside)
        + struct.pack("<16sIQQIQ", bytes(16), 0, 0, 0, start, len(data))
        for (name, kind, following, inside, data), start in zip(entries, starts, strict=True)
    )
    directory_at = large.stored(directory)
    count = 1
    while len(large.table) + count > count * 128:
        count += 1
    first = len(large.table)
    fat = [*large.table, *[_FAT] * count]
    fat += [_FREE] * (count * 128 - len(fat))
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII",
        *(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", bytes(16), 0x3E, 3, 0xFFFE, 9, 6, bytes(6)),
        *(0, count, directory_at, 0, _CUTOFF, small_at, int(small_at != _END), _END, 0),
    )
    header += struct.pack("<109I", *range(first, first + count), *[_FREE] * (109 - count))
    return header + large.data + struct.pack(f"<{len(fat)}I", *fat)


def _properties(values: Mapping[int, object], header: bytes) -> dict[str, bytes]:
    """The streams of properties, by their numbers."""
    streams, table = {}, header
    for number, value in values.items():
        if isinstance(value, int):
            table += struct.pack("<HHIII", 3, number, 6, value, 0)
        elif isinstance(value, datetime):
            ticks = int((value - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
            table += struct.pack("<HHIQ", 0x40, number, 6, ticks)
        else:
            kind = 0x1F if isinstance(value, str) else 0x102
            data = value.encode("utf-16-le") if isinstance(value, str) else bytes(value)
            table += struct.pack("<HHIII", kind, number, 6, len(data) + 2 * (kind == 0x1F), 0)
            streams[f"__substg1.0_{number:04X}{kind:04X}"] = data
    return {"__properties_version1.0": table, **streams}


SUBJECT, BODY, HTML, RTF, SENT = 0x37, 0x1000, 0x1013, 0x1009, 0x39
SENDER, ADDRESS, TO, CC = 0x0C1A, 0x0C1F, 0x0E04, 0x0E03


def message_tree(
    values: Mapping[int, object],
    attached: Mapping[str, "bytes | Tree"] | None = None,
    *,
    is_inner: bool = False,
) -> Tree:
    """The storages of a message; attachments are bytes, or the storages of another message."""
    count = len(attached or {})
    header = struct.pack("<8x4I", 0, count, 0, count) + bytes(0 if is_inner else 8)
    tree: dict = _properties({0x1A: "IPM.Note", **values}, header)
    if not is_inner:
        tree["__nameid_version1.0"] = {"__substg1.0_00020102": b""}
    for number, (name, content) in enumerate((attached or {}).items()):
        own: dict[int, object] = {0x3707: name}
        if isinstance(content, bytes):
            own |= {0x3705: 1, 0x3701: content}
        else:
            own |= {0x3705: 5}
        storage: dict = _properties(own, bytes(8))
        if not isinstance(content, bytes):
            storage["__substg1.0_3701000D"] = content
        tree[f"__attach_version1.0_#{number:08X}"] = storage
    return tree


def outlook(values: Mapping[int, object], attached: Mapping | None = None) -> bytes:
    """A message as Outlook saves it."""
    return compound(message_tree(values, attached))


def packed_rtf(text: bytes) -> bytes:
    """RTF as it lies in a message: each byte as it is, and the first eight as one reference."""
    parts, rest = b"\x01" + bytes([0, 6]), text[8:]  # the window begins with "{\\rtf1\\a"
    assert text.startswith(rb"{\rtf1\a")
    first, rest = rest[:7], rest[7:]
    parts += first
    for at in range(0, len(rest), 8):
        parts += b"\0" + rest[at : at + 8]
    return struct.pack("<IIII", len(parts) + 12, len(text), 0x75465A4C, 0) + parts
