"""The one way in which what is measured again and again is averaged."""


def moving_average(old: float | None, new: float, newest: float = 0.3) -> float:
    """Return an average in which older measurements count less and less.

    Args:
        old: the average so far; None: nothing was measured yet.
        new: what was measured now.
        newest: the weight of that.

    """
    return new if old is None else old + newest * (new - old)
