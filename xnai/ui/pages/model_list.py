"""``/models``: the models of this machine and of the catalogue; fetched, chosen, deleted.

Whoever may come in sees them; what changes something for everybody is the operator's to do: that of
the local person, or of the first key's holder.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from xnai.accounts import SERVER, Principal, may
from xnai.api.auth import Authority
from xnai.api.protocol import ApiRuntime
from xnai.errors import BAD_REQUEST, FORBIDDEN, UNAUTHORIZED, XnaiError
from xnai.llm.hardware import cpu_flags, usable_cores
from xnai.locale import Texts, marked
from xnai.models.catalogue import CatalogueEntry, shipped
from xnai.models.choice import is_overridden, write_default
from xnai.models.deleting import delete, find
from xnai.models.listing import ModelRow, rows
from xnai.models.recommend import no_room
from xnai.observability.error_reports import report
from xnai.ui.pages import endpoint_form
from xnai.ui.pages import model_words as words
from xnai.ui.pages.rendering import page_response, problem_page
from xnai.ui.reading_language import texts_for

PATH = "/models"
UNDER_WAY = frozenset({"fetching", "waiting", "testing"})
_HALTED = frozenset({"stopped", "failed"})
_SEE_OTHER = 303

Work = Callable[[str, Texts], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class ShownModel:
    """A model as the page shows it.

    ``lines`` say what it is; ``told`` and ``share`` how its download goes; ``source`` says before
    one where it goes. ``doing`` are the buttons it has: get, pause, use, delete.
    """

    name: str
    title: str
    kind: str
    state: str
    lines: tuple[str, ...]
    languages: tuple[str, ...]
    told: str
    share: int | None
    source: str
    recommended: bool
    doing: frozenset[str]


class ModelList:
    """The page, and what its buttons do."""

    def __init__(self, runtime: ApiRuntime, authority: Authority) -> None:
        self._runtime = runtime
        self._authority = authority

    async def show(self, request: Request) -> Response:
        """Show the models, or say why they cannot be shown."""
        texts = texts_for(request.headers)
        try:
            person = self._authority.reader(request)
            found = await asyncio.to_thread(self._found, person, texts)
            endpoint = await asyncio.to_thread(endpoint_form.shown, self._runtime.settings)
        except Exception as exc:  # noqa: BLE001 - whatever it is, a page says so
            error = report(exc)
            if error.kind is UNAUTHORIZED:
                return RedirectResponse(f"/login?{urlencode({'next': PATH}, safe='/')}", _SEE_OTHER)
            return _problem(error, texts.say("The models cannot be shown"), texts)
        values = {
            "chat": [one for one in found if one.kind == "chat"],
            "search": [one for one in found if one.kind != "chat"],
            "busy": self._runtime.models.report()["state"] in UNDER_WAY,
            "operates": may(person, "operate", SERVER),
            "endpoint": endpoint,
        }
        return page_response("models.html", values, texts)

    async def get(self, request: Request) -> Response:
        """Begin to fetch a model of the catalogue, or go on."""
        return await self._act(request, marked("It is not fetched"), self._get)

    async def pause(self, request: Request) -> Response:
        """Stop the download; what has arrived is kept."""
        return await self._act(request, marked("It was not paused"), self._pause)

    async def use(self, request: Request) -> Response:
        """Have a model answer from now on, and after the next start."""
        return await self._act(request, marked("It is not used"), self._use)

    async def delete(self, request: Request) -> Response:
        """Delete a model of the models folder that is not in use."""
        return await self._act(request, marked("It was not deleted"), self._delete)

    async def _act(self, request: Request, title: str, work: Work) -> Response:
        """Let an operator do something with the model that a request names; answers in words."""
        texts = texts_for(request.headers)
        try:
            self._require_operator(request)
            told = await work(request.path_params["name"], texts)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the page says so
            return _problem(report(exc), texts.say(title), texts)
        return PlainTextResponse(told)

    def _require_operator(self, request: Request) -> None:
        if not may(self._authority.reader(request), "operate", SERVER):
            raise XnaiError(FORBIDDEN)

    async def _get(self, name: str, texts: Texts) -> str:
        entry = shipped().get(name)
        if not words.where_from(entry, texts, hub=self._runtime.settings.hub == "on"):
            problem = f"{entry.title} is to be had from a hub alone, and XNAI_HUB is off."
            fix = "Set XNAI_HUB=on, or fetch another model."
            raise XnaiError(BAD_REQUEST, problem=problem, fix=fix)
        told = self._runtime.models.report()
        if told["state"] in UNDER_WAY:
            problem = f"{told['name']} is being fetched."
            raise XnaiError(BAD_REQUEST, problem=problem, fix="Wait for it, or pause it.")
        self._runtime.models.begin(name)
        self._note("model_fetch", name)
        return ""

    async def _pause(self, name: str, _: Texts) -> str:
        if self._runtime.models.report()["name"] == name:
            await self._runtime.models.stop()
        return ""

    async def _use(self, name: str, texts: Texts) -> str:
        await self._runtime.model.use(name)
        self._note("model", name)
        told = texts.say("{model} answers from now on.", model=name)
        try:
            await asyncio.to_thread(write_default, self._runtime.settings, name)
        except XnaiError as exc:
            report(exc)
            return f"{told} {texts.say('After the next start the former one does again.')}"
        if is_overridden(name):
            told += " " + texts.say(
                "XNAI_MODEL is set for this server, and decides at its next start."
            )
        return told

    async def _delete(self, name: str, _: Texts) -> str:
        if name == self._runtime.model.status.name:
            problem, fix = f"{name} is in use.", "Choose another one first."
            raise XnaiError(BAD_REQUEST, problem=problem, fix=fix)
        settings = self._runtime.settings
        found = await asyncio.to_thread(find, settings, name)
        await asyncio.to_thread(delete, settings, found)
        self._note("model_delete", name)
        return ""

    def _note(self, what: str, name: str) -> None:
        self._runtime.audit.record(what, name=name)

    def _found(self, person: Principal, texts: Texts) -> list[ShownModel]:
        """Look which models there are; blocks."""
        machine = words.MachineClass(usable_cores(), cpu_flags())
        is_operator = may(person, "operate", SERVER)
        return [
            self._shown(row, machine, texts, is_operator=is_operator)
            for row in rows(self._runtime.settings)
        ]

    def _shown(
        self, row: ModelRow, machine: words.MachineClass, texts: Texts, *, is_operator: bool
    ) -> ShownModel:
        entry = shipped().find(row.name)
        state = self._state(row)
        source = ""
        if entry is not None and not row.here and is_operator:
            hub = self._runtime.settings.hub == "on"
            source = words.where_from(entry, texts, hub=hub)
        lines = (
            words.about(row, texts),
            words.room(row, texts),
            words.speed(row, entry, machine, texts),
            texts.translation(row.note) if row.note else "",
            "" if row.tried else texts.say("Nobody has looked at answers of it here yet."),
        )
        told, share = self._download(entry, state, texts)
        return ShownModel(
            name=row.name,
            title=entry.title if entry else row.name,
            kind=row.kind,
            state=state,
            lines=tuple(filter(None, lines)),
            languages=row.languages,
            told=told,
            share=share,
            source=source,
            recommended=row.recommended,
            doing=self._doing(row, state, bool(source)) if is_operator else frozenset(),
        )

    def _state(self, row: ModelRow) -> str:
        told = self._runtime.models.report()
        if told.get("name") == row.name and told["state"] in UNDER_WAY | _HALTED:
            return str(told["state"])
        if not row.here:
            return "away"
        return "used" if row.name == self._runtime.model.status.name else "here"

    def _download(
        self, entry: CatalogueEntry | None, state: str, texts: Texts
    ) -> tuple[str, int | None]:
        """Say how a download goes, or why there can be none; with the per cent that are here."""
        told = self._runtime.models.report()
        if state == "fetching":
            total = int(str(told["total"])) or 1
            return words.progress(told, texts), round(100 * int(str(told["done"])) / total)
        if state == "stopped":
            kept = words.progress({**told, "rate": 0, "eta_seconds": None}, texts)
            return texts.say("Paused: {kept} are kept.", kept=kept), None
        if state == "away" and entry and no_room(entry, self._runtime.settings.models_dir):
            return texts.say("There is no room for it on the disk."), None
        said = {
            "waiting": texts.say("It is here, and is tested once the engine is there."),
            "testing": texts.say("It is here, and is being tested."),
            "failed": str(told.get("detail", "")),
        }
        return said.get(state, ""), None

    def _doing(self, row: ModelRow, state: str, is_offered: bool) -> frozenset[str]:
        doing = set()
        if state in UNDER_WAY:
            return frozenset({"pause"})
        if not row.here:
            return frozenset({"get"} if is_offered else ())
        if state != "used" and not row.problem and self._may_choose(row.name):
            doing.add("use")
        lies_here = Path(row.path).parent == self._runtime.settings.models_dir
        if state != "used" and lies_here and not row.bundled:
            doing.add("delete")
        return frozenset(doing)

    def _may_choose(self, name: str) -> bool:
        return any(info.name == name for info in self._runtime.model.models())


def _problem(error: XnaiError, title: str, texts: Texts) -> Response:
    said = " ".join(error.in_words_of(texts.translation)).strip()
    return problem_page(error.kind.status, title, said, texts, reference=error.code)
