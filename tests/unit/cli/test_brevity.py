from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ASKED = """
import gc, json, os, subprocess
from vsm_mcp.cli.brevity import be_brief
be_brief(os.environ)
import numpy
numpy.ones((500, 500)) @ numpy.ones((500, 500))
number = subprocess.getoutput("echo $OPENBLAS_NUM_THREADS")
print(json.dumps([gc.isenabled(), number, len(os.listdir("/proc/self/task"))]))
"""


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_a_process_that_is_brief(given: dict[str, str], threads: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", ASKED], env=environ | given, capture_output=True, check=True)
    collects, number, tasks = json.loads(done.stdout)
    assert (collects, number) == (False, threads)
    assert tasks == 1 or given
