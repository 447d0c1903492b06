"""What the README tells people to type is typed here."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys

import httpx
import psutil
import pytest
from paths import ROOT

from rig.pdf_files import pdf
from rig.processes import free_port
from rig.waiting import wait_until
from xnai.settings import PREFIX, Settings, load_settings

README = (ROOT / "README.md").read_text("utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def commands():
    """Each command of the README as its words, inline code included."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    inline = re.findall(r"`([^`\n]*\b(?:make|xnai) [^`\n]*)`", README)
    return [shlex.split(line, comments=True) for line in [*lines, *inline] if line.strip()]


def without_variables(words):
    return [word for word in words if not re.match(r"[A-Z_]+=", word)]


def test_the_readme_has_commands():
    assert ["make", "run"] in commands()
    assert ["make", "test"] in commands()


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_readme_exists(words):
    program, *arguments = without_variables(words)
    check = {
        "make": ["make", "-C", str(ROOT), "--dry-run", *arguments],
        "xnai": [sys.executable, "-m", "xnai.cli.main", *arguments[:1], "--help"],
        "chainlit": [sys.executable, "-m", "chainlit", *arguments[:1], "--help"],
    }[program.removeprefix(".venv/bin/")]

    result = subprocess.run(check, capture_output=True, text=True, check=False)

    assert 0 == result.returncode, result.stderr


def test_every_variable_of_the_readme_is_a_setting():
    named = set(re.findall(rf"{PREFIX}([A-Z_]+)", README))

    assert set() == named - {name.upper() for name in Settings.model_fields}


def test_the_settings_of_the_readmes_commands_are_valid(monkeypatch):
    for word in [word for words in commands() for word in words if word.startswith(PREFIX)]:
        name, value = word.split("=", 1)
        monkeypatch.setenv(name, value)

    assert load_settings()


def test_every_link_of_the_readme_leads_somewhere():
    links = re.findall(r"\]\(([^)#]+)", README)

    assert [] == [link for link in links if "://" not in link and not (ROOT / link).exists()]


@pytest.mark.engine
def test_the_readmes_program_gets_a_cited_answer(server, tmp_path, monkeypatch, capsys):
    program = blocks("python")[0]
    wait = re.search(r"^# wait until (.*)$", program, re.MULTILINE)
    assert wait is not None
    program = program.replace("http://127.0.0.1:8000", server.url)
    program = program.replace(wait[0], f"import time\nwhile not ({wait[1]}): time.sleep(0.05)")
    (tmp_path / "report.pdf").write_bytes(
        pdf([["The report concludes that the lighthouse needs a new lamp by October."]])
    )
    monkeypatch.chdir(tmp_path)

    exec(compile(program, "README.md", "exec"), {})

    assert "report.pdf" in capsys.readouterr().out


@pytest.mark.needs("own_venv")
def test_make_run_serves_the_page_until_ctrl_c(tmp_path):
    port = free_port()
    # `make test` hands its own arguments down to every make below it.
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "ARGS"))}
    variables = {
        "XNAI_PORT": str(port),
        "XNAI_DATA_DIR": str(tmp_path / "data"),
        "XNAI_MODELS_DIR": str(tmp_path / "models"),
        # A registry that has nothing: it is asked, which is what `make run` does and no other.
        "XNAI_HUB": "off",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(tmp_path),
    }
    with subprocess.Popen(
        ["make", "-C", ROOT, "run"],
        env={**kept, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as make:
        try:
            page = wait_for_page(f"http://127.0.0.1:{port}/", make)
            models = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).json()["models"]
            family = psutil.Process(make.pid).children(recursive=True)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(make.pid, signal.SIGINT)
        said, _ = make.communicate(timeout=60)

    assert "<html" in page
    assert models["state"] != "idle"
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(family, timeout=10)
    assert [] == [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def wait_for_page(url, process):
    def page() -> str:
        assert process.poll() is None, "it ended"
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(url, timeout=5).raise_for_status().text
        return ""

    try:
        return wait_until(page, f"a page at {url}")
    except AssertionError as error:
        process.kill()
        raise AssertionError(f"{error}: {process.stdout.read()}") from None
