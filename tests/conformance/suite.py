"""Runs the conformance suite, and says for a person what it found."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.npm import packages

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
PYTHON: Final = sys.executable
MODERN: Final = [PYTHON, "-m", "tests.conformance.modern_server"]
GATEWAY: Final = [PYTHON, "-m", "tests.conformance.gateway"]
SECONDS: Final = 400
"""How long a run may take; a good one needs three to fifteen seconds, of clients that load the SDK three times that,
and a machine may be three times slower."""

_NOT_OURS: Final = ("tasks-", "auth/")
"""Scenarios of optional extensions that begin so are run by the suite and may fail where it does not score them."""

_STAMP: Final = re.compile(r"-\d{4}-\d\d-\d\dT[\d-]+Z$")
_COLOUR: Final = re.compile(r"\x1b\[\d*m")


class Verdict(NamedTuple):
    """What the suite found.

    ``problems``: what fails and is not expected to, what is expected to fail and passes, and what else went wrong; each
    for a person to read. ``crashed``: scenarios that pass, and that our client did not survive all the same.
    """

    problems: list[str]
    crashed: list[str]

    def __str__(self) -> str:
        return "\n".join(self.problems)


def legacy() -> list[str]:
    """Return the command line of the legacy fixture."""
    return [packages.NODE, str(HERE / "legacy_server.mjs"), str(packages.folder())]


@contextmanager
def serving(argv: list[str]) -> Iterator[str]:
    """Run a program that prints ``{"url": …}`` when it is ready; gives the URL."""
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def judge(mode: str, target: list[str], revision: str, out: Path, *, expected: str = "none") -> Verdict:
    """Run all that ``revision`` requires of a ``server`` or a ``client``.

    ``expected`` is a file in ``expected/`` if anything may fail. But for ``none`` (a fixture by itself, whose SDK has
    its own faults), scenarios that are run without being required have to pass as well.
    """
    baseline = HERE / "expected" / f"{expected}.yml"
    baseline = baseline if baseline.exists() else baseline.with_stem("none")
    argv = [*packages.program("conformance"), mode, *target, "--requirements", revision, "-o", str(out)]
    code, printed = _run([*argv, "--expected-failures", str(baseline)])
    failed = list(_failures(out))
    entries = re.findall(r"^  ✗ (\S+)$", printed[printed.rfind("Unexpected failures (") :], re.MULTILINE)
    unscored = (
        re.findall(r"- scenario: (\S+)", _requirements(revision).read_text("utf-8")) if expected != "none" else []
    )
    entries += [name for name in unscored if not name.startswith(_NOT_OURS)]
    problems = [text for name, check, text in failed if name in entries or f"{name}:{check}" in entries]
    stale = re.findall(r"^  ✓ (\S+)$", printed[printed.rfind("Stale baseline entries") :], re.MULTILINE)
    problems += [f"{entry} passes: take it out of expected/{baseline.name}" for entry in stale]
    if code != 0 and not problems:
        problems = [f"exit code {code}:\n{printed[-4000:]}"]
    bad = {name for name, _, _ in failed}
    return Verdict(problems, [name for name, folder in _scenarios(out) if name not in bad and _crashed(folder)])


def judge_one(scenario: str, url: str, out: Path) -> list[str]:
    """Run one scenario against a server, required or not; returns what fails, each for a person to read."""
    argv = [*packages.program("conformance"), "server", "--url", url, "--scenario", scenario, "--force"]
    code, printed = _run([*argv, "-o", str(out)])
    return [text for _, _, text in _failures(out)] or ([] if code == 0 else [f"exit code {code}:\n{printed[-4000:]}"])


def _run(argv: list[str]) -> tuple[int | None, str]:
    """Run to the end or to the deadline, with all that it starts."""
    with subprocess.Popen(
        argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            printed = f"{process.communicate()[0]}\nnot done within {SECONDS} s"
    return process.returncode, _COLOUR.sub("", printed)


def _failures(out: Path) -> Iterator[tuple[str, str, str]]:
    """Yield scenario, check and what the suite says about it, for each failed check."""
    for name, folder in _scenarios(out):
        checks: list[dict[str, Any]] = json.loads((folder / "checks.json").read_text("utf-8"))
        for check in checks:
            if check["status"] in {"FAILURE", "WARNING"}:
                why = check.get("errorMessage") or json.dumps(check.get("details"))[:400]
                yield name, check["id"], f"{name}:{check['id']}\n    {check['description']}\n    {why}"


def _scenarios(out: Path) -> list[tuple[str, Path]]:
    folders = sorted(path.parent for path in out.rglob("checks.json"))
    return [(_STAMP.sub("", str(path.relative_to(out))).removeprefix("server-"), path) for path in folders]


def _crashed(folder: Path) -> bool:
    said = folder / "stderr.txt"
    return said.exists() and "Traceback" in said.read_text("utf-8")


def _requirements(revision: str) -> Path:
    suite = packages.folder() / "node_modules" / "@modelcontextprotocol" / "conformance"
    return suite / "requirements" / f"{revision}.yaml"
