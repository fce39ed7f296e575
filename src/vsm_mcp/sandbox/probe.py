"""What this machine can isolate, found by trying it: never by looking whether a program exists."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import shutil
import sys
from typing import Final

import msgspec

from vsm_mcp.errors import VsmError
from vsm_mcp.sandbox import cgroup
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.egress.rules import Address, allow_list
from vsm_mcp.sandbox.tier import Isolation, Tier, properties_of

SEARCH: Final = "/usr/bin:/bin:/usr/local/bin"
_TIMEOUT_SECONDS: Final = 20.0
_INSTALL: Final = "install bubblewrap (apt-get install bubblewrap, dnf install bubblewrap)"
_NO_CGROUP: Final = (
    "no control group with memory and pids can be written: the memory limit is a watchdog, and there is none for CPU"
)
_CONTAINER: Final = (
    "in a container: --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined"
)
_PYTHON: Final = os.path.realpath(sys.executable)
_CLIENT: Final = """
import socket, sys
def reach(host, port):
    try:
        with socket.create_connection((host, port), 10) as peer:
            return peer.recv(16).decode()
    except OSError:
        return "refused"
port = int(sys.argv[1])
for host, number in (("allowed.test", port), ("allowed.test", port ^ 1), ("other.test", port), ("192.0.2.1", port)):
    print(reach(host, number), end=" ")
"""
_EXPECTED: Final = "allowed refused refused refused"
_DELEGATE: Final = "systemd-run --user --scope -p Delegate=yes vsm-mcp serve"


async def probe(*, bwrap: str | None = None, search: str = SEARCH, soft: bool = False) -> Isolation:
    """Try the whole sandbox with a program that prints how it is confined.

    ``bwrap`` names the program (default: the first in ``search``, a path list fixed on purpose: root must not run a
    bubblewrap found in a person's ``PATH``). ``soft`` leaves control groups alone. Never raises: what cannot be had
    is named in ``reasons``.
    """
    found = bwrap or shutil.which("bwrap", path=search)
    if not sys.platform.startswith("linux"):
        return _none("there is a sandbox for Linux only")
    if found is None or not os.access(found, os.X_OK):
        return _none(f"bubblewrap is not installed (looked for {bwrap or 'bwrap in ' + search})", _INSTALL)
    layout = None if soft else cgroup.find()
    wanted = Isolation(
        tier=Tier.FULL if layout else Tier.FULL_SOFT,
        properties={},
        mechanism="root" if os.geteuid() == 0 else "userns",
        bwrap=found,
        cgroup=layout,
    )
    failures: list[str] = []
    for isolation in _attempts(wanted):
        failure = await _try(isolation)
        if not failure:
            return _described(isolation)
        failures.append(failure)
    return _none(f"bubblewrap cannot isolate here: {failures[-1]}", *_remedies(failures[-1]))


async def allow_list_failure(isolation: Isolation) -> str:
    """Return why the allow-list of hosts does not hold here; "" if one allowed host answers, and no other."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"allowed")
        writer.close()

    async def resolve(_name: str) -> list[Address]:
        return [ipaddress.ip_address("127.0.0.1")]

    async with (
        await asyncio.start_server(answer, "127.0.0.1", 0) as server,
        Sandbox(isolation, guarded=False, resolve=resolve) as sandbox,
    ):
        port = str(server.sockets[0].getsockname()[1])
        command = Command(argv=(_PYTHON, "-I", "-S", "-c", _CLIENT, port))
        allowed = allow_list((f"allowed.test:{port}", f"127.0.0.1:{port}"))
        try:
            done = await sandbox.run(
                command,
                Confinement(read_only=(sys.base_prefix,), network=allowed),
                name="probe",
                timeout=_TIMEOUT_SECONDS,
            )
        except VsmError as error:
            return error.message
    said = done.stdout.decode("utf-8", "replace").strip()
    return "" if done.ok and said == _EXPECTED else f"a program in it saw: {said or done.exit.describe()}"


def _attempts(wanted: Isolation) -> list[Isolation]:
    """From best to least: an old bubblewrap cannot lock user namespaces (the call filter refuses them anyway)."""
    chain = [wanted]
    if wanted.cgroup is not None:
        chain.append(msgspec.structs.replace(wanted, tier=Tier.FULL_SOFT, cgroup=None))
    if wanted.mechanism == "userns":
        chain.append(msgspec.structs.replace(chain[-1], lock_userns=False))
    return chain


async def _try(isolation: Isolation) -> str:
    """Return why the sandbox does not hold, or "" if it does."""
    command = Command(argv=("/usr/bin/cat", "/proc/self/status", "/proc/self/cgroup"), env={"PATH": "/usr/bin"})
    try:
        async with Sandbox(isolation, guarded=False) as sandbox:
            done = await sandbox.run(command, Confinement(), name="probe", timeout=_TIMEOUT_SECONDS)
    except VsmError as error:
        return error.message
    if not done.ok:
        return f"{done.exit.describe()}: {done.stderr.decode('utf-8', 'replace').strip()}"
    return _unmet(done.stdout.decode("utf-8", "replace"), isolation)


def _unmet(text: str, isolation: Isolation) -> str:
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", text, re.MULTILINE))
    expected = {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16, "CapBnd": "0" * 16}
    if isolation.mechanism == "userns":
        expected.pop("CapBnd")
    wrong = [f"{name} is {fields.get(name)}" for name, value in expected.items() if fields.get(name) != value]
    if fields.get("Uid", "0").split()[0] == "0":
        wrong.append("the uid inside is 0")
    return ", ".join(wrong)


def _described(isolation: Isolation) -> Isolation:
    soft = isolation.tier is Tier.FULL_SOFT
    cpu = isolation.cgroup is not None and bool(isolation.cgroup.cpu)
    remedies = (("run the daemon as root, or: " + _DELEGATE),) if soft else ()
    return msgspec.structs.replace(
        isolation,
        properties=properties_of(isolation.tier, cpu=cpu),
        reasons=(_NO_CGROUP,) if soft else (),
        remedies=remedies,
    )


def _remedies(failure: str) -> tuple[str, ...]:
    text = failure.lower()
    if "uid map" in text or "rtm_newaddr" in text or "permission" in text or "not permitted" in text:
        return (
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap (Ubuntu)",
            "sysctl -w user.max_user_namespaces=15000, or kernel.unprivileged_userns_clone=1 where it exists",
            _CONTAINER,
        )
    if "no space left" in text or "creating new namespace" in text or "resources exhausted" in text:
        return ("sysctl -w user.max_user_namespaces=15000",)
    return (_INSTALL,)


def _none(reason: str, *remedies: str) -> Isolation:
    return Isolation(tier=Tier.NONE, properties=properties_of(Tier.NONE), reasons=(reason,), remedies=remedies)
