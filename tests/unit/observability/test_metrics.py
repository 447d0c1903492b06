import asyncio
import json
import logging
import time
from collections.abc import Iterator

import pytest
import structlog

from rig.waiting import eventually
from xnai.observability import PRIVATE, Metrics, Redact, configure_logging
from xnai.observability.loop_lag import LoopLag
from xnai.settings import Settings


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(capsys, log_format="json", **settings):
    """Configure; the function returned gives what was logged since."""
    configure_logging(Settings(_env_file=None, log_format=log_format, **settings))
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.usefixtures("restored")
def test_a_line_has_utc_time_level_logger_and_what_is_bound_to_the_request(capsys):
    logged = lines(capsys)
    with structlog.contextvars.bound_contextvars(request_id="r1", thread="t1"):
        structlog.get_logger("xnai.some.room").info("model loaded", seconds=1.5)
    [line] = logged()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "model loaded",
        "level": "info",
        "logger": "xnai.some.room",
        "request_id": "r1",
        "thread": "t1",
        "seconds": 1.5,
    }


@pytest.mark.usefixtures("restored")
def test_lines_of_libraries_have_the_same_form(capsys):
    logged = lines(capsys)
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        logging.getLogger("some.library").warning("disk %s is slow", "sda")
    [line] = logged()
    assert (
        line["event"],
        line["level"],
        line["request_id"],
    ) == ("disk sda is slow", "warning", "r1")


@pytest.mark.usefixtures("restored")
def test_secrets_document_text_and_local_variables_are_never_logged(capsys):
    logged = lines(capsys, api_keys="open-sesame-of-tests")
    log = structlog.get_logger("xnai")
    log.info("asked", question="top secret", nested={"Prompt": "top secret", "n": 1}, tokens=12)
    logging.getLogger("library").error("refused Bearer abc123 and open-sesame-of-tests")
    try:
        int("x" * len("top secret"))
    except ValueError:
        log.exception("failed")
    asked, refused, failed = logged()
    assert (
        asked["question"],
        asked["nested"],
        asked["tokens"],
    ) == (PRIVATE, {"Prompt": PRIVATE, "n": 1}, 12)
    assert refused["event"] == f"refused Bearer {PRIVATE} and {PRIVATE}"
    assert "ValueError: invalid literal" in failed["exception"]
    assert "top secret" not in json.dumps([asked, refused])


@pytest.mark.usefixtures("restored")
def test_the_console_shows_no_local_variables_of_a_traceback(capsys):
    configure_logging(Settings(_env_file=None, log_format="console"))

    def fail(passage: str) -> None:
        raise ValueError(len(passage))

    try:
        fail("the document says so" * 2)
    except ValueError:
        structlog.get_logger("xnai").exception("failed")
    shown = capsys.readouterr().err
    assert "ValueError: 40" in shown
    assert "saysothe" not in shown.replace(" ", "")


@pytest.mark.usefixtures("restored")
def test_access_lines_of_uvicorn_are_off_and_its_errors_are_not(capsys):
    logged = lines(capsys)
    logging.getLogger("uvicorn.access").info("GET /?key=1")
    logging.getLogger("uvicorn.error").error("port in use")
    assert [line["event"] for line in logged()] == ["port in use"]


@pytest.mark.usefixtures("restored")
def test_the_level_is_the_one_that_is_set(capsys):
    logged = lines(capsys, log_level="warning")
    structlog.get_logger("xnai").info("not important")
    structlog.get_logger("xnai").warning("important")
    assert [line["event"] for line in logged()] == ["important"]


def test_redaction_leaves_numbers_and_unsuspicious_names_alone():
    line = {"event": "found", "passages": 4, "text": None, "file_name": "a.pdf", "list": [1, "b"]}
    assert Redact()(None, "info", dict(line)) == line


def test_an_answer_is_timed_however_it_ends():
    metrics = Metrics()
    with pytest.raises(ValueError, match="end"), metrics.answering() as watch:
        watch.token()
        watch.token()
        raise ValueError("end")
    assert tuple(
        metrics.registry.get_sample_value(name)
        for name in (
            "xnai_answer_seconds_count",
            "xnai_first_token_seconds_count",
        )
    ) == (1, 1)


async def test_a_blocked_event_loop_is_seen_as_lag():
    metrics = Metrics()
    value = metrics.registry.get_sample_value
    async with LoopLag(metrics.event_loop_lag, interval=0.005):
        await eventually(lambda: value("xnai_event_loop_lag_seconds_count") >= 1)
        time.sleep(0.06)  # noqa: ASYNC251 - the point of the test
        await eventually(lambda: value("xnai_event_loop_lag_seconds_sum") > 0.05)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "event-loop-lag"]


def test_a_secret_is_taken_out_where_it_stands_alone_and_nowhere_else():
    key, password = "a-key-of-sixteen", "on"
    clean = Redact([key, password])
    told = {
        "event": f"key={key}, '{key}' and my{key}s are on; on",
        "url": f"redis://user:{password}@host/0 and redis://host:6379/on",
    }
    assert clean(None, "info", told) == {
        "event": f"key={PRIVATE}, '{PRIVATE}' and my{key}s are on; on",
        "url": f"redis://user:{PRIVATE}@host/0 and redis://host:6379/on",
    }
