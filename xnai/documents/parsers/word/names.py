"""Names in the XML of Word files."""

from typing import Any

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_STRICT = "{http://purl.oclc.org/ooxml/wordprocessingml/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"


def local(tag: object) -> str:
    """The name of an element or attribute without its namespace; empty for a comment."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def value(element: Any, name: str = "val") -> str | None:
    """An attribute of Word's own; None if it is not there."""
    found = element.get(_W + name)
    if found is None:
        found = element.get(_STRICT + name)
    return None if found is None else str(found)


def child(element: Any, *names: str) -> Any:
    """The first descendant by a path of local names; None if there is none."""
    for name in names:
        element = next((one for one in element if local(one.tag) == name), None)
        if element is None:
            return None
    return element


def is_on(element: Any) -> bool:
    """Whether a switch is there and not off."""
    return element is not None and value(element) not in {"0", "false", "off", "none"}
