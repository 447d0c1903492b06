"""Photos and scans as files: PNG, JPEG, TIFF, WebP; used in the worker process only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, ImageSequence, UnidentifiedImageError

from xnai.documents.parsers import ocr
from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.seen import Seen
from xnai.documents.pdf import layout as pdf_layout
from xnai.documents.pdf import marked, scans
from xnai.errors import FILE_DAMAGED, FILE_TOO_EXPENSIVE
from xnai.types import Page

_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_MOST_PIXELS = 80_000_000  # of a picture
_MOST_PAGES = 2_000
_SMALL = 1_600  # pixels of the longer side; letters of a smaller one are too low to be read
_LETTER = 792.0  # points of the longer side of a page, which a picture is taken to be


def pages(path: Path, seen: Seen) -> Iterator[Page]:
    """Read the pages of a picture file, of which TIFF alone may have several.

    Raises:
        Failure: FILE_DAMAGED, or FILE_TOO_EXPENSIVE.

    """
    with _opened(path) as image:
        count = min(getattr(image, "n_frames", 1), _MOST_PAGES)
        seen.tell_total(count)
        for number, frame in enumerate(ImageSequence.Iterator(image), start=1):
            if number > count:
                seen.warnings.append(f"Only the first {_MOST_PAGES:,} pages were read.")
                return
            yield _page(number, _grey(frame), seen)


def _page(number: int, picture: Any, seen: Seen) -> Page:
    if seen.recognise is None:
        seen.pictures_unread += 1
        return Page(number, "", (), 0)
    found = ocr.read(picture, seen.recognise, seen.able)
    if not found.words:
        seen.pictures_unread += 1
        return Page(number, "", (), 0)
    seen.recognised.append(number)
    seen.note_confidence(number, found.sure)
    layout = scans.layout_of(found, max(found.size) / _LETTER)
    text, _ = pdf_layout.written(layout, None)
    seen.tables += len(text.tables)
    return Page(number, text.text, scans.placed(found, layout, text), 0)


def picture(path: Path, wish: marked.Wish) -> bytes | None:
    """Draw a page as PNG with words marked; None: there is no such page."""
    with _opened(path) as image:
        if not 1 <= wish.page <= getattr(image, "n_frames", 1):
            return None
        image.seek(wish.page - 1)
        upright = _loaded(image).convert("RGB")
    height = max(1, round(upright.height * wish.width / upright.width))
    scale = min(1.0, (marked.MAX_PIXELS / (wish.width * height)) ** 0.5)
    drawn = upright.resize((max(1, round(wish.width * scale)), max(1, round(height * scale))))
    return marked.with_marks(drawn, marked.in_pixels(wish.boxes, drawn.size))


def _opened(path: Path) -> Any:
    Image.MAX_IMAGE_PIXELS = None  # our own limit says what is too large
    try:
        image = Image.open(path, formats=_FORMATS)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as exc:
        raise Failure(FILE_DAMAGED, reason="it is not a whole picture") from exc
    _require_size(image)
    return image


def _require_size(image: Any) -> None:
    if image.width * image.height > _MOST_PIXELS:
        limit = f"{_MOST_PIXELS // 1_000_000} megapixels"
        raise Failure(FILE_TOO_EXPENSIVE, resource="pixels", limit=limit)


def _loaded(frame: Any) -> Any:
    """A frame as it is to be looked at: cameras note how they were held."""
    _require_size(frame)
    try:
        return ImageOps.exif_transpose(frame)
    except (OSError, ValueError, SyntaxError) as exc:
        raise Failure(FILE_DAMAGED, reason="it is not a whole picture") from exc


def _grey(frame: Any) -> Any:
    """A frame in shades of grey, on white, and neither too large to be read nor too small."""
    image = _loaded(frame)
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    grey = image.convert("L")
    pixels = grey.width * grey.height
    factor = min(1.0, (ocr.MAX_PIXELS / pixels) ** 0.5)
    if max(grey.size) < _SMALL:
        factor = min(2.0, _SMALL / max(grey.size))
    if factor != 1.0:
        size = (max(1, round(grey.width * factor)), max(1, round(grey.height * factor)))
        grey = grey.resize(size)
    return grey
