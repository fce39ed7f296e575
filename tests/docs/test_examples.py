"""The programs in the documentation are run as they stand there."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vsm_mcp.sandbox.probe import probe
from vsm_mcp.sandbox.tier import Tier

ROOT = Path(__file__).parents[2]


def test_the_example_of_embedding_does_what_it_says(tmp_path: Path) -> None:
    isolation = asyncio.run(probe())
    if isolation.tier is Tier.NONE:
        pytest.skip(f"no sandbox here: {isolation.reasons}")
    page = (ROOT / "docs" / "reference" / "runtime.md").read_text("utf-8")
    text = next(text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "asyncio.run(" in text)
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "VSM_MCP_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["here ready", "shout ready"]
    assert "HELLO" in lines[2]
    assert "ok=True" in lines[3]
