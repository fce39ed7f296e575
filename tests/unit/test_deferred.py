"""Modules that are loaded when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from vsm_mcp.deferred import deferred

LOOK = """
import sys
from vsm_mcp.deferred import deferred
module = deferred("jsonschema")
assert not any(name.startswith("jsonschema.") for name in sys.modules)
assert module.Draft202012Validator({"type": "object"}).is_valid({})
assert "jsonschema.validators" in sys.modules
assert deferred("jsonschema") is module is sys.modules["jsonschema"]
"""

DAEMON = """
import sys
import vsm_mcp.cli.serve_command, vsm_mcp.app.serving
heavy = {"jsonschema.validators", "mcp", "jwt", "numpy"} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.mark.parametrize("program", [LOOK, DAEMON])
def test_nothing_is_loaded_before_its_use(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


def test_a_module_that_is_not_there() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"):
        deferred("nowhere_at_all")
