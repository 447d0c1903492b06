"""Elements of the side panel."""

from collections.abc import Mapping
from typing import Any

import chainlit as cl


def side_element(name: str, props: Mapping[str, Any]) -> cl.CustomElement:
    """Build an element of the side panel without the file that Chainlit writes for its props.

    The props hold text of documents, and such a file would outlive the deletion of the documents.
    """
    element = cl.CustomElement(name=name, display="side", props=dict(props))
    # Chainlit writes no file of an element that has the key of one.
    element.chainlit_key, element.updatable = element.id, False
    return element
