"""All that depends on who asks, once more as an ordinary user, where the suite runs as root."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

AS_A_USER = {
    "containment": ("containment", "scenarios/test_containment.py", "scenarios/test_egress.py"),
    "reduced": ("scenarios/test_reduced.py", "scenarios/test_teardown.py", "scenarios/test_tracing.py"),
    "run": (
        "scenarios/test_enclosure.py",
        "scenarios/test_kept_homes.py",
        "scenarios/test_sandbox_run.py",
        "scenarios/test_watch.py",
        "unit/runtime/test_supervisor.py",
        "unit/sandbox/egress/test_namespace.py",
        "unit/sandbox/test_dialing.py",
        "unit/sandbox/test_leftovers.py",
        "unit/sandbox/test_machine.py",
        "unit/sandbox/test_mounts.py",
        "unit/sandbox/test_running.py",
    ),
}
"""Everything that depends on who asks, some files at a time: each start of a suite costs seconds."""

THE_SAME = (
    "scenarios/test_watch.py::test_what_it_did_decides_whether_it_is_served",
    "scenarios/test_watch.py::test_a_flood_of_calls_keeps_nothing_and_loses_nobody",
    "scenarios/test_watch.py::test_a_server_that_hangs_is_not_waited_for_twice_as_long",
)
"""And what in it does not."""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("part", AS_A_USER)
def test_all_of_it_as_an_ordinary_user(part: str) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    python = shutil.which(f"python{version}", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip(f"no python{version} that an ordinary user may run")
    home = Path(f"/tmp/containment-home-{secrets.token_hex(6)}")
    home.mkdir(mode=0o700)
    os.chown(home, 1000, 1000)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    tests = Path(__file__).resolve().parents[1]
    closed = [path for path in (tests, *tests.parents) if not path.stat().st_mode & 0o001]
    if closed:
        pytest.skip(f"an ordinary user may not enter {closed[0]}")
    env = {
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": ":".join([str(tests.parent / "src"), *packages]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(home / "hypothesis"),
    }
    drop = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", "--"]
    call = [*drop, python, "-m", "pytest", "-p", "no:cacheprovider", "-x", f"--basetemp={home}/tmp"]
    call += [f"--deselect=tests/{name}" for name in THE_SAME] + [str(tests / name) for name in AS_A_USER[part]]
    try:
        done = subprocess.run(call, check=False, env=env, cwd=tests.parent, capture_output=True, text=True, timeout=580)
    finally:
        shutil.rmtree(home)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
