"""Compiling the engine: inputs, the compiler under a reaper, its log."""
