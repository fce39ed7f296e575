"""The argument list for bubblewrap: pure. Source of every choice: bwrap(1) 0.8 and measurements on real machines.

Two variants. *userns* (an ordinary user): a user namespace in which no further one can be made. *root*: none, because
kernel uid 0 in a user namespace may still write ``/proc/sys``; the server gets a uid of its own by ``setpriv`` inside.
bubblewrap's own reaper is PID 1 in both: with ``--as-pid-1``, changing the uid would lose the death signal.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

import msgspec

from vsm_mcp.sandbox.confinement import HOME, TMP, Command, Confinement, MachineNetwork, Network
from vsm_mcp.sandbox.mounts import Mount, parents

SETPRIV: Final = "/usr/bin/setpriv"
ENV: Final = "/usr/bin/env"
INNER_ID: Final = 1000

_LOADER: Final = ("LD_", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH")
ETC: Final = (
    "/etc/ssl",
    "/etc/ca-certificates",
    "/etc/pki",
    "/etc/crypto-policies",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/nsswitch.conf",
    "/etc/protocols",
    "/etc/services",
    "/etc/mime.types",
    "/etc/timezone",
    "/etc/fonts",
    "/etc/magic",
    "/etc/papersize",
    "/etc/chromium",
    "/etc/chromium.d",
    "/etc/libreoffice",
    "/etc/ImageMagick-6",
    "/etc/ImageMagick-7",
)
_ETC_ONLINE: Final = ("/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf", "/etc/host.conf")
_SHARED: Final = "/dev/shm"  # noqa: S108 -- as above
_SMALL: Final = 1024 * 1024


class System(msgspec.Struct, frozen=True, kw_only=True):
    """What of the host's layout matters: ``top`` maps /bin, /lib64, … to a symlink's target, or "" for a directory."""

    top: dict[str, str]
    localtime: str = ""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """How privileges are dropped: ``uid`` is the server's own (root daemon), or ``None`` for a user namespace.

    ``token`` is what bubblewrap goes by in the list of processes (its ``argv[0]``).
    """

    bwrap: str
    token: str = "bwrap"
    uid: int | None = None
    lock_userns: bool = True


class Descriptors(msgspec.Struct, frozen=True, kw_only=True):
    """File descriptors that bubblewrap inherits; ``files`` maps a path inside to one holding its contents."""

    info: int
    block: int
    seccomp: int
    files: dict[str, int]


def files(variant: Variant, network: Network) -> dict[str, bytes]:
    """Return the synthetic files: nobody of this machine is named inside."""
    uid = INNER_ID if variant.uid is None else variant.uid
    made = {
        "/etc/passwd": f"root:x:0:0:root:/:/usr/sbin/nologin\nmcp:x:{uid}:{uid}:mcp:{HOME}:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
        "/etc/group": f"root:x:0:\nmcp:x:{uid}:\nnogroup:x:65534:\n",
        "/etc/hostname": "sandbox\n",
    }
    if not isinstance(network, MachineNetwork):
        made["/etc/hosts"] = "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n"
        made["/etc/resolv.conf"] = "nameserver 127.0.0.1\n"
    return {path: text.encode() for path, text in made.items()}


def options(
    variant: Variant,
    system: System,
    command: Command,
    confinement: Confinement,
    mounts: tuple[Mount, ...],
    descriptors: Descriptors,
) -> list[str]:
    """Return the options that go through ``--args``: no other process can read them, so secrets may stand here."""
    return [
        *_namespaces(variant, confinement.network),
        *_root(variant, system, confinement, descriptors),
        *_home(variant, confinement),
        *_planted(variant, confinement, descriptors),
        *_grants(mounts),
        *("--remount-ro", "/"),
        *_environment(variant, command),
        *("--chdir", command.cwd if _plain_cwd(variant, command, confinement) else "/"),
        *("--seccomp", str(descriptors.seccomp)),
        *("--info-fd", str(descriptors.info), "--block-fd", str(descriptors.block)),
    ]


def inner(variant: Variant, command: Command, confinement: Confinement) -> list[str]:
    """Return the program that bubblewrap starts: the server itself, or what gives it its uid first."""
    if variant.uid is None:
        return list(command.argv)
    drop = [SETPRIV, "--reuid", str(variant.uid), "--regid", str(variant.uid), "--clear-groups"]
    drop += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--"]
    late = [f"{name}={value}" for name, value in command.env.items() if name.startswith(_LOADER)]
    if late or not _plain_cwd(variant, command, confinement):
        drop += [ENV, "-C", command.cwd, *late]
    return [*drop, *command.argv]


def _plain_cwd(variant: Variant, command: Command, confinement: Confinement) -> bool:
    """Whether bubblewrap may change directory itself: as root without capabilities it may not enter a private one."""
    return variant.uid is None or command.cwd in ({"/", TMP} if confinement.home else {"/", TMP, HOME})


def _namespaces(variant: Variant, network: Network) -> list[str]:
    chosen = ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "sandbox"]
    chosen += ["--die-with-parent", "--new-session"]
    if not isinstance(network, MachineNetwork):
        chosen.append("--unshare-net")
    if variant.uid is not None:
        kept = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
        return [*chosen, "--cap-drop", "ALL", *(part for name in kept for part in ("--cap-add", name))]
    chosen += ["--unshare-user", "--uid", str(INNER_ID), "--gid", str(INNER_ID), "--cap-drop", "ALL"]
    return [*chosen, "--disable-userns"] if variant.lock_userns else chosen


def _root(variant: Variant, system: System, confinement: Confinement, descriptors: Descriptors) -> list[str]:
    made = ["--perms", "0755", "--dir", "/etc", "--perms", "0755", "--dir", "/home", "--ro-bind", "/usr", "/usr"]
    for path, target in system.top.items():
        made += ["--symlink", target, path] if target else ["--ro-bind", path, path]
    online = isinstance(confinement.network, MachineNetwork)
    for path in ETC + (_ETC_ONLINE if online else ()):
        made += ["--ro-bind-try", path, path]
    if system.localtime:
        made += ["--symlink", system.localtime, "/etc/localtime"]
    for path, descriptor in descriptors.files.items():
        if path not in confinement.planted:
            made += ["--perms", "0444", "--file", str(descriptor), path]
    made += ["--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev"]
    made += _tmpfs(_SHARED, "1777", confinement.shared_memory_bytes)
    made += _tmpfs(TMP, "1777", confinement.scratch_bytes)
    return made + _tmpfs("/run", "0755", _SMALL)


def _home(variant: Variant, confinement: Confinement) -> list[str]:
    """A folder that is kept, or one in memory."""
    if confinement.home:
        return ["--bind", confinement.home, HOME]
    return _tmpfs(HOME, "0700" if variant.uid is None else "0777", confinement.scratch_bytes)


def _planted(variant: Variant, confinement: Confinement, descriptors: Descriptors) -> list[str]:
    """Put files into the home, with the directories above them, as the server's own."""
    folder, file = ("0700", "0600") if variant.uid is None else ("0777", "0666")
    made: list[str] = []
    known: set[str] = set()
    for path in confinement.planted:
        above = [str(parent) for parent in reversed(PurePosixPath(path).parents)]
        for directory in (each for each in above if each.startswith(f"{HOME}/") and each not in known):
            made += ["--perms", folder, "--dir", directory]
            known.add(directory)
        made += ["--perms", file, "--file", str(descriptors.files[path]), path]
    return made


def _tmpfs(path: str, mode: str, size: int) -> list[str]:
    return ["--perms", mode, "--size", str(max(size, 4096)), "--tmpfs", path]


def _grants(mounts: tuple[Mount, ...]) -> list[str]:
    made: list[str] = []
    for mount, missing in parents(mounts):
        for directory in missing:
            made += ["--perms", "0755", "--dir", directory]
        if mount.kind == "hidden":
            made += _tmpfs(mount.path, "0755", 4096)
        else:
            made += ["--ro-bind" if mount.kind == "ro" else "--bind", mount.path, mount.path]
    return made


def _environment(variant: Variant, command: Command) -> list[str]:
    """What the dynamic loader obeys must not reach ``setpriv``, which still is root: ``env`` gives it afterwards."""
    late = _LOADER if variant.uid is not None else ()
    given = {"PWD": command.cwd} | command.env
    return [part for key, value in given.items() if not key.startswith(late) for part in ("--setenv", key, value)]
