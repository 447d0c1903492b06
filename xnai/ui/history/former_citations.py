"""Citations of messages that an earlier version kept: elements beside the text, by their names."""

import json
import re
from typing import Any

from xnai.types import Citation
from xnai.ui import citation_links, links

_NAME = re.compile(rf"\[{links.JOINER}?(\d{{1,6}})\]")


def linked_citations(output: str, elements: str) -> str:
    """Return a message with a link to the reader in the place of each name of an element.

    Args:
        output: the text of the message.
        elements: its elements as a JSON array.

    """
    made = {}
    for element in json.loads(elements):
        name = _NAME.fullmatch(str(element.get("name")))
        if name and (citation := _citation(int(name[1]), element.get("props"))):
            made[name[0]] = citation_links.link(citation)
    if not made:
        return output
    names = re.compile("|".join(re.escape(name) for name in made))
    return names.sub(lambda found: made[found[0]], output)


def _citation(index: int, props: Any) -> Citation | None:
    """Return the citation that an element showed; None of one that was cut for its length."""
    try:
        page, start, end = (int(props.get(key) or 0) for key in ("page", "start", "end"))
        return Citation(
            index, str(props["document"]), str(props["file"]), page or None, start, end, "", 0.0
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
