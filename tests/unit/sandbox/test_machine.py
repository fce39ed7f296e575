"""What would help, for machines that are not this one: pure."""

from __future__ import annotations

import msgspec
import pytest

from vsm_mcp.sandbox import machine
from vsm_mcp.sandbox.machine import Machine
from vsm_mcp.sandbox.tier import PROPERTIES, Isolation, Tier, properties_of

USER = Machine(packages="apt-get", systemd=True, kernel="6.8.0")
ROOT = msgspec.structs.replace(USER, root=True)
CONTAINER = msgspec.structs.replace(ROOT, container=True, systemd=False)
UID_MAP = "bwrap: setting up uid map: Permission denied"


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (USER, "sudo apt-get install bubblewrap"),
        (ROOT, "apt-get install bubblewrap"),
        (msgspec.structs.replace(USER, packages="dnf"), "sudo dnf install bubblewrap"),
        (msgspec.structs.replace(USER, packages="pacman"), "sudo pacman -S bubblewrap"),
        (msgspec.structs.replace(USER, packages="apk"), "sudo apk add bubblewrap"),
    ],
)
def test_bubblewrap_is_installed_with_what_the_machine_has(here: Machine, expected: str) -> None:
    lack = machine.no_bubblewrap(here, "bwrap in /usr/bin")
    assert lack.remedies == (expected,)
    assert "bwrap in /usr/bin" in lack.reason


def test_ubuntu_gets_the_profile_first() -> None:
    here = msgspec.structs.replace(USER, settings={"kernel.apparmor_restrict_unprivileged_userns": 1})
    lack = machine.no_namespaces(here, UID_MAP)
    assert UID_MAP in lack.reason
    assert "AppArmor" in lack.reason
    profile, setting = lack.remedies
    assert profile.splitlines()[0] == "sudo tee /etc/apparmor.d/bwrap >/dev/null <<'EOF'"
    assert "profile bwrap /usr/bin/bwrap flags=(unconfined) {\n  userns,\n" in profile
    assert profile.splitlines()[-2:] == ["EOF", "sudo apparmor_parser -r /etc/apparmor.d/bwrap"]
    assert setting.startswith("sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user.max_user_namespaces", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("kernel.unprivileged_userns_clone", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
    ],
)
def test_a_setting_that_forbids_is_named_with_its_command(name: str, expected: str) -> None:
    lack = machine.no_namespaces(msgspec.structs.replace(USER, settings={name: 0}), "Creating new namespace failed")
    assert f"{name} is 0" in lack.reason
    assert lack.remedies == (expected,)
    allowed = msgspec.structs.replace(USER, settings={name: 1})
    assert expected not in machine.no_namespaces(allowed, "Creating new namespace failed").remedies


def test_a_container_is_opened_from_outside() -> None:
    (remedy,) = machine.no_namespaces(CONTAINER, "bwrap: Operation not permitted").remedies
    assert "--security-opt systempaths=unconfined" in remedy


def test_what_is_not_known_still_has_a_remedy() -> None:
    assert machine.no_namespaces(USER, "bwrap: Unknown option --disable-userns").remedies
    assert machine.no_namespaces(USER, UID_MAP).remedies


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize(
    ("here", "part"),
    [
        (USER, "systemd-run --user --scope -p Delegate=yes"),
        (CONTAINER, "-v /sys/fs/cgroup:/sys/fs/cgroup:rw"),
        (ROOT, "/sys/fs/cgroup"),
        (msgspec.structs.replace(USER, systemd=False), "as root"),
    ],
)
def test_control_groups(here: Machine, part: str, reduced: bool) -> None:
    lack = machine.no_groups(here, reduced=reduced)
    assert part in lack.remedies[0]
    tier = Tier.REDUCED if reduced else Tier.FULL_SOFT
    held = properties_of(tier)
    assert lack.properties == tuple(name for name in PROPERTIES if held[name] != "enforced")


def test_old_landlock() -> None:
    assert "no Landlock (Linux 6.8.0)" in machine.no_landlock(0, 3, USER).reason
    assert "Landlock 2, and 3 is the least" in machine.no_landlock(2, 3, USER).reason
    assert "of the host" in machine.no_landlock(2, 3, CONTAINER).remedies[0]


def test_tiers_are_ordered() -> None:
    assert [tier for tier in Tier if tier.reaches("full-soft")] == [Tier.FULL, Tier.FULL_SOFT]
    assert Tier.REDUCED.reaches("reduced")
    assert not Tier.NONE.reaches("reduced")


@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("unsandboxed", [False, True])
@pytest.mark.parametrize("sockets", [False, True])
def test_a_server_gets_less_than_the_machine_gives_only_where_that_cannot_hold_it(
    tier: Tier, sockets: bool, unsandboxed: bool
) -> None:
    isolation = Isolation(tier=tier, properties=properties_of(tier))
    less = tier is Tier.REDUCED and sockets and unsandboxed
    assert isolation.holding(sockets=sockets, unsandboxed=unsandboxed) is (Tier.NONE if less else tier)


def test_this_machine_can_be_read() -> None:
    here = machine.survey()
    assert here.platform
    assert all(isinstance(value, int) for value in here.settings.values())
