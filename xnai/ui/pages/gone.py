"""What is shown where a citation leads to a document that is not what it was.

An answer is as old as its sources: whoever opens one that was changed or deleted since is told so,
shown the version of now, and offered to ask again.
"""

from datetime import UTC, datetime
from urllib.parse import urlencode

from starlette.responses import Response

from xnai.errors import NOT_FOUND
from xnai.locale import Texts
from xnai.retrieval.former import FormerDocument
from xnai.ui import links
from xnai.ui.pages.rendering import page_response


def gone_page(former: FormerDocument, page: int, texts: Texts) -> Response:
    """Say what became of a document, and lead to the page of the version that is there now."""
    moment = datetime.fromtimestamp(former.gone_at, UTC).isoformat(timespec="minutes")
    if former.successor:
        title = texts.say("This document was changed since")
        words = texts.say("The answer is from an earlier version, which a new one replaced:")
    else:
        title = texts.say("This document was deleted since")
        words = texts.say("The answer is from a document that is no longer there. Deleted:")
    address = f"{links.READER}/{former.successor}?{urlencode({'page': page})}"
    values = {
        "title": title,
        "words": words,
        "moment": moment,
        "now": address if former.successor else "",
    }
    return page_response("gone.html", values, texts, NOT_FOUND.status)
