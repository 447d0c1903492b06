"""Private document chat that runs on one ordinary machine."""

__version__ = "0.1.0"
