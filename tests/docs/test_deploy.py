"""The units and the container file, as far as they can be checked without running them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ("vsm-mcp.service", "vsm-mcp-user.service")
BREAKS_THE_SANDBOX = {
    "RestrictNamespaces",
    "ProtectKernelTunables",
    "ProtectKernelLogs",
    "ProtectProc",
    "ProcSubset",
    "ProtectControlGroups",
    "ProtectHostname",
    "SystemCallFilter",
    "PrivateUsers",
    "MemoryDenyWriteExecute",
    "PrivateNetwork",
}


def directives(name: str) -> dict[str, str]:
    text = (ROOT / "deploy" / name).read_text("utf-8")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


@pytest.mark.parametrize("name", UNITS)
def test_what_a_unit_promises(name: str) -> None:
    found = directives(name)
    assert found["Type"] == "notify"
    assert found["Delegate"] == "yes"
    assert found["OOMPolicy"] == "continue"
    assert "-HUP" in found["ExecReload"]
    assert int(found["WatchdogSec"]) > 0
    assert found["ExecStart"].endswith("/vsm-mcp serve")
    assert not BREAKS_THE_SANDBOX & found.keys()


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_a_unit(name: str, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not on this machine")
    text = (ROOT / "deploy" / name).read_text("utf-8")
    program = Path(sys.executable).parent / "vsm-mcp"
    unit = tmp_path / name
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={program}", text))
    verified = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, timeout=60, check=False)
    said = verified.stderr.decode()
    assert not [line for line in said.splitlines() if name in line], said
    if "Failed to" in said and name not in said:
        pytest.skip(f"systemd-analyze does not work here: {said.strip()}")
    assert verified.returncode == 0, said


def test_the_container_file_copies_what_is_there() -> None:
    text = (ROOT / "deploy" / "Containerfile").read_text("utf-8")
    for words in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        *sources, _ = words.split()
        for source in sources:
            assert (ROOT / source).exists(), source
    assert re.search(r"^USER vsm$", text, re.MULTILINE)
    pattern = re.search(r"grep -oE '([^']+)'", text)
    assert pattern is not None
    locked = re.findall(
        pattern[1].replace(r"\\", "\\\\"), (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE
    )
    names = {line.partition("==")[0] for line in locked}
    assert {"aiohttp", "msgspec", "uvloop"} <= names
