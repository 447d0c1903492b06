"""Folders of a machine that libraries are kept in step with."""
