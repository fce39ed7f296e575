"""The daemon's own limit of open files."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import resource
from vsm_mcp.app.descriptors import allow_many
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
allow_many()
print(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))
"""


def test_limit_is_raised_as_far_as_may_be() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True, timeout=30)
    assert done.stdout == "True\n"
