"""macOS: a program under a Seatbelt profile (``sandbox-exec``). Written from Apple's manual pages, not run by us.

It holds back files and every socket. It does not limit memory, CPU or processes, hides neither processes nor that files
exist, and filters no system calls. Apple calls ``sandbox-exec`` deprecated; it is still part of macOS.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.guard import VARIABLE
from vsm_mcp.sandbox.loose import MARKER, Loose, Traces
from vsm_mcp.sandbox.mounts import Mount, check_cwd, plan
from vsm_mcp.sandbox.running import Running, popen
from vsm_mcp.sandbox.scratch import Scratch
from vsm_mcp.sandbox.tier import PROPERTIES, Property
from vsm_mcp.sandbox.watchdog import Soft

PROGRAM: Final = "/usr/bin/sandbox-exec"
HELD: Final = dict.fromkeys(PROPERTIES, Property.OFF.value) | {
    "filesystem": Property.ENFORCED.value,
    "network": Property.ENFORCED.value,
    "processes": Property.SOFT.value,
}
"""What it enforces. Processes are ended by their group; what leaves that is not found."""

_SYSTEM: Final = (
    "/usr",
    "/bin",
    "/sbin",
    "/System",
    "/Library/Apple",
    "/Library/Frameworks",
    "/private/etc/ssl",
    "/private/etc/localtime",
    "/private/var/db/timezone",
    "/private/var/db/dyld",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
)
_RULES: Final = """(version 1)
(deny default)
(allow process-fork)
(allow signal (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-read* (literal "/"))
(allow file-read* file-write-data (literal "/dev/null"))
"""


def profile(mounts: Iterable[Mount], folders: Iterable[str]) -> str:
    """Return the profile: pure. The last rule that fits a path decides, so an exception in a grant comes after it."""
    lines = [_rule("file-read* process-exec", path) for path in _SYSTEM]
    for mount in mounts:
        if mount.kind == "hidden":
            lines.append(f"(deny file-read* file-write* process-exec (subpath {_quoted(mount.path)}))")
            continue
        lines.append(_rule("file-read* process-exec", mount.path))
        verb = "allow" if mount.kind == "rw" else "deny"
        lines.append(f"({verb} file-write* (subpath {_quoted(mount.path)}))")
    lines += [_rule("file-read* file-write* process-exec", folder) for folder in folders]
    return _RULES + "\n".join(lines) + "\n"


def start(command: Command, confinement: Confinement, token: str) -> tuple[Running, Loose]:
    """Start a program.

    Raises :class:`SandboxUnavailable` when it cannot be started, :class:`BadArgument` for a path.
    """
    mounts = plan(confinement)
    check_cwd(command.cwd, mounts)
    scratch = None
    try:
        scratch = Scratch(kept=confinement.home)
        scratch.open_home()
        traces = Traces(scratch, None, None, lambda: None)
        env = scratch.environment(command.env) | {MARKER: traces.marker, VARIABLE: token}
        rules = profile((_resolved(mount) for mount in mounts), map(os.path.realpath, scratch.folders))
        argv = [PROGRAM, "-p", rules, *map(scratch.moved, command.argv)]
        running = popen(argv, env=env, cwd=scratch.moved(command.cwd))
    except OSError as error:
        if scratch is not None:
            scratch.remove()
        raise SandboxUnavailable(f"{command.argv[0]} cannot be started: {error.strerror or error}") from error
    return running, Loose(running, traces, Soft(disks=scratch.disks(confinement)))


def _resolved(mount: Mount) -> Mount:
    """Seatbelt compares real paths: /tmp is /private/tmp."""
    return Mount(path=os.path.realpath(mount.path), kind=mount.kind)


def _rule(operations: str, path: str) -> str:
    return f"(allow {operations} (subpath {_quoted(path)}))"


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
