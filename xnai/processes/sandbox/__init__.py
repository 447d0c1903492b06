"""Least privilege for processes that read strangers' bytes; all of it runs inside such a process.

Two layers that know nothing of each other: Landlock (``landlock``) bounds which files exist for the
process, seccomp (``seccomp``) which system calls. ``profiles`` says what each kind of child needs,
``confine`` takes everything else away, ``probe`` tries what must not go.
"""
