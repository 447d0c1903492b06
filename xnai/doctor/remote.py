"""Checks of what is reached over the network, if the settings name it: Redis, model endpoints."""

import asyncio
from collections.abc import Iterator

from xnai.doctor.finding import CheckSubject, Finding, ok, problem, warning
from xnai.errors import REMOTE_KEY_REFUSED, REMOTE_MODEL_UNKNOWN
from xnai.llm.remote.endpoint import Endpoint
from xnai.llm.remote.timeouts import Closing
from xnai.resilience.redis.ping import NoAnswerError, ping
from xnai.settings import Settings

_SECONDS = 4.0
_SLOW = 0.02  # seconds of a ping; scripts have a quarter of a second


def check_redis(subject: CheckSubject) -> Iterator[Finding]:
    """Check that Redis answers, how quickly, and which version it is."""
    url = subject.settings.redis_url.get_secret_value()
    if not url:
        yield ok("redis", "not set: this server keeps its breakers for itself")
        return
    try:
        pong = asyncio.run(ping(url, _SECONDS))
    except ValueError:  # its text may quote a password
        text = "XNAI_REDIS_URL is not valid: expected redis://[:PASSWORD@]HOST:PORT[/NUMBER]"
        yield problem("redis", text, "nano .env")
    except NoAnswerError as exc:
        text = f"{exc}; each replica finds out alone what is sick"
        yield warning("redis", text, "redis-cli ping")
    else:
        words = f"{pong.shown}: {pong.version}, {1000 * pong.seconds:.1f} ms a ping"
        slow = pong.seconds > _SLOW
        yield (
            warning("redis", f"{words}: slow", "redis-cli --latency")
            if slow
            else ok("redis", words)
        )


def check_endpoints(subject: CheckSubject) -> Iterator[Finding]:
    """Check that each model endpoint answers, accepts the key and knows the model."""
    settings = subject.settings
    if not settings.llm_url:
        return
    found = asyncio.run(_check_all(settings))
    well = sum(one.level == "ok" for one in found)
    yield from found
    if not well and not settings.llm_fallback:
        text = "none of XNAI_LLM_URL can answer"
        yield problem("endpoints", text, "XNAI_LLM_FALLBACK=true make run")


async def _check_all(settings: Settings) -> list[Finding]:
    return list(await asyncio.gather(*(_check_endpoint(url, settings) for url in settings.llm_url)))


async def _check_endpoint(url: str, settings: Settings) -> Finding:
    endpoint = Endpoint(url, settings, Closing())
    try:
        async with asyncio.timeout(_SECONDS):
            await endpoint.check()
    except TimeoutError:
        text = f"{endpoint.name} has not answered within {_SECONDS:.0f} s"
        return warning("endpoints", text, f"curl -sv {url}/v1/models")
    finally:
        await endpoint.close()
    error = endpoint.reach.error
    if error is None:
        model = settings.llm_model or endpoint.info.default
        context = endpoint.context(settings.llm_model)
        return ok("endpoints", f"{endpoint.name}: {model}, {context:,} tokens of context")
    command = {
        REMOTE_KEY_REFUSED: "nano .env   # XNAI_LLM_API_KEY",
        REMOTE_MODEL_UNKNOWN: "nano .env   # XNAI_LLM_MODEL",
    }.get(error.kind, f"curl -sv {url}/v1/models")
    return warning("endpoints", error.message, command)
