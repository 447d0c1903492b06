"""Tries a build of the engine in a process of its own.

The process (``xnai.llm.probe``) reads a fixed prompt with the bundled model, in one batch and
token by token, writes 16 tokens, and reads tiny models whose tensors are stored in each way that
copies of models are. Every logit that is compared has a counterpart that a plain build computed,
number by number. A crash, silence, a number that is none, or too large a deviation fails.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from xnai.llm.build.commands import Commands, SilenceError
from xnai.llm.build.record import BUILD_VARIABLE, VARIANT_VARIABLE, BuildTrial
from xnai.llm.engine.launch import NATIVE_ENVIRONMENT
from xnai.llm.hardware import usable_cores
from xnai.llm.probe.task import SelfTestTask

# How far logits may be off, as root mean square in parts of the plain build's own spread. Builds
# that are right (plain, AVX2, AVX-512, AMX) were off by rounding: by up to 0.098 with the bundled
# model's 30 layers and 0.027 with the tiny models' one. Garbage is off by 1 and more.
TOLERANCE = 0.3
TINY_TOLERANCE = 0.1
WRITTEN_TOLERANCE = 0.0  # share of the written tokens
SILENCE_SECONDS = 120.0  # without a word from the process
_KILLED = 128 + signal.SIGKILL
_ROOT = str(Path(__file__).resolve().parents[3])
_SIGNALS = {int(one) for one in (signal.SIGSEGV, signal.SIGILL, signal.SIGBUS, signal.SIGFPE)}


class SelfTest:
    """Self-tests of one build.

    Args:
        commands: runs the process.
        build: its name, told to the process.
        package: folder in which ``llama_cpp`` lies; unset: the installed one.

    """

    def __init__(self, commands: Commands, build: str, package: Path | None) -> None:
        self._commands = commands
        self._build = build
        self._package = package
        self._said: dict[str, Any] = {}
        self._part = ""
        self._last_line = ""
        self.was_killed = False  # from outside, which says nothing about the build

    async def run(self) -> BuildTrial:
        """Try the build; of a dynamic one each part that this processor can run, best first."""
        if not await self._probe("variants"):
            return BuildTrial(self._build, passed=False, reason=self._reason)
        scores: Mapping[str, int] = self._said.get("variants", {})
        able = sorted((name for name in scores if scores[name]), key=lambda name: -scores[name])
        reasons = []
        for variant in able or [""]:
            trial = await self._try(variant)
            if trial.passed:
                return trial
            reasons.append(f"{variant} {trial.reason}".strip())
        return BuildTrial(self._build, passed=False, reason="; ".join(reasons))

    async def _try(self, variant: str) -> BuildTrial:
        passed = await self._probe("compare", variant) and not (bad := self._beyond())
        if not passed and "deviations" in self._said:
            self._reason = f"computed wrong numbers ({bad})"
        return BuildTrial(
            self._build,
            passed=passed,
            reason="" if passed else self._reason,
            variant=variant,
            deviations=self._said.get("deviations", {}),
            features=str(self._said.get("features", "")),
        )

    def _beyond(self) -> str:
        """The worst deviation that is too large, in words; empty if none is."""
        found: Mapping[str, float] = self._said["deviations"]
        beyond = {name: value for name, value in found.items() if not value <= _limit(name)}
        if not beyond:
            return ""
        name = max(beyond, key=lambda one: beyond[one])
        return f"{name}: off by {beyond[name]:.2f}, where rounding is at most {_limit(name):g}"

    async def _probe(self, what: Literal["variants", "compare"], variant: str = "") -> bool:
        """Run the process; False with ``_reason`` if it failed."""
        self._said, self._part, self._last_line = {}, "", ""
        task = SelfTestTask(what, usable_cores(), str(self._commands.scratch))
        path = [str(self._package)] if self._package else []
        environment = {
            **NATIVE_ENVIRONMENT,
            "PYTHONPATH": os.pathsep.join([*path, _ROOT]),
            BUILD_VARIABLE: self._build,
            **({VARIANT_VARIABLE: variant} if variant else {}),
        }
        command = (sys.executable, "-m", "xnai.llm.probe", task.to_json())
        try:
            code = await self._commands.run(
                *command, on_line=self._hear, environment=environment, silence=SILENCE_SECONDS
            )
        except SilenceError:
            self._reason = f"did not come to an end in its self-test{self._where}"
            return False
        self.was_killed = code == _KILLED
        self._reason = self._explain(code)
        return code == 0 and not self._reason

    @property
    def _where(self) -> str:
        return f" ({self._part})" if self._part else ""

    def _explain(self, code: int) -> str:
        if "failed" in self._said:
            return f"failed its self-test{self._where}: {self._said['failed']}"
        if code - 128 in _SIGNALS:
            return f"crashed in its self-test ({signal.Signals(code - 128).name}){self._where}"
        if code:
            said = f": {self._last_line[:200]}" if self._last_line else ""
            return f"ended its self-test with status {code}{self._where}{said}"
        return ""

    def _hear(self, line: str) -> None:
        try:
            fields = json.loads(line)
            self._part = fields.get("part", self._part)
        except (ValueError, AttributeError):
            self._last_line = line
        else:
            self._said |= fields


def _limit(name: str) -> float:
    if name == "written":
        return WRITTEN_TOLERANCE
    return TOLERANCE if name.startswith("bundled") else TINY_TOLERANCE
