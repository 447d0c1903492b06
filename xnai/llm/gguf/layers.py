"""How many layers of a model a GPU is given."""

from collections.abc import Iterator

SPARE = 0.1  # of a GPU's free memory, for the buffers of a step
SPARE_BYTES = 300_000_000


def layers_that_fit(free: int, layers: int, size: int) -> int:
    """Return how many layers a GPU has the memory for.

    Args:
        free: bytes that it has free; 0: it does not say, so all are tried.
        layers: of the model, what makes logits of the last one included.
        size: bytes of all of them with their caches.

    """
    if not free:
        return layers
    room = free - max(SPARE_BYTES, int(SPARE * free))
    return min(layers, max(0, room * layers // max(1, size)))


def tries(first: int) -> Iterator[int]:
    """Numbers of layers to try one after the other: what was thought to fit, then ever fewer."""
    while first > 0:
        yield first
        first //= 2
    yield 0
