"""A reader that a file has taken over: says what it likes, as the media type asks it to."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _line(name: str, **fields: object) -> bytes:
    return json.dumps({name: fields}).encode() + b"\n"


SAYS = {
    "no end of a line": (b"x" * 2**20, "internal"),
    "no JSON": (b"hello\n", "internal"),
    "no frame": (b"[]\n", "internal"),
    "a picture of a terabyte": (
        b'{"Recognise": {"size": 1000000000000, "by": "tesseract"}}\n',
        "internal",
    ),
    "a picture that is none": (b'{"Recognise": {"size": 4, "by": "rapidocr"}}\nevil', "internal"),
    "a way to read that is none": (
        b'{"Recognise": {"size": 14, "by": "sh"}}\nP5 1 1 255\nxyz',
        "internal",
    ),
    "words that are none": (b'{"Words": {"words": [["rm", 1]]}}\n', "internal"),
    "words beyond the text": (
        _line("Words", words=[[0, 99, 0, 0, 1, 1, 90]])
        + _line("PagePart", number=1, text="x", more=False),
        "internal",
    ),
    "words off the page": (
        _line("Words", words=[[0, 1, -1, 0, 1, 1, 90]])
        + _line("PagePart", number=1, text="x", more=False),
        "internal",
    ),
    "words surer than sure": (
        _line("Words", words=[[0, 1, 0, 0, 1, 1, 101]])
        + _line("PagePart", number=1, text="x", more=False),
        "internal",
    ),
    "more words than there may be": (
        _line("Words", words=[[0, 1, 0, 0, 1, 1, 90]] * 1000),
        "file_text_too_long",
    ),
    "more of its own than there is": (
        b'{"PagePart": {"number": 1, "text": "x", "more": false, "native": 2}}\n',
        "internal",
    ),
    "blocks that are none": (b'{"PageBlocks": {"blocks": [["script", 0, 1]]}}\n', "internal"),
    "blocks beyond the text": (
        _line("PageBlocks", blocks=[["paragraph", 0, 99, [], None]])
        + _line("PagePart", number=1, text="x", more=False),
        "internal",
    ),
    "blocks in each other": (
        _line("PageBlocks", blocks=[["table", 0, 3, [], None], ["note", 1, 2, [], None]])
        + _line("PagePart", number=1, text="abc", more=False),
        "internal",
    ),
    "blocks off the page": (
        _line("PageBlocks", blocks=[["heading", 0, 1, [], [0, 0, 1, 10001]]])
        + _line("PagePart", number=1, text="x", more=False),
        "internal",
    ),
    "rows of no table": (
        _line("PageBlocks", blocks=[["table", 0, 1, [["x"]], None]], goes_on=True),
        "internal",
    ),
    "more rows than there may be": (
        _line("PageBlocks", blocks=[["table", 0, 1, [["x" * 1000] * 5] * 20, None]]),
        "internal",
    ),
    "a section without end": (
        _line("PagePart", number=1, text="x", more=False, section="x" * 1000),
        "internal",
    ),
    "a report that is none": (
        b'{"Notes": {"notes": [], "report": {"pages_read": "x"}}}\n',
        "internal",
    ),
    "a report without end": (
        _line("Notes", notes=[], report=[0, 0, 0, 0, 0, ["x"] * 1000, [], []]),
        "internal",
    ),
    "a report of long lines": (
        _line("Notes", notes=[], report=[0, 0, 0, 0, 0, ["x" * 1000], [], []]),
        "internal",
    ),
    "more text than there may be": (
        json.dumps({"PagePart": {"number": 1, "text": "x" * 1000, "more": True}}).encode() + b"\n",
        "file_text_too_long",
    ),
    "a page of numbers": (b'{"PagePart": {"number": 1, "text": 1, "more": true}}\n', "internal"),
    "the answer to another question": (
        b'{"MediaType": {"media_type": "text/plain"}}\n',
        "internal",
    ),
    "an error that is not known": (b'{"Unreadable": {"code": "x", "values": {}}}\n', "internal"),
    "values of its own": (
        b'{"Unreadable": {"code": "internal", "values": {"retry_after": [1]}}}\n',
        "internal",
    ),
    "objects without end": (b'{"a":' * 50_000 + b"\n", "internal"),
    "an end that is none": (b"", "internal"),
}


@contextmanager
def taken_over() -> Iterator[None]:
    """Have every reader that is started in the block be this one."""
    from xnai.documents.parsers import process  # noqa: PLC0415 - not in the reader itself

    module, path = process._MODULE, os.environ.get("PYTHONPATH", "")
    process._MODULE = "hostile_reader"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), path)))
    try:
        yield
    finally:
        process._MODULE = module
        os.environ["PYTHONPATH"] = path


if __name__ == "__main__":
    said, _ = SAYS[json.loads(sys.stdin.readline())["Start"]["media_type"]]
    while said:
        os.write(1, said)
    os.close(1)
    sys.stdin.read()
