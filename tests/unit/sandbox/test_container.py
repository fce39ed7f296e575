from __future__ import annotations

from pathlib import Path

import pytest

from vsm_mcp.errors import BadArgument, SandboxUnavailable
from vsm_mcp.sandbox.cgroup import daemon_name
from vsm_mcp.sandbox.confinement import Command, Confinement, MachineNetwork
from vsm_mcp.sandbox.container import Identity, identity_of, run_argv
from vsm_mcp.sandbox.egress.rules import allow_list

PODMAN = ("/usr/bin/podman", "--runtime=runc")
DOCKER = ("/usr/bin/docker",)
WHO = Identity(name="vsm-mcp-box-1", server="box", marks={"MARK": "1"})
WALLS = {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pull=never", "--rm", "--interactive"}


def argv(command: Command, **confinement: object) -> tuple[str, ...]:
    return run_argv(command, Confinement(**{"engine": PODMAN, **confinement}), WHO)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", [PODMAN, DOCKER])
def test_the_walls_stand_whatever_was_granted(engine: tuple[str, ...]) -> None:
    for network in (None, MachineNetwork()):
        more = {"network": network} if network else {}
        words = argv(Command(argv=("image", "--rm=false")), engine=engine, memory_bytes=7, processes=8, **more)
        assert words[: len(engine) + 1] == (*engine, "run")
        assert set(words) >= WALLS
        assert {"--pids-limit=8", "--memory=7", "--memory-swap=7", "--name=vsm-mcp-box-1"} <= set(words)
        assert f"--label=vsm-mcp.daemon={daemon_name()}" in words
        assert words[-2:] == ("image", "--rm=false")
        assert ("--network=host" if network else "--network=none") in words
        assert ("--read-only-tmpfs=false" in words) == (engine is PODMAN)


def test_no_value_of_a_variable_is_in_the_command_line() -> None:
    words = argv(Command(argv=("image",), env={"TOKEN": "hush", "PATH": "/bin", "A": "1"}))
    assert "hush" not in str(words)
    assert "--env=TOKEN" in words
    assert "--env=PATH=/bin" in words, "the client has another one"
    assert "--env=MARK=1" in words


def test_what_is_granted_is_mounted_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    words = argv(
        Command(argv=("image",), cwd=str(tmp_path)),
        granted_read_only=(str(tmp_path / "a b"),),
        granted_writable=(str(tmp_path),),
    )
    assert f"--mount=type=bind,source={tmp_path}/a b,target={tmp_path}/a b,readonly" in words
    assert f"--mount=type=bind,source={tmp_path},target={tmp_path}" in words
    assert f"--workdir={tmp_path}" in words


@pytest.mark.parametrize(
    ("granted", "said"), [("a,b", "a comma"), ("missing", "it is not there"), ("", "cannot be granted to a container")]
)
def test_what_cannot_be_granted(tmp_path: Path, granted: str, said: str) -> None:
    (tmp_path / "a,b").mkdir()
    with pytest.raises(BadArgument, match=said):
        argv(Command(argv=("i",)), granted_writable=(str(tmp_path / granted),), hidden=(str(tmp_path / "home"),))


def test_what_no_container_can_be_held_to() -> None:
    with pytest.raises(SandboxUnavailable, match="list of hosts"):
        argv(Command(argv=("i",)), network=allow_list(["example.org"]))
    with pytest.raises(SandboxUnavailable, match="listens"):
        argv(Command(argv=("i",)), listens=True)


@pytest.mark.parametrize("server", ["box", "../../x", "ä b", "", "x" * 300])
def test_names_are_fit_for_an_engine_and_never_the_same(server: str) -> None:
    one, two = identity_of(server, "t"), identity_of(server, "t")
    assert one.name != two.name
    assert one.name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert len(one.name) < 80
    assert set(one.marks.values()) != set(two.marks.values())
