"""Pictures made ready for being read: evenly lit, and with lines of text that run level.

A scan lies askew by a degree or two, and a photo is taken from the side: then what stands in one
row of a table is found at different heights, and goes to the wrong row. How lines run is told by
the heights at which there is ink, which differ most where lines are level (the projection profile
of document analysis, Postl, 1986). Used in the worker process only.
"""

from collections.abc import Sequence
from typing import Any

_SMALL = 1_000  # pixels of the longer side of the copy that is looked at
_BANDS = 5  # parts of a page whose lines may run differently, as in a photo
_STEEPEST = 0.09  # of a line's length, that it may rise by: five degrees
_COARSE, _FINE = 0.005, 0.0005
_REACH = 0.05  # that the lines of a band may differ by from those of the page
_LEAST = 0.0015  # of a line's length; a smaller rise parts no row
_LEAST_BANDS = 3
_LEAST_CHANGE = 0.006  # of the rise from head to foot, as of a photo taken from the side
_MOST_OFF = 0.004  # by which the rise of a band may differ from that
_MOST_INK = 60_000  # pixels that are looked at
_LEAST_INK = 400
_SHARPER = 1.08  # than as it is, that the profile of a picture has to become
_ON_SIDE = 1.5  # times sharper, than the profile of its height, that of its width is then
_DARKER = 18  # of 255, than what surrounds it: ink
_AROUND = 12  # pixels of the copy
_UNEVEN = 40  # of 255, between the lit part of the paper and that in the shade
_STRIP = 128  # rows of pixels
_PAPER = 48  # parts of the longer side, in each of which some paper shows

Coefficients = tuple[float, ...]  # of PIL: where each place of the new picture was in the old one


def evened(picture: Any) -> Any:
    """A grey picture with the shadows on its paper taken out, if it has any."""
    import numpy as np  # noqa: PLC0415 - few documents have pictures of text
    from PIL import Image, ImageFilter  # noqa: PLC0415

    step = max(max(picture.size) // (4 * _PAPER), 1)
    small = picture.reduce(step) if step > 1 else picture
    paper = small.filter(ImageFilter.MaxFilter(9)).filter(ImageFilter.GaussianBlur(6))
    low, high = np.percentile(np.asarray(paper), (10, 90))
    if high - low < _UNEVEN:
        return picture
    light = np.asarray(paper.resize(picture.size, Image.Resampling.BILINEAR))
    pixels = np.array(picture)
    for row in range(0, len(pixels), _STRIP):  # numbers of all of it would take too much memory
        strip = slice(row, row + _STRIP)
        even = pixels[strip] * (250.0 / np.maximum(light[strip], 40.0))
        pixels[strip] = np.minimum(even, 255.0).astype(np.uint8)
    return Image.fromarray(pixels)


def levelled(picture: Any) -> tuple[Any, Coefficients]:
    """A grey picture whose lines run level, and how it was changed; empty: not at all."""
    from PIL import Image  # noqa: PLC0415

    rises = _rises(picture)
    if rises is None:
        return picture, ()
    middle, change = rises
    width, height = picture.size
    if max(abs(middle + change / 2), abs(middle - change / 2)) < _LEAST:
        return picture, ()
    corners = [(x, y) for y in (0.0, float(height)) for x in (0.0, float(width))]
    were = []
    for x, y in corners:
        rise = middle + change * (y / height - 0.5)
        were.append((x - middle * (y - height / 2), y + rise * (x - width / 2)))
    coefficients = _perspective(corners, were)
    level = picture.transform(
        picture.size,
        Image.Transform.PERSPECTIVE,
        coefficients,
        Image.Resampling.BICUBIC,
        fillcolor=255,
    )
    return level, coefficients


def was_at(coefficients: Coefficients, x: float, y: float) -> tuple[float, float]:
    """Where a place of a levelled picture was before."""
    a, b, c, d, e, f, g, h = coefficients
    below = g * x + h * y + 1.0
    return (a * x + b * y + c) / below, (d * x + e * y + f) / below


def _rises(picture: Any) -> tuple[float, float] | None:
    """How much lines rise in the middle of a picture, and by how much more at its foot.

    None: it has no lines that can be told, or they are level.
    """
    across, down = _ink(picture)
    if len(across) < _LEAST_INK:
        return None
    middle, sharper = _rise(across, down, 0.0, _STEEPEST, _COARSE)
    turned, sharper_turned = _rise(-down, across, 0.0, _STEEPEST, _COARSE)
    # The longer side has more heights for the same ink.
    high, wide = down.max() - down.min() + 1, across.max() - across.min() + 1
    upright = _sharpness(across, down, middle) * high
    on_side = _sharpness(-down, across, turned) * wide > _ON_SIDE * upright
    if on_side and sharper_turned > _SHARPER:
        return _rise(-down, across, turned, 2 * _COARSE, _FINE)[0], 0.0
    middle = _rise(across, down, middle, 2 * _COARSE, _FINE)[0] if sharper > _SHARPER else 0.0
    bands = _bands(across, down, middle, _scale(picture) / picture.size[1])
    change = _fitted(bands) or _fitted(sorted(bands, key=lambda one: one[2])[1:])
    return change or ((middle, 0.0) if middle else None)


def _bands(
    across: Any, down: Any, middle: float, height_of: float
) -> list[tuple[float, float, float]]:
    """The rises of the parts of a page from head to foot, with their places and weights.

    ``height_of`` is the share of the page's height that a pixel is.
    """
    found, told = [], 0
    height = max(down.max() - down.min(), 1.0)
    top = down.min()
    for band in range(_BANDS):
        part = (down - top) * _BANDS / height
        inside = (part >= band) & (part < band + 1)
        if inside.sum() < _LEAST_INK:
            continue
        rise, sharp = _rise(across[inside], down[inside], middle, _REACH, 2 * _FINE)
        told += sharp > _SHARPER
        place = (top + height * (band + 0.5) / _BANDS) * height_of
        found.append((place - 0.5, rise, float(inside.sum()) ** 0.5))
    return found if told > 1 else []


def _fitted(found: Sequence[tuple[float, float, float]]) -> tuple[float, float] | None:
    """The rise in the middle and its change, by those of bands with their places and weights.

    None: they do not change evenly from head to foot.
    """
    import numpy as np  # noqa: PLC0415

    if len(found) < _LEAST_BANDS:
        return None
    places, rises, weights = map(np.array, zip(*found, strict=True))
    change, middle = np.polyfit(places, rises, 1, w=weights)
    off = np.abs(np.polyval((change, middle), places) - rises)
    if abs(change) < _LEAST_CHANGE or off.max() > max(0.3 * abs(change), _MOST_OFF):
        return None
    return float(middle), float(change)


def _scale(picture: Any) -> float:
    return max(1.0, float(max(picture.size)) / _SMALL)


def _ink(picture: Any) -> tuple[Any, Any]:
    """Where there is ink in a small copy of a picture: places across and down from its middle."""
    import numpy as np  # noqa: PLC0415
    from PIL import ImageFilter  # noqa: PLC0415

    scale = _scale(picture)
    small = picture.resize(max(1, int(n / scale)) for n in picture.size) if scale > 1 else picture
    around = np.asarray(small.filter(ImageFilter.BoxBlur(_AROUND)), dtype=np.int16)
    ys, xs = np.nonzero(around - np.asarray(small, dtype=np.int16) > _DARKER)
    if len(xs) > _MOST_INK:
        kept = np.linspace(0, len(xs) - 1, _MOST_INK).astype(np.int64)
        xs, ys = xs[kept], ys[kept]
    return xs - small.size[0] / 2, ys.astype(np.float64)


def _rise(across: Any, down: Any, around: float, reach: float, step: float) -> tuple[float, float]:
    """The rise at which lines are told best, and how much better than without any."""
    import numpy as np  # noqa: PLC0415

    tried = around + np.arange(-reach, reach + step / 2, step)
    scores = [_sharpness(across, down, rise) for rise in tried]
    best = int(np.argmax(scores))
    return float(tried[best]), float(scores[best] / max(_sharpness(across, down, 0.0), 1e-9))


def _sharpness(across: Any, down: Any, rise: float) -> float:
    """How much the heights at which there is ink differ, if lines rise so much."""
    import numpy as np  # noqa: PLC0415

    heights = down - rise * across
    counts = np.bincount((heights - heights.min()).astype(np.int64))
    return float((counts.astype(np.float64) ** 2).sum())


def _perspective(
    new: Sequence[tuple[float, float]], old: Sequence[tuple[float, float]]
) -> Coefficients:
    import numpy as np  # noqa: PLC0415

    rows, said = [], []
    for (x, y), (u, v) in zip(new, old, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        said += [u, v]
    return tuple(map(float, np.linalg.solve(np.array(rows), np.array(said))))
