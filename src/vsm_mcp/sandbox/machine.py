"""What decides how well this machine can isolate, and what would help: facts read once, advice pure."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.sandbox.tier import Lack

_APPARMOR: Final = "kernel.apparmor_restrict_unprivileged_userns"
_CLONE: Final = "kernel.unprivileged_userns_clone"
_NAMESPACES: Final = "user.max_user_namespaces"
_CONTAINERS: Final = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")

PROFILE: Final = """abi <abi/4.0>,
include <tunables/global>

profile bwrap /usr/bin/bwrap flags=(unconfined) {
  userns,
  include if exists <local/bwrap>
}
"""
"""What an AppArmor that restricts user namespaces (Ubuntu 23.10 and later) has to know of bubblewrap."""

LOAD_PROFILE: Final = (
    f"sudo tee /etc/apparmor.d/bwrap >/dev/null <<'EOF'\n{PROFILE}EOF\nsudo apparmor_parser -r /etc/apparmor.d/bwrap"
)
OPEN_CONTAINER: Final = (
    "docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined …"
)
DELEGATE: Final = "systemd-run --user --scope -p Delegate=yes vsm-mcp serve"
LET_CGROUPS: Final = (
    "docker run --cgroupns=host -v /sys/fs/cgroup:/sys/fs/cgroup:rw … (the container may then change the host's groups)"
)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """``packages`` is the program that installs packages, ``settings`` the kernel's, as far as they exist here."""

    platform: str = "linux"
    packages: str = ""
    root: bool = False
    container: bool = False
    systemd: bool = False
    kernel: str = ""
    settings: dict[str, int] = {}


def survey() -> Machine:
    """Read the facts."""
    settings = {}
    for name in (_APPARMOR, _CLONE, _NAMESPACES):
        try:
            settings[name] = int(Path("/proc/sys", *name.split(".")).read_text())
        except (OSError, ValueError):
            continue
    return Machine(
        platform=sys.platform,
        packages=next((name for name in ("apt-get", "dnf", "zypper", "pacman", "apk") if shutil.which(name)), ""),
        root=hasattr(os, "geteuid") and os.geteuid() == 0,
        container=any(Path(path).exists() for path in _CONTAINERS),
        systemd=Path("/run/systemd/system").is_dir(),
        kernel=os.uname().release if hasattr(os, "uname") else "",
        settings=settings,
    )


def closed_to_others(path: Path) -> str:
    """Return the first directory on the way to ``path`` that keeps the servers of a root daemon out; "" for none."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return ""
    way = [*reversed(path.absolute().parents), path.absolute()]
    return next((str(part) for part in way if part.is_dir() and not part.stat().st_mode & stat.S_IXOTH), "")


def install(machine: Machine) -> str:
    """Return the command that installs bubblewrap."""
    verb = {"pacman": "-S", "apk": "add"}.get(machine.packages, "install")
    program = machine.packages or "apt-get"
    return f"{program} {verb} bubblewrap" if machine.root else f"sudo {program} {verb} bubblewrap"


def no_bubblewrap(machine: Machine, looked_for: str) -> Lack:
    """Return what is missing where there is no bubblewrap at all."""
    return Lack(reason=f"bubblewrap is not installed (looked for {looked_for})", remedies=(install(machine),))


def no_namespaces(machine: Machine, failure: str) -> Lack:
    """Return why bubblewrap cannot isolate here, from what it said and how the machine is set, and what would help."""
    reason, remedies = f"bubblewrap cannot isolate here: {failure}", []
    if machine.settings.get(_APPARMOR) == 1 and not machine.root:
        reason += f" (AppArmor refuses user namespaces: {_APPARMOR} is 1)"
        remedies += [LOAD_PROFILE, f"sudo sysctl -w {_APPARMOR}=0 (for all programs)"]
    if machine.settings.get(_NAMESPACES) == 0:
        reason += f" ({_NAMESPACES} is 0)"
        remedies.append(_set(machine, f"{_NAMESPACES}=15000"))
    if machine.settings.get(_CLONE) == 0 and not machine.root:
        reason += f" ({_CLONE} is 0)"
        remedies.append(_set(machine, f"{_CLONE}=1"))
    if machine.container or (machine.root and not remedies and _refused(failure)):
        remedies.append(f"if this is a container: {OPEN_CONTAINER}")
    if not remedies and _refused(failure):
        remedies.append(f"whatever refuses user namespaces here (AppArmor, seccomp, a container): {OPEN_CONTAINER}")
    return Lack(reason=reason, remedies=tuple(remedies) or (f"{install(machine)} (0.5 or later)",))


def no_landlock(version: int, least: int, machine: Machine) -> Lack:
    """Return why the reduced tier cannot be had."""
    found = f"Landlock {version}, and {least} is the least" if version else "no Landlock"
    where = " (of the host, for a container)" if machine.container else ""
    return Lack(
        reason=f"nor is there enough to confine without namespaces: {found} (Linux {machine.kernel})",
        remedies=(f"Linux 6.2 or later{where}, with Landlock among its security modules (lsm=landlock,… at boot)",),
    )


def no_groups(machine: Machine, *, reduced: bool) -> Lack:
    """Return what is missing where no control group can be written."""
    properties = ("memory", "cpu", "pids", "processes") if reduced else ("memory", "cpu")
    if machine.root and machine.container:
        remedies = [LET_CGROUPS]
    elif machine.root:
        remedies = ["mount the control groups writable: mount -o remount,rw /sys/fs/cgroup"]
    elif machine.systemd:
        remedies = [DELEGATE]
    else:
        remedies = [
            "run the daemon as root" if machine.container else f"run the daemon as root, or with systemd: {DELEGATE}"
        ]
    return Lack(
        reason="no control group with memory and pids can be written: limits are kept by a watchdog, and CPU has none",
        properties=properties,
        remedies=tuple(remedies),
    )


def no_cpu(machine: Machine) -> Lack:
    """Return what is missing where the control groups cannot limit CPU."""
    remedy = (
        "mount the cpu controller"
        if machine.root
        else ("sudo systemctl edit user@.service, with [Service] Delegate=cpu memory pids (then log in again)")
    )
    return Lack(reason="the control groups here do not limit CPU", properties=("cpu",), remedies=(remedy,))


def _set(machine: Machine, setting: str) -> str:
    return f"sysctl -w {setting}" if machine.root else f"sudo sysctl -w {setting}"


def _refused(failure: str) -> bool:
    return bool(
        re.search(r"uid map|rtm_newaddr|permission|not permitted|new namespace|no space left", failure, re.IGNORECASE)
    )
