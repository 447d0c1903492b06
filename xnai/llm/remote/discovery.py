"""What a model endpoint is: which server, which models, how long a context."""

from dataclasses import dataclass
from typing import Any

from xnai.errors import MODEL_DOWN, REMOTE_GARBLED, XnaiError
from xnai.llm.remote.errors import printable
from xnai.llm.remote.http import EndpointHttp
from xnai.llm.remote.wire import Kind

DEFAULT_CONTEXT = 4096  # tokens
# llama_cpp.server tells nobody, and an over-long prompt ends its stream without a word.
_UNTOLD_CONTEXT = {"llama_cpp.server": 2048}
_OWNERS: dict[str, Kind] = {
    "xnai": "xnai",
    "vllm": "vllm",
    "llamacpp": "llama-server",
    "me": "llama_cpp.server",
}
_AWAY = {"preparing", "down"}  # of another XNAi's model; one that is loading is worth waiting for
_MODELS_MAX = 200
_ID_LONGEST = 500  # characters


@dataclass(frozen=True, slots=True)
class EndpointModel:
    """A model that an endpoint lists; ``context`` in tokens, 0 if it does not say."""

    name: str
    context: int = 0
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class EndpointInfo:
    """What an endpoint says of itself; ``default`` is the model it uses unasked."""

    kind: Kind = "openai"
    models: tuple[EndpointModel, ...] = ()
    default: str = ""
    slots: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The models, fit to be shown."""
        return tuple(printable(model.name) for model in self.models)

    def model(self, name: str) -> EndpointModel:
        """The model of that name, or its default; of one that is not listed nothing is known."""
        wanted = name or self.default
        return next((m for m in self.models if m.name == wanted), EndpointModel(wanted))

    def has(self, name: str) -> bool:
        """Whether it can be asked for that model; one that lists none may have it."""
        return not name or not self.models or any(model.name == name for model in self.models)

    def context(self, name: str) -> int:
        """Tokens of prompt and answer together."""
        return self.model(name).context or _UNTOLD_CONTEXT.get(self.kind, DEFAULT_CONTEXT)


async def ask(http: EndpointHttp, *, seconds: float, model: str = "") -> EndpointInfo:
    """Ask an endpoint what it is.

    Raises:
        XnaiError: it cannot be reached, refuses the key, is not ready, or is no such server.

    """
    try:
        listed = await http.json("GET", "/v1/models", seconds=seconds)
    except XnaiError as exc:
        # Some servers have no list; then the setting has to name the model.
        if exc.kind is REMOTE_GARBLED and model:
            return EndpointInfo(default=model)
        raise
    info = _read(http.endpoint, listed)
    if info.kind == "llama-server":
        return await _with_slots(http, info, seconds)
    if info.kind == "xnai":
        await _check_generation(http, seconds)
    return info


def _read(endpoint: str, listed: Any) -> EndpointInfo:
    entries = listed.get("data") if isinstance(listed, dict) else None
    if not isinstance(entries, list):
        raise XnaiError(REMOTE_GARBLED, endpoint=endpoint, problem="/v1/models lists no models")
    usable = [entry for entry in entries[:_MODELS_MAX] if _is_model(entry)]
    models = tuple(_model(entry) for entry in usable)
    owner = usable[0].get("owned_by") if usable else None
    kind = _OWNERS.get(owner, "openai") if isinstance(owner, str) else "openai"
    default = listed.get("default")
    known = {model.name for model in models}
    if not isinstance(default, str) or default not in known:
        default = models[0].name if models else ""
    return EndpointInfo(kind, models, default)


def _is_model(entry: Any) -> bool:
    name = entry.get("id") if isinstance(entry, dict) else None
    return isinstance(name, str) and 0 < len(name) <= _ID_LONGEST


def _model(entry: dict[str, Any]) -> EndpointModel:
    meta = entry.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    # vLLM, another XNAi, llama-server.
    context = _number(entry.get("max_model_len"), entry.get("context"), meta.get("n_ctx"))
    return EndpointModel(
        entry["id"], context, _number(entry.get("parameters"), meta.get("n_params"))
    )


async def _with_slots(http: EndpointHttp, info: EndpointInfo, seconds: float) -> EndpointInfo:
    """Older servers tell the context at /props only."""
    try:
        props = await http.json("GET", "/props", seconds=seconds)
    except XnaiError:
        return info
    if not isinstance(props, dict):
        return info
    settings = props.get("default_generation_settings")
    context = _number(settings.get("n_ctx")) if isinstance(settings, dict) else 0
    models = tuple(
        EndpointModel(model.name, model.context or context, model.parameters)
        for model in info.models
    )
    slots = min(_number(props.get("total_slots")), 1024) or 1
    return EndpointInfo(info.kind, models, info.default, slots)


async def _check_generation(http: EndpointHttp, seconds: float) -> None:
    health = await http.json("GET", "/health/ready", seconds=seconds)
    state = health.get("model") if isinstance(health, dict) else None
    if state in _AWAY:
        wait = health.get("eta_seconds")
        raise XnaiError(
            MODEL_DOWN,
            retry_after=float(min(wait, 60))
            if isinstance(wait, int | float) and wait > 0
            else None,
            reason=f"{http.endpoint} says that its model is {state}",
        )


def _number(*candidates: object) -> int:
    """The first that is a size worth believing."""
    for value in candidates:
        if type(value) is int and 0 < value < 1 << 53:
            return value
    return 0
