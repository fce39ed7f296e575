"""The argument list: pure, so every rule can be read off it."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from vsm_mcp.sandbox import bubblewrap
from vsm_mcp.sandbox.bubblewrap import Descriptors, System, Variant
from vsm_mcp.sandbox.confinement import HOME, Command, Confinement, MachineNetwork, Network, NoNetwork
from vsm_mcp.sandbox.egress.rules import AllowList, allow_list
from vsm_mcp.sandbox.mounts import Mount

USER = Variant(bwrap="/usr/bin/bwrap")
ROOT = Variant(bwrap="/usr/bin/bwrap", uid=64007)
SYSTEM = System(top={"/bin": "usr/bin", "/lib64": ""}, localtime="/usr/share/zoneinfo/Europe/Vienna")
DESCRIPTORS = Descriptors(info=10, block=11, seccomp=12, files={"/etc/passwd": 13})
COMMAND = Command(argv=("/opt/server", "--flag"), env={"TOKEN": "secret", "LD_PRELOAD": "/opt/x.so"})


def options(
    variant: Variant, confinement: Confinement | None = None, command: Command = COMMAND, mounts: tuple[Mount, ...] = ()
) -> list[str]:
    return bubblewrap.options(variant, SYSTEM, command, confinement or Confinement(), mounts, DESCRIPTORS)


def pairs(given: list[str], option: str, width: int = 2) -> list[tuple[str, ...]]:
    return [tuple(given[i + 1 : i + 1 + width]) for i, part in enumerate(given) if part == option]


OPEN = Confinement(network=MachineNetwork())


@pytest.mark.parametrize("variant", [USER, ROOT])
@pytest.mark.parametrize("network", [NoNetwork(), AllowList(), allow_list(["example.com"])])
def test_network_is_unshared_unless_all_of_it_is_asked_for(variant: Variant, network: Network) -> None:
    assert "--unshare-net" in options(variant, Confinement(network=network))
    assert bubblewrap.files(variant, network)["/etc/resolv.conf"] == b"nameserver 127.0.0.1\n"
    assert "--unshare-net" not in options(variant, OPEN)


def test_names_are_resolved_as_on_the_machine_only_with_its_network() -> None:
    assert ("/etc/resolv.conf", "/etc/resolv.conf") not in pairs(options(USER), "--ro-bind-try")
    assert ("/etc/resolv.conf", "/etc/resolv.conf") in pairs(options(USER, OPEN), "--ro-bind-try")


@pytest.mark.parametrize("variant", [USER, ROOT])
def test_a_home_that_is_kept_takes_the_place_of_the_one_in_memory(variant: Variant) -> None:
    kept = Confinement(home="/state/homes/memory-1")
    given = options(variant, kept)
    assert pairs(given, "--bind") == [("/state/homes/memory-1", HOME)]
    assert (HOME,) not in pairs(given, "--tmpfs", 1)
    assert (HOME,) in pairs(options(variant), "--tmpfs", 1)
    moved = bubblewrap.inner(variant, COMMAND, kept)
    assert (
        (moved[moved.index("/usr/bin/env") + 1 :][:2] == ["-C", HOME])
        if variant.uid
        else (HOME,) in pairs(given, "--chdir", 1)
    )


@pytest.mark.parametrize("variant", [USER, ROOT])
def test_what_always_holds(variant: Variant) -> None:
    given = options(variant)
    for option in ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session"):
        assert option in given
    assert ("/proc/sys", "/proc/sys") in pairs(given, "--ro-bind")
    assert ("ALL",) in pairs(given, "--cap-drop", 1)
    assert ("/",) in pairs(given, "--remount-ro", 1)
    assert ("12",) in pairs(given, "--seccomp", 1)
    assert "--as-pid-1" not in given
    assert not {"--bind", "--dev-bind"} & set(given)


def test_root_keeps_just_what_changing_the_uid_needs() -> None:
    given = options(ROOT)
    assert pairs(given, "--cap-add", 1) == [("CAP_SETUID",), ("CAP_SETGID",), ("CAP_SETPCAP",)]
    assert "--unshare-user" not in given
    inner = bubblewrap.inner(ROOT, COMMAND, Confinement())
    assert inner[:5] == ["/usr/bin/setpriv", "--reuid", "64007", "--regid", "64007"]
    assert {"--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"} <= set(inner)
    assert inner[-2:] == ["/opt/server", "--flag"]


def test_user_namespace_is_locked() -> None:
    given = options(USER)
    assert "--disable-userns" in given
    assert "--cap-add" not in given
    assert "--disable-userns" not in options(msgspec.structs.replace(USER, lock_userns=False))
    assert bubblewrap.inner(USER, COMMAND, Confinement()) == ["/opt/server", "--flag"]


def test_secrets_go_through_options_only() -> None:
    for variant in (USER, ROOT):
        assert ("TOKEN", "secret") in pairs(options(variant), "--setenv")
        assert not any("secret" in part for part in bubblewrap.inner(variant, COMMAND, Confinement()))


def test_what_the_loader_obeys_does_not_reach_a_program_that_is_still_root() -> None:
    assert ("LD_PRELOAD", "/opt/x.so") in pairs(options(USER), "--setenv")
    assert "LD_PRELOAD" not in options(ROOT)
    inner = bubblewrap.inner(ROOT, COMMAND, Confinement())
    assert inner.index("LD_PRELOAD=/opt/x.so") > inner.index("/usr/bin/env") > inner.index("/usr/bin/setpriv")


def test_private_directory_is_entered_after_root_is_dropped() -> None:
    command = msgspec.structs.replace(COMMAND, cwd="/data", env={})
    assert pairs(options(ROOT, command=command), "--chdir", 1) == [("/",)]
    assert bubblewrap.inner(ROOT, command, Confinement())[-5:-2] == ["/usr/bin/env", "-C", "/data"]
    assert pairs(options(USER, command=command), "--chdir", 1) == [("/data",)]
    assert ("PWD", "/data") in pairs(options(USER, command=command), "--setenv")


def test_parents_of_grants_can_be_passed() -> None:
    mounts = (Mount(path="/a", kind="ro"), Mount(path="/a/b", kind="rw"), Mount(path="/tmp/x/y", kind="hidden"))
    given = options(USER, mounts=mounts)
    binds = [part for part in itertools.pairwise(given) if part[0] in {"--ro-bind", "--bind"}]
    assert ("--ro-bind", "/a") in binds
    assert ("--bind", "/a/b") in binds
    assert ("/tmp/x",) in pairs(given, "--dir", 1)
    assert ("/a",) not in pairs(given, "--dir", 1)
    for position, part in enumerate(given):
        if part == "--dir":
            assert given[position - 2 : position] == ["--perms", "0755"]


def test_sizes_are_limited() -> None:
    given = options(USER, Confinement(scratch_bytes=5_000_000, shared_memory_bytes=7_000_000))
    sized = {given[i + 1]: given[i - 1] for i, part in enumerate(given) if part == "--tmpfs"}
    assert sized == {"/dev/shm": "7000000", "/tmp": "5000000", HOME: "5000000", "/run": str(1024 * 1024)}


def test_layout_of_the_host_is_kept() -> None:
    given = options(USER)
    assert ("usr/bin", "/bin") in pairs(given, "--symlink")
    assert ("/lib64", "/lib64") in pairs(given, "--ro-bind")
    assert ("/usr/share/zoneinfo/Europe/Vienna", "/etc/localtime") in pairs(given, "--symlink")


def test_synthetic_files_name_nobody_of_this_machine() -> None:
    offline = bubblewrap.files(ROOT, NoNetwork())
    assert b"mcp:x:64007:64007:" in offline["/etc/passwd"]
    assert offline["/etc/resolv.conf"] == b"nameserver 127.0.0.1\n"
    assert set(bubblewrap.files(USER, MachineNetwork())) == {"/etc/passwd", "/etc/group", "/etc/hostname"}
