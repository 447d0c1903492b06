"""How many answers a machine can generate at the same time, and what it can keep of past ones."""

from dataclasses import dataclass

MOST_SLOTS = 8  # a step of eight costs three times that of one; of sixteen, five times
SLOTS_PER_CORE = 4
CACHE_SHARE = 0.5  # of the memory that the weights leave, for the caches of all slots
STORE_SHARE = 0.1  # of it, for what past prompts leave behind
MOST_STORE = 500_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a worker may use: ``slots`` sequences, and ``store_bytes`` for those of the past."""

    slots: int
    store_bytes: int


def capacity(wanted: int, cores: int, spare: int, cache_bytes: int) -> Capacity:
    """Choose how many slots to have.

    Args:
        wanted: slots that the settings ask for; 0: choose.
        cores: CPU cores that may be used.
        spare: bytes of memory that the weights leave.
        cache_bytes: bytes of one slot's cache.

    """
    cache_bytes = max(1, cache_bytes)
    if wanted:
        slots = min(wanted, spare // cache_bytes)
    else:
        slots = min(MOST_SLOTS, SLOTS_PER_CORE * cores, int(spare * CACHE_SHARE) // cache_bytes)
    slots = max(1, slots)
    left = max(0, spare - slots * cache_bytes)
    return Capacity(slots, min(MOST_STORE, int(left * STORE_SHARE)))
