"""Dashboard and alert rules against figures that a real Prometheus scraped from real servers."""

import itertools
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
from paths import ROOT

from rig.processes import LocalServer
from rig.waiting import wait_until
from rig.whole_server import Server

OPS = ROOT / "ops"
DASHBOARD = json.loads((OPS / "grafana" / "xnai.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RULES = (OPS / "prometheus" / "alerts.yml").read_text()
STORY = b"Norwick Lighthouse was built in 1954. Its lamp was replaced in October 1987.\n"
NAME = re.compile(r"\b(?:xnai|gen_ai)_[a-z0-9_]+(?=[{\[ )]|$)")
LABELS = re.compile(r"by \(([^)]*)\)|\{([^}]*)\}")


def alerts() -> dict[str, str]:
    """The query of each alert, by its name."""
    text = re.sub(r">-\n((?: {10}.*\n)+)", lambda m: " ".join(m[1].split()) + "\n", RULES)
    return dict(re.findall(r"alert: (\w+)\n\s+expr: (.*)\n", text))


@dataclass
class Scraped:
    """A Prometheus that has scraped servers at work."""

    url: str
    text: str  # what one of them shows

    def query(self, expression: str) -> list[dict[str, object]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=30)
        body = answer.json()
        assert body["status"] == "success", f"{expression}: {body}"
        return body["data"]["result"]

    def wait_for(self, expression: str) -> None:
        wait_until(lambda: self.query(expression), f"{expression} finds something", pace=0.3)


def start_prometheus(folder: Path, ports: list[int]) -> LocalServer:
    config = (OPS / "prometheus" / "prometheus.yml").read_text()
    targets = json.dumps([f"127.0.0.1:{port}" for port in ports])
    config = config.replace('["127.0.0.1:8000"]', targets).replace("15s", "1s")
    (folder / "prometheus.yml").write_text(config)
    shutil.copy(OPS / "prometheus" / "alerts.yml", folder)
    server = LocalServer(folder)
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{server.port}",
    ]
    server.launch(command)
    return server


def ask(server: Server, **more: object) -> None:
    # Who asks for the model's own text, up to some words, gets that of a small model, too.
    question = {"role": "user", "content": "When was the lamp replaced?"}
    body = {"messages": [question], "stop": ["\u2603"], **more}
    url = f"{server.url}/v1/chat/completions"
    httpx.post(url, json={"max_tokens": 20, **body}, timeout=120).raise_for_status()


def leave_in_mid_answer(server: Server) -> None:
    body = {"messages": [{"role": "user", "content": "Tell a long story."}], "stream": True}
    url = f"{server.url}/v1/chat/completions"
    with httpx.stream("POST", url, json={**body, "retrieval": False}, timeout=120) as answer:
        assert any('"content":' in line for line in answer.iter_lines())


def give_work(server: Server, front: Server, scraped: Scraped) -> None:
    """Answers, a document, errors, a death of the model's process, and answers from elsewhere."""
    file_id = server.upload("story.txt", STORY * 20)
    for count in (1, 2):
        ask(server, retrieval={"document_ids": [file_id]})
        ask(front, retrieval=False)
        # What rises between two scrapes from nothing has not risen, for Prometheus.
        scraped.wait_for(f'min(xnai_search_stage_seconds_count{{stage!=""}}) >= {count}')
    leave_in_mid_answer(server)
    httpx.get(f"{server.url}/v1/files/none")
    for process in psutil.Process(server.process.pid).children(recursive=True):
        if "xnai.llm.worker.main" in " ".join(process.cmdline()):
            process.kill()
    ask(server, retrieval=False)


@pytest.fixture(scope="module")
def scraped(server, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prometheus")
    back = Server(tmp_path_factory.mktemp("back"))
    for name in ("models", "embedding"):
        shutil.copytree(server.folder / "data" / name, back.folder / "data" / name)
    front = Server(tmp_path_factory.mktemp("front"), {"XNAI_LLM_URL": back.url})
    shutil.copytree(server.folder / "data" / "embedding", front.folder / "data" / "embedding")
    prometheus = start_prometheus(folder, [back.port, front.port])
    back.start()
    front.start()
    try:
        back.wait(model="ready")
        front.wait(model="ready")
        found = Scraped(prometheus.url, "")
        found.wait_for(f'xnai_model_loads_total{{instance="127.0.0.1:{back.port}"}} > 0')
        give_work(back, front, found)
        found.text = httpx.get(f"{back.url}/metrics").text + httpx.get(f"{front.url}/metrics").text
        found.wait_for("xnai_model_restarts_total > 0 and xnai_model_loads_total > 1")
        found.wait_for('sum(xnai_breaker_calls_total{name="model"}) > 0')
        yield found
    finally:
        prometheus.stop()
        front.stop()
        back.stop()


def expressions() -> list[tuple[str, str]]:
    """Title and query; rates reach back to before the work, however long that took."""
    return [
        (
            panel["title"],
            target["expr"].replace("$__rate_interval", "30m").replace("$instance", ".+"),
        )
        for panel in PANELS
        for target in panel["targets"]
    ]


# What the work above does not bring about.
QUIET = {"Retries", "Changes and probes of breakers"}


@pytest.mark.engine
@pytest.mark.needs("prometheus")
@pytest.mark.parametrize(("title", "expression"), expressions())
def test_every_query_of_the_dashboard_finds_figures(scraped, title, expression):
    result = scraped.query(expression)
    if title not in QUIET:
        assert result, expression
        assert [one for one in result if one["value"][1] != "NaN"], f"{expression}: {result}"


@pytest.mark.engine
@pytest.mark.needs("prometheus")
@pytest.mark.parametrize("alert", alerts())
def test_every_alert_asks_for_figures_that_are_scraped(scraped, alert):
    expression = alerts()[alert]
    scraped.query(expression)
    sides = re.split(r" (?:>|<|==) [\d.e]+", expression)
    for side in itertools.chain.from_iterable(re.split(r" and ", side) for side in sides):
        selector = re.search(r"(?:xnai|up)\w*(?:\{[^}]*\})?", side)
        if selector:
            assert scraped.query(selector[0]), selector[0]


@pytest.mark.engine
@pytest.mark.needs("prometheus")
def test_prometheus_has_loaded_every_rule_and_none_fails(scraped):
    groups = httpx.get(f"{scraped.url}/api/v1/rules").json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == set(alerts())
    assert {rule["health"] for rule in rules} == {"ok"}
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


@pytest.mark.engine
@pytest.mark.needs("prometheus")
@pytest.mark.parametrize(
    "expression", [*alerts().values(), *(expression for _, expression in expressions())]
)
def test_every_name_and_label_of_a_query_is_shown(scraped, expression):
    lines = scraped.text.splitlines()
    for name in NAME.findall(re.sub(r"by \([^)]*\)", "", expression)):
        family = re.sub(r"_(bucket|count|sum|total)$", "", name)
        assert [line for line in lines if re.match(rf"# TYPE {family}(_total)? ", line)], name
        named = set()
        for grouped, chosen in LABELS.findall(expression):
            named |= {label.strip() for label in grouped.split(",") if label.strip()}
            named |= set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", chosen))
        own = named - {"instance", "job"}
        shown = "".join(line for line in lines if line.startswith(name + "{"))
        if shown:
            assert {label for label in own if f'{label}="' not in shown} == set(), name


@pytest.mark.needs("prometheus")
def test_each_alert_fires_when_it_should_and_at_no_other_time():
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts_test.yml"],
        cwd=OPS / "prometheus",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tried_both_ways_and_explained_under_a_heading():
    tried = (OPS / "prometheus" / "alerts_test.yml").read_text()
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    for alert in alerts():
        assert f"{alert} fires" in tried
        assert f"{alert} keeps quiet" in tried
        assert f"runbook: docs/operations.md#{alert.lower()}\n" in RULES
        assert re.search(rf"^#+ {alert}$", pages, re.MULTILINE), alert


def test_the_panels_do_not_overlap_and_have_an_id_each():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        columns = range(place["x"], place["x"] + place["w"])
        rows = range(place["y"], place["y"] + place["h"])
        cells = set(itertools.product(columns, rows))
        assert not cells & taken, panel["title"]
        assert max(columns) < 24
        taken |= cells
