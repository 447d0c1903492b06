"""How a page has to be looked at so that its text runs from left to right and lines go down.

Pages are turned by their viewer or drawn sideways, and Hebrew and Arabic run from right to left.
What looks for columns, tables and notes sees all of them in one frame: turned upright, and mirrored
where text runs from the right.
"""

from typing import NamedTuple

Box = tuple[float, float, float, float]  # left, bottom, right, top


class Frame(NamedTuple):
    """A view of a page; its own coordinates are points from the lower left corner.

    Attributes:
        turns: quarters of a turn against the clock that its text is turned by.
        mirrored: whether right and left are exchanged.
        bounds: of the page; a frame that is neither turned nor mirrored needs none.

    """

    turns: int = 0
    mirrored: bool = False
    bounds: Box = (0.0, 0.0, 0.0, 0.0)

    @property
    def is_plain(self) -> bool:
        """Whether it shows the page as it is."""
        return not self.turns and not self.mirrored

    @property
    def size(self) -> Box:
        """The bounds of the page in the frame."""
        return self.bounds if self.is_plain else self.seen(self.bounds)

    def seen(self, box: Box) -> Box:
        """A box on the page as it lies in the frame."""
        if self.is_plain:
            return box
        left, bottom, right, top = box
        x0, y0, x1, y1 = self.bounds
        if self.turns == 1:
            found = (bottom - y0, x1 - right, top - y0, x1 - left)
        elif self.turns == 2:  # noqa: PLR2004 - upside down
            found = (x1 - right, y1 - top, x1 - left, y1 - bottom)
        elif self.turns == 3:  # noqa: PLR2004 - three quarters
            found = (y1 - top, left - x0, y1 - bottom, right - x0)
        else:
            found = (left - x0, bottom - y0, right - x0, top - y0)
        return self._mirrored(found)

    def on_page(self, box: Box) -> Box:
        """A box in the frame as it lies on the page."""
        if self.is_plain:
            return box
        left, bottom, right, top = self._mirrored(box)
        x0, y0, x1, y1 = self.bounds
        if self.turns == 1:
            return x1 - top, y0 + left, x1 - bottom, y0 + right
        if self.turns == 2:  # noqa: PLR2004 - upside down
            return x1 - right, y1 - top, x1 - left, y1 - bottom
        if self.turns == 3:  # noqa: PLR2004 - three quarters
            return x0 + bottom, y1 - right, x0 + top, y1 - left
        return x0 + left, y0 + bottom, x0 + right, y0 + top

    def _mirrored(self, box: Box) -> Box:
        if not self.mirrored:
            return box
        left, bottom, right, top = box
        x0, y0, x1, y1 = self.bounds
        width = y1 - y0 if self.turns % 2 else x1 - x0
        return width - right, bottom, width - left, top
