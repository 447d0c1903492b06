"""Installs our own pages in the application that serves the chat."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from xnai.api.auth import Authority, PagePerson
from xnai.api.bodies import ADDED, LIBRARIES
from xnai.api.protocol import ApiRuntime
from xnai.ui import links
from xnai.ui.chosen import ChosenDocuments
from xnai.ui.pages.adding import AddedFiles
from xnai.ui.pages.bulk import PATH as BULK
from xnai.ui.pages.bulk import BulkActions
from xnai.ui.pages.document_list import DocumentList
from xnai.ui.pages.endpoint_form import EndpointForm
from xnai.ui.pages.export import PATH as CONVERSATIONS
from xnai.ui.pages.export import ConversationExport
from xnai.ui.pages.library_shelf import LibraryActions
from xnai.ui.pages.list_query import PATH as DOCUMENTS
from xnai.ui.pages.model_list import PATH as MODELS
from xnai.ui.pages.model_list import ModelList
from xnai.ui.pages.pins import Pins
from xnai.ui.pages.reader import ReaderPage
from xnai.ui.pages.rendering import theme_css
from xnai.ui.pages.script_texts import script_texts


def install(
    app: Starlette,
    runtime: ApiRuntime,
    page_person: PagePerson,
    read_again: Callable[[str], None],
    chosen: ChosenDocuments,
) -> None:
    """Put the pages before Chainlit's catch-all; call it once, before the server starts.

    Args:
        app: the application that serves the chat.
        runtime: the running program.
        page_person: returns the person whose valid cookie of the page a request carries.
        read_again: has a document read once more, by its id.
        chosen: keeps what the next new chat is to be asked about.

    """
    authority = Authority(runtime, page_person)
    reader = ReaderPage(runtime, authority)
    documents = DocumentList(runtime, authority, read_again)
    libraries = LibraryActions(runtime, authority)
    added = AddedFiles(runtime, authority)
    bulk = BulkActions(runtime, authority, read_again, chosen)
    models = ModelList(runtime, authority)
    conversations = ConversationExport(authority)
    pins = Pins(authority)
    endpoint = EndpointForm(runtime, authority)
    css = theme_css()

    async def theme(_: Request) -> Response:
        return Response(css, media_type="text/css", headers={"Cache-Control": "no-cache"})

    app.router.routes[:0] = [
        Route("/pages/theme.css", theme),
        Route("/pages/texts.json", script_texts, methods=["GET"]),
        Route(DOCUMENTS, documents.show, methods=["GET"]),
        Route(BULK, bulk.serve, methods=["POST"]),
        Route(f"{DOCUMENTS}/{{id}}", documents.delete, methods=["DELETE"]),
        Route(f"{DOCUMENTS}/{{id}}/again", documents.again, methods=["POST"]),
        Route(LIBRARIES, libraries.create, methods=["POST"]),
        Route(f"{LIBRARIES}/{{id}}", libraries.delete, methods=["DELETE"]),
        Route(f"{LIBRARIES}/{{id}}{ADDED}", added.add, methods=["POST"]),
        Route(
            f"{LIBRARIES}/{{id}}/documents/{{document}}", libraries.put, methods=["PUT", "DELETE"]
        ),
        Route(f"{CONVERSATIONS}/pinned", pins.list, methods=["GET"]),
        Route(f"{CONVERSATIONS}/{{id}}/pin", pins.pin, methods=["PUT", "DELETE"]),
        Route(f"{CONVERSATIONS}/{{id}}", conversations.get, methods=["GET"]),
        Route(MODELS, models.show, methods=["GET"]),
        Route(f"{MODELS}/endpoint", endpoint.change, methods=["POST", "DELETE"]),
        Route(f"{MODELS}/{{name}}", models.delete, methods=["DELETE"]),
        Route(f"{MODELS}/{{name}}/get", models.get, methods=["POST"]),
        Route(f"{MODELS}/{{name}}/pause", models.pause, methods=["POST"]),
        Route(f"{MODELS}/{{name}}/use", models.use, methods=["POST"]),
        Route(f"{links.READER}/{{id}}", reader.show, methods=["GET"]),
        Route(f"{links.READER}/{{id}}/layer", reader.layer, methods=["GET"]),
    ]
