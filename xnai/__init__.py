"""Private document chat that runs on one ordinary machine."""
