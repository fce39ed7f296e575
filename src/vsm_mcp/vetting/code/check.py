"""Check ``code``: what the fetched package's code would do, read in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.errors import InstallFailed
from vsm_mcp.model.finding import CheckResult, CheckStatus
from vsm_mcp.model.ref import RefKind
from vsm_mcp.sandbox.tool import run_tool
from vsm_mcp.vetting.check import Stage, Subject, result, unavailable
from vsm_mcp.vetting.code.scan import Scan

_NAME: Final = "code"
_UNIT: Final = "files"
_SECONDS: Final = 55.0
_NAMED: Final = 3
_MAX_OUTPUT: Final = 16 * 1024 * 1024


class CodeCheck:
    """Follows values through Python and JavaScript, and matches patterns in everything; runs nothing of it."""

    name = _NAME
    stage = Stage.BEFORE_INSTALL

    async def check(self, subject: Subject) -> CheckResult:
        """Look at every file of the fetched package; what could not be looked at makes it *unavailable*."""
        if subject.ref.kind in {RefKind.REMOTE, RefKind.CMD}:
            return result(_NAME, 0, _UNIT, (), "nothing is fetched for this kind of reference")
        if subject.root is None:
            image = subject.ref.kind is RefKind.OCI
            return unavailable(
                _NAME, _UNIT, "the files of an image are not looked at" if image else "nothing was unpacked"
            )
        return await examine(subject.root)


def build(_config: Config) -> CodeCheck:
    """Make the check: the entry point."""
    return CodeCheck()


async def examine(root: Path, seconds: float = _SECONDS) -> CheckResult:
    """Scan a folder in a process of its own, which is killed after ``seconds``."""
    argv = (sys.executable, "-I", "-m", "vsm_mcp.vetting.code.scan", str(root))
    env = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    try:
        done = await run_tool(argv, env=env, cwd="/", timeout=seconds, max_output=_MAX_OUTPUT)
    except InstallFailed as error:
        return unavailable(_NAME, _UNIT, error.message)
    if done.timed_out:
        return unavailable(_NAME, _UNIT, f"reading the code took longer than {seconds:g} s")
    if not done.ok:
        return unavailable(_NAME, _UNIT, f"reading the code failed ({done.exit.describe()})")
    try:
        return _result(msgspec.json.decode(done.stdout, type=Scan))
    except msgspec.DecodeError:
        return unavailable(_NAME, _UNIT, "reading the code gave no answer")


def _result(scan: Scan) -> CheckResult:
    plain = result(_NAME, scan.looked_at, _UNIT, scan.findings)
    if not scan.skipped:
        return msgspec.structs.replace(plain, profile=scan.profile)
    more = f" and {len(scan.skipped) - _NAMED} more" if len(scan.skipped) > _NAMED else ""
    named = "; ".join(ascii(each[:120])[1:-1] for each in scan.skipped[:_NAMED])
    said = f"{len(scan.skipped)} not looked at: {named}{more}"
    return msgspec.structs.replace(plain, status=CheckStatus.UNAVAILABLE, detail=said, profile=scan.profile)
