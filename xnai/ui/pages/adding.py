"""Files that are added to a library on the page of documents, each as the body of a request."""

from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from xnai.api.auth import Authority
from xnai.api.bodies import MEGABYTE, declared_length
from xnai.api.errors import require_accepting, require_search
from xnai.api.fields import refuse
from xnai.api.protocol import ApiRuntime
from xnai.errors import FILE_TOO_LARGE, TOO_MANY_REQUESTS, XnaiError
from xnai.net import holders
from xnai.observability.error_reports import report
from xnai.resilience.shares import NoShareError, Shares
from xnai.ui.pages.rendering import catalogued_problem
from xnai.ui.reading_language import texts_for

NAME_HEADER = "x-xnai-name"  # the name of the file, percent-encoded
_UPLOADS = 64  # under way at once; one person may have half of them
_LONGEST = 4000  # characters of a name as it is sent
_CREATED = 201


class AddedFiles:
    """Takes files into libraries of whoever is signed in to the chat."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority
        self._uploads = Shares(_UPLOADS)

    async def add(self, request: Request) -> Response:
        """Take a file in, and begin to read it."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            require_search(self._runtime)
            require_accepting(self._runtime)
            name = _name(request, self._runtime.settings.upload_max_mb)
            address = request.client.host if request.client else ""
            with self._uploads.share(*holders(person.person_id, address)):
                document = await self._runtime.shelving.take_in(
                    person, request.path_params["id"], name, request.stream()
                )
        except NoShareError as exc:
            busy = XnaiError(TOO_MANY_REQUESTS, count=exc.held)
            return catalogued_problem(report(busy), texts.say("It was not added"), texts)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return catalogued_problem(report(exc), texts.say("It was not added"), texts)
        return JSONResponse({"id": document.id}, _CREATED)


def _name(request: Request, limit_mb: int) -> str:
    """Return the name of the file, if that is not larger than it may be.

    Raises:
        XnaiError: BAD_REQUEST without a name, FILE_TOO_LARGE.

    """
    name = unquote(request.headers.get(NAME_HEADER, "")[:_LONGEST])
    if not name:
        raise refuse(f"The header {NAME_HEADER} is missing.", "Say in it what the file is called.")
    if declared_length(request.headers) > limit_mb * MEGABYTE:
        raise XnaiError(FILE_TOO_LARGE, name=repr(name[:255]), limit_mb=limit_mb)
    return name
