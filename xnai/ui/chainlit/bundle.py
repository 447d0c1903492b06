"""What is served of Chainlit's scripts in place of what they say: a single dollar is money.

Chainlit reads ``$5 and $6`` as a formula, and has no setting for it. Its scripts name one another
by relative addresses; so those that are served below another folder are all from there, and a
browser that has kept the ones of an earlier version for ever asks for the new ones.
"""

import re

CHANGED = "money"  # the folder; another name for every other change
_SINGLE = b"singleDollarTextMath;return n==null&&(n=!0)"
_MONEY = b"singleDollarTextMath;return n==null&&(n=!1)"
_ENTRY = re.compile(r"""/assets/(?=index-[\w-]+\.js["'])""")


def changed(content: bytes) -> bytes:
    """Return a file of Chainlit's as it is served."""
    return content.replace(_SINGLE, _MONEY)


def with_changed_scripts(html: str) -> str:
    """Return the page with its script from the folder of changed ones."""
    return _ENTRY.sub(f"/assets/{CHANGED}/", html)
