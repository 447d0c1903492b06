"""What the modules of the page say, for them to fetch in the reader's language.

``tests/unit/ui/test_script_texts.py`` compares the list with public/.
"""

import hashlib
import json

from starlette.requests import Request
from starlette.responses import Response

from xnai.locale import Texts, marked
from xnai.ui.reading_language import texts_for

TEXTS = (
    marked("Documents"),
    marked("Models"),
    marked("Deleted {file}."),
    marked("Chosen: {number}"),
    marked("{file} was added, and is being read."),
    marked("{file} is kept in the library."),
    marked("{file} is no longer in the library."),
    marked("Drop a file here, or press the paper clip, and ask about it."),
    marked(
        "A language model on this machine answers and shows the place it has read. Your files, "
        "questions and answers stay on this machine."
    ),
    marked(
        "A language model answers and shows the place it has read. Your files stay on this "
        "machine; questions, and the places found for them, go to the address of the model that "
        "this server has."
    ),
    marked("Page {page}"),
    marked("Close"),
    marked("Open in a tab of its own"),
    marked("Source"),
    marked("The source cannot be shown. Reload the page."),
    marked("The server does not answer. Is it still running?"),
    marked("Copied"),
    marked("Could not be copied"),
    marked("Copy as CSV"),
    marked("Copy with sources"),
    marked("Details"),
    marked("Open or close the list of chats"),
    marked("Search chats"),
    marked("New chat"),
    marked("Settings"),
    marked("Attach files"),
    marked("Drop the files anywhere"),
    marked(
        "{file} cannot be read: files of this kind are not known here. PDF, Word, Excel, "
        "PowerPoint, OpenDocument, RTF, text, tables, web pages, e-mail, e-books, ZIP and pictures "
        "are."
    ),
    marked("{file} cannot be read: it is empty."),
    marked("{file} is too large: it has {size} MB, and {limit} MB are read at most."),
    marked("{file} was left out: at most {limit} can be sent at once. Send it after these."),
    marked("Files"),
    marked("Cancel"),
    marked("Try again"),
    marked("Cancel {file}"),
    marked("Try {file} again"),
    marked("Dismiss"),
    marked("Next attempt in about {time}."),
    marked("{number} s"),
    marked("Take the file back"),
    marked("Send"),
    marked("Stop"),
    marked("What to do with this chat"),
    marked("Export as Markdown"),
    marked("Export as JSON"),
    marked("Close the panel"),
    marked("Answer again"),
    marked("A good answer"),
    marked("A bad answer"),
    marked("Copy"),
    marked("To the newest message"),
    marked("Pinned"),
    marked("Pin"),
    marked("Unpin"),
    marked("Unpin {name}"),
    marked("Questions to go on with"),
    marked(
        "Questions, and the places found for them, will be sent to {address}. A key is kept on "
        "this machine, and not shown again."
    ),
)


async def script_texts(request: Request) -> Response:
    """Return the texts as JSON; a browser that has them asks only whether they are the same."""
    body = _body(texts_for(request.headers))
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Language", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _body(texts: Texts) -> bytes:
    said = {text: texts.translation(text) for text in TEXTS}
    told = {"language": texts.language, "direction": texts.direction, "texts": said}
    return json.dumps(told, ensure_ascii=False).encode()
