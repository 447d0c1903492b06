"""Leaves out what Chainlit imports and nobody here uses.

Chainlit takes three types from the client of a cloud service, whose modules import an SDK that
sends traces abroad, and with it pandas. Nothing of it ever ran, but each start paid 1.3 s of a core
and 50 MB for it. An empty module in its place is imported instead; whoever calls it is told.
"""

import sys
from types import ModuleType

_SDK = "traceloop"


class Traceloop:
    """Stands where the SDK's only imported class would."""

    def __getattr__(self, name: str) -> object:
        """Refuse.

        Raises:
            RuntimeError: always.

        """
        raise RuntimeError(f"{_SDK} is left out of this program, and {name} was asked of it.")


def leave_out() -> None:
    """Put the empty module in place, unless the real one is there already."""
    if _SDK in sys.modules:
        return
    package, sdk = ModuleType(_SDK), ModuleType(f"{_SDK}.sdk")
    sdk.Traceloop = Traceloop()  # type: ignore[attr-defined]  # that is what a module is for
    sys.modules[_SDK], sys.modules[sdk.__name__] = package, sdk
