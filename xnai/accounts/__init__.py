"""People, their keys and sessions, and the one check of what somebody may do."""

from xnai.accounts.people import People
from xnai.accounts.principal import PROGRAM, Principal, acting
from xnai.accounts.rights import SERVER, Action, may

__all__ = ["PROGRAM", "SERVER", "Action", "People", "Principal", "acting", "may"]
