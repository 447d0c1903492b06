"""Model files as small as can be."""

import struct

LAMA = {"general.architecture": "lama", "lama.context_length": 4096, "lama.block_count": 2}


def string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf(metadata: dict[str, str | int], dimensions: tuple[int, ...] = (64, 2)) -> bytes:
    """Write a GGUF with one F32 tensor."""
    data = b"GGUF" + struct.pack("<IQQ", 3, 1, len(metadata))
    for key, value in metadata.items():
        if isinstance(value, str):
            data += string(key) + struct.pack("<I", 8) + string(value)
        else:
            data += string(key) + struct.pack("<II", 4, value)
    data += string("weight") + struct.pack("<I", len(dimensions))
    data += struct.pack(f"<{len(dimensions)}Q", *dimensions) + struct.pack("<IQ", 0, 0)
    data += bytes(-len(data) % 32)
    return data + bytes(4 * 64 * 2)
