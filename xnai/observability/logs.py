"""One format for every line of the log, and nothing private in it."""

import logging
import re
import sys
from collections.abc import Collection, Mapping
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from xnai.observability.traces import add_trace
from xnai.settings import Settings

PRIVATE = "[private]"
_PRIVATE_NAMES = frozenset(
    {
        *("answer", "body", "content", "messages", "passage", "passages", "prompt", "query"),
        *("question", "quote", "text", "token"),
        *("api_key", "api_keys", "authorization", "cookie", "password", "secret", "set-cookie"),
    }
)
_SHORT = 8  # characters; shorter secrets stand in other words, so only addresses lose them
_PASSWORD = re.compile(r"(//[^\s/@:]*:)[^\s/@]+@")  # of an address
_BEARER = re.compile(r"(?i)(bearer\s+)[^\s'\",]+")
_CHATTY = (
    "httpx",
    "httpcore",
    "markitdown",
    "pdfminer",
    "engineio",
    "socketio",
    "watchfiles",
    "mcp",
)


class Redact:
    """A structlog processor that takes out secrets and what documents and people say.

    Values under a private name are replaced at any depth, numbers excepted; ``secrets`` that stand
    alone, bearer tokens, and passwords in addresses are replaced wherever they are in a line,
    tracebacks of libraries included.
    """

    def __init__(self, secrets: Collection[str] = ()) -> None:
        long = sorted({s for s in secrets if len(s) >= _SHORT}, key=len, reverse=True)
        words = "|".join(map(re.escape, long))
        self._secrets = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])") if long else None

    def __call__(self, _: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
        """The line without what is private."""
        return {name: self._clean(name, value) for name, value in event_dict.items()}

    def _clean(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, (int, float)):
            return value
        if name.lower() in _PRIVATE_NAMES:
            return PRIVATE
        if isinstance(value, Mapping):
            return {key: self._clean(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._clean("", item) for item in value]
        if isinstance(value, str):
            if self._secrets is not None:
                value = self._secrets.sub(PRIVATE, value)
            value = _PASSWORD.sub(rf"\1{PRIVATE}@", value)
            return _BEARER.sub(rf"\1{PRIVATE}", value)
        return value


def configure_logging(settings: Settings) -> None:
    """Send the lines of structlog and of every library's ``logging`` through one format.

    May be called again: uvicorn installs its own handlers when it is configured, so the runtime
    repeats the call when the server starts.
    """
    level = settings.log_level
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        add_trace,
        Redact(_secrets(settings)),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    _adopt_libraries(level)
    logging.captureWarnings(capture=True)


def _secrets(settings: Settings) -> list[str]:
    keys = [key.get_secret_value() for key in (*settings.api_keys, settings.llm_api_key)]
    password = urlsplit(settings.redis_url.get_secret_value()).password or ""
    return [*keys, password, unquote(password)]


def _renderer(log_format: Literal["console", "json"]) -> Processor:
    if log_format == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False, default=repr)
    # The default formatter of exceptions prints local variables, document text among them.
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )


def _adopt_libraries(level: str) -> None:
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "chainlit"):
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = name != "uvicorn.access"
    if level != "debug":
        for name in _CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        # It logs an error with a traceback whenever a client ends its session as it should.
        logging.getLogger("mcp.server.streamable_http").setLevel(logging.CRITICAL)
