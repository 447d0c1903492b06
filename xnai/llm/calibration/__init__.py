"""Choosing by measurement how a model is run on this machine."""
