from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox.confinement import Completed, Exit
from vsm_mcp.sandbox.engine import engine_environ, find_engine, last_line, walls


def program(folder: Path, name: str, info: Any, code: int = 0) -> None:
    """What answers as an engine does whose settings cannot be had on every machine."""
    text = info if isinstance(info, str) else json.dumps(info)
    (folder / f"{name}.json").write_text(text)
    script = (
        f'#!/bin/sh\n[ "$1" = info ] && {{ /bin/cat {folder}/{name}.json; exit {code}; }}\necho "$*" >&2\nexit 126\n'
    )
    (folder / name).write_text(script)
    (folder / name).chmod(0o755)


async def test_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="podman is not installed; docker is not installed") as caught:
        await find_engine({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert "apt-get install podman" in caught.value.hint


PODMAN: dict[str, Any] = {"version": {"Version": "9"}, "host": {"ociRuntime": {"name": "crun"}, "security": {}}}
ROOTLESS = {"host": {"cgroupVersion": "v1", "security": {"rootless": True}}}


@pytest.mark.parametrize(
    ("name", "info", "code", "said"),
    [
        ("podman", "", 0, "podman does not work"),
        ("podman", "[]", 0, "podman does not work"),
        ("podman", ROOTLESS, 0, "control groups of version 1"),
        ("podman", PODMAN, 0, "its own runtime: run --rm"),
        ("docker", {"ServerErrors": ["Cannot connect"]}, 1, "docker does not work"),
        ("docker", {"ServerErrors": ["Cannot connect"]}, 0, "Cannot connect"),
        ("docker", {"MemoryLimit": True}, 0, "cannot limit memory and processes"),
    ],
)
async def test_one_that_does_not_work_says_why(tmp_path: Path, name: str, info: Any, code: int, said: str) -> None:
    program(tmp_path, name, info, code)
    with pytest.raises(SandboxUnavailable, match=said):
        await find_engine({"PATH": str(tmp_path), "HOME": str(tmp_path)}, name)


async def test_a_docker_that_can_do_what_is_needed(tmp_path: Path) -> None:
    info = {"MemoryLimit": True, "PidsLimit": True, "ServerVersion": "28", "SecurityOptions": ["name=rootless"]}
    program(tmp_path, "docker", info)
    found = await find_engine({"PATH": str(tmp_path), "HOME": str(tmp_path)})
    assert (found.name, found.version, found.rootless, found.command) == (
        "docker",
        "28",
        True,
        (str(tmp_path / "docker"),),
    )


def test_what_an_engine_gets_of_the_environment() -> None:
    found = engine_environ({"HOME": "/h", "DOCKER_HOST": "unix:///x", "SECRET": "hush", "XDG_RUNTIME_DIR": "/r"})
    assert found == {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/h",
        "DOCKER_HOST": "unix:///x",
        "XDG_RUNTIME_DIR": "/r",
    }


@pytest.mark.skipif(os.name != "posix", reason="rlimits are POSIX's")
def test_the_walls() -> None:
    assert "--ulimit=nofile=7:7" in walls(("/usr/bin/podman",), 7)
    assert any(word.startswith("--ulimit=nproc=") for word in walls(("podman",)))
    assert not any(word.startswith("--ulimit=nproc=") for word in walls(("docker",)))


@pytest.mark.parametrize(
    ("stderr", "said"),
    [(b"Error: a\n\x1b[2Jmore\n", "a"), (b"one\ntwo\n\n", "two"), (b"", "exited with code 125")],
)
def test_the_last_thing_that_an_engine_said(stderr: bytes, said: str) -> None:
    assert last_line(Completed(exit=Exit(code=125), stderr=stderr)) == said
