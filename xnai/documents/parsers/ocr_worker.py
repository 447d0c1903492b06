"""Reads pictures of text with PP-OCR models: ``python -m xnai.documents.parsers.ocr_worker``.

It is confined as the readers of documents are, and lives as long as the reading of one document.
Each picture comes as PGM by standard input; what was read goes back as a line with its length, and
then as the table that tesseract writes (TSV), with a line before it that says by how many degrees
clockwise the picture had to be turned.
"""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from xnai.processes.sandbox import profiles
from xnai.processes.sandbox.confine import be_killed_with_parent, confine
from xnai.processes.sandbox.limits import limit

PICTURE = re.compile(rb"P5 (\d{1,5}) (\d{1,5}) 255\n")
_LONGEST_SIDE = 2000  # pixels; at twice as many it takes three times as long and reads no better
_LEAST_SCORE = 0.3
_TALL = 1.5  # times as high as wide: a line that does not run across
_MOST = 0.5  # of the lines
_COLUMNS = "level page_num block_num par_num line_num word_num left top width height conf text"


class PictureEngine:
    """The models, loaded once."""

    def __init__(self, threads: int) -> None:
        import rapidocr  # noqa: PLC0415 - takes two seconds

        models = Path(rapidocr.__file__).parent / "models"
        self._engine: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.max_side_len": _LONGEST_SIDE,
                "Global.text_score": _LEAST_SCORE,
                "Global.return_word_box": True,
                "EngineConfig.onnxruntime.intra_op_num_threads": threads,
                # Named, since what is not named may be fetched from a hub.
                "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
                "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
                "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
            }
        )
        self._upside_down: list[bool] = []
        self._turn = self._engine.cls_and_rotate
        setattr(self._engine, "cls_and_rotate", self._noted)  # noqa: B010 - a hook of no name

    def _noted(self, lines: list[Any]) -> Any:
        turned, found = self._turn(lines)
        self._upside_down = [label == "180" for label, _ in found.cls_res or ()]
        return turned, found

    def read(self, pixels: Any) -> tuple[int, list[Any]]:
        """Read a picture; returns how it had to be turned, and lines of words with boxes."""
        import numpy as np  # noqa: PLC0415

        lines = self._lines(pixels)
        degrees = self._degrees(lines)
        if degrees:
            lines = self._lines(np.ascontiguousarray(np.rot90(pixels, -degrees // 90)))
        return degrees, lines

    def _lines(self, pixels: Any) -> list[Any]:
        import numpy as np  # noqa: PLC0415

        self._upside_down = []
        found = self._engine(np.stack([pixels] * 3, axis=-1))
        if found.boxes is None or found.txts is None:
            return []
        words = found.word_results or ((),) * len(found.txts)
        return list(zip(found.boxes.tolist(), found.txts, found.scores, words, strict=False))

    def _degrees(self, lines: Sequence[Any]) -> int:
        """How far clockwise a picture has to be turned, as most of its lines say."""
        if not lines:
            return 0
        tall = sum(_height(box) > _TALL * _width(box) for box, *_ in lines) > _MOST * len(lines)
        over = sum(self._upside_down) > _MOST * max(len(self._upside_down), 1)
        # A line that runs downwards is turned against the clock before it is looked at.
        return (90 if over else 270) if tall else (180 if over else 0)


def _width(box: Sequence[Sequence[float]]) -> float:
    return max(x for x, _ in box) - min(x for x, _ in box)


def _height(box: Sequence[Sequence[float]]) -> float:
    return max(y for _, y in box) - min(y for _, y in box)


def _rows(lines: Sequence[Any]) -> Iterator[str]:
    for number, (corners_of_line, text, score, words) in enumerate(lines, start=1):
        # Words of letters and figures alone are parted by spaces; what a font has beyond is not.
        parts = [(word, one, place) for word, one, place in words if word.strip()]
        if "".join(word for word, *_ in parts) != "".join(text.split()):
            parts = [(text, score, corners_of_line)]
        for place, (word, sure, corners) in enumerate(parts, start=1):
            xs, ys = [x for x, _ in corners], [y for _, y in corners]
            left, top = int(min(xs)), int(min(ys))
            shown = " ".join(word.split())
            box = (left, top, int(max(xs)) - left, int(max(ys)) - top)
            cells = (5, 1, number, 1, 1, place, *box, f"{100 * float(sure):.1f}", shown)
            yield "\t".join(map(str, cells))


def table(degrees: int, lines: Sequence[Any]) -> str:
    """What was read, as a table with its turn before it."""
    return "\n".join([f"Rotate: {degrees}", "\t".join(_COLUMNS.split()), *_rows(lines)]) + "\n"


def answer(engine: PictureEngine, given: BinaryIO, output: BinaryIO) -> bool:
    """Read one picture; False when there is none any more."""
    import numpy as np  # noqa: PLC0415

    head = PICTURE.fullmatch(given.readline(32))
    if head is None:
        return False
    width, height = int(head[1]), int(head[2])
    data = given.read(width * height)
    if len(data) < width * height:
        return False
    text = table(*engine.read(np.frombuffer(data, np.uint8).reshape(height, width))).encode()
    output.write(b"%d\n" % len(text) + text)
    output.flush()
    return True


def main() -> None:
    """Confine this process, then read what comes: ``ocr_worker PARENT MEMORY SECONDS THREADS``."""
    parent, memory_mb, seconds, threads = sys.argv[1:]
    be_killed_with_parent(int(parent))
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    confine(profiles.parser(()))
    limit(int(memory_mb), float(seconds))
    engine = PictureEngine(int(threads))
    while answer(engine, sys.stdin.buffer, output):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
