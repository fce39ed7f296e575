"""What this machine can isolate, found by trying it: never by looking whether a program exists."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from vsm_mcp.errors import VsmError
from vsm_mcp.sandbox import cgroup, enclose, machine, seatbelt
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.egress.rules import Address, allow_list
from vsm_mcp.sandbox.machine import Machine
from vsm_mcp.sandbox.tier import Isolation, Lack, Tier, properties_of

SEARCH: Final = "/usr/bin:/bin:/usr/local/bin"
_TIMEOUT_SECONDS: Final = 20.0
_STATUS: Final = ("/usr/bin/cat", "/proc/self/status", "/proc/self/cgroup")
_CONFINED: Final = {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16}
_WALLED: Final = {
    "CanaryRead": "EACCES",
    "CanaryTruncate": "EACCES",
    "CanaryMode": "EPERM",
    "Signal": "EPERM",
    "Socket": "ENETUNREACH",
}
_LEAKS: Final = Lack(
    reason="there is no namespace to hide what is outside: that files and processes exist can be seen, no host can be "
    "allowed, and what is private lies on disk, its size only looked after"
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


_SEATBELT: Final = Lack(
    reason="Seatbelt holds back files and the network only, and was never tried by us",
    properties=tuple(name for name, held in seatbelt.HELD.items() if held != "enforced"),
)


async def probe(
    *, bwrap: str | None = None, search: str = SEARCH, soft: bool = False, landlock: int | None = None
) -> Isolation:
    """Try the whole sandbox with a program that prints how it is confined, from the best tier down.

    ``bwrap`` names the program (default: the first in ``search``, a path list fixed on purpose: root must not run a
    bubblewrap found in a person's ``PATH``). ``soft`` leaves control groups alone. ``landlock`` has it taken for
    that version at most; 0: for none. Never raises: what cannot be had is named in ``lacks``.
    """
    here = machine.survey()
    if not here.platform.startswith("linux"):
        return await _elsewhere(here)
    layout = None if soft else cgroup.find()
    version = enclose.abi() if landlock is None else min(landlock, enclose.abi())
    lacks: list[Lack] = []
    found = bwrap or shutil.which("bwrap", path=search)
    if found is None or not os.access(found, os.X_OK):
        lacks.append(machine.no_bubblewrap(here, bwrap or f"bwrap in {search}"))
    else:
        isolation, failure = await _best(_full(found, layout))
        if isolation is not None:
            return _described(isolation, here, lacks)
        lacks.append(machine.no_namespaces(here, failure))
    if version < enclose.LEAST_ABI:
        lacks.append(machine.no_landlock(version, enclose.LEAST_ABI, here))
        return _none(*lacks)
    isolation, failure = await _best(_reduced(version, layout))
    if isolation is not None:
        return _described(isolation, here, lacks)
    return _none(*lacks, Lack(reason=f"nor does the reduced tier hold: {failure}"))


async def _best(chain: list[Isolation]) -> tuple[Isolation | None, str]:
    """Return the first that holds, or why the last one does not."""
    failure = ""
    for isolation in chain:
        failure = await (_try_walls(isolation) if isolation.tier is Tier.REDUCED else _try(isolation))
        if not failure:
            return isolation, ""
    return None, failure


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


def _full(bwrap: str, layout: cgroup.Layout | None) -> list[Isolation]:
    """From best to least: an old bubblewrap cannot lock user namespaces (the call filter refuses them anyway)."""
    root = os.geteuid() == 0
    soft = Isolation(tier=Tier.FULL_SOFT, properties={}, mechanism="root" if root else "userns", bwrap=bwrap)
    hard = msgspec.structs.replace(soft, tier=Tier.FULL, cgroup=layout)
    chain = [hard, soft] if layout else [soft]
    return chain if root else [*chain, msgspec.structs.replace(soft, lock_userns=False)]


def _reduced(version: int, layout: cgroup.Layout | None) -> list[Isolation]:
    alone = Isolation(tier=Tier.REDUCED, properties={}, mechanism="landlock", landlock=version)
    return [msgspec.structs.replace(alone, cgroup=layout), alone] if layout else [alone]


async def _try(isolation: Isolation) -> str:
    """Return why the sandbox does not hold, or "" if it does."""
    command = Command(argv=_STATUS, env={"PATH": "/usr/bin"})
    try:
        async with Sandbox(isolation, guarded=False) as sandbox:
            done = await sandbox.run(command, Confinement(), name="probe", timeout=_TIMEOUT_SECONDS)
    except VsmError as error:
        return error.message
    if not done.ok:
        return f"{done.exit.describe()}: {done.stderr.decode('utf-8', 'replace').strip()}"
    return _unmet(done.stdout.decode("utf-8", "replace"), isolation)


async def _try_walls(isolation: Isolation) -> str:
    """The same, with a file that nothing but the walls keeps from the program."""
    with _canary() as path:
        return await _try(msgspec.structs.replace(isolation, canary=path))


@contextlib.contextmanager
def _canary() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="vsm-mcp-") as folder:
        path = Path(folder, "canary")
        path.write_text("nobody should read this", "utf-8")
        path.chmod(0o666)
        Path(folder).chmod(0o755)
        yield str(path)


def _unmet(text: str, isolation: Isolation) -> str:
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", text, re.MULTILINE))
    expected = _CONFINED | (_WALLED if isolation.tier is Tier.REDUCED else {})
    if os.geteuid() == 0:
        expected |= {"CapBnd": "0" * 16}
    wrong = [f"{name} is {fields.get(name)}" for name, value in expected.items() if fields.get(name) != value]
    if fields.get("Uid", "0").split()[0] == "0":
        wrong.append("the uid inside is 0")
    return ", ".join(wrong)


def _described(isolation: Isolation, here: Machine, lacks: list[Lack]) -> Isolation:
    layout, reduced = isolation.cgroup, isolation.tier is Tier.REDUCED
    found = [*lacks, *((_LEAKS,) if reduced else ())]
    if layout is None:
        found.append(machine.no_groups(here, reduced=reduced))
    elif not layout.cpu:
        found.append(machine.no_cpu(here))
    cpu = layout is not None and bool(layout.cpu)
    properties = properties_of(isolation.tier, group=layout is not None, cpu=cpu, own_uid=here.root)
    return msgspec.structs.replace(isolation, properties=properties, lacks=tuple(found))


async def _elsewhere(here: Machine) -> Isolation:
    """Try what there is on other systems: Seatbelt on macOS."""
    if here.platform != "darwin":
        return _none(Lack(reason=f"there is no sandbox for {here.platform}"))
    isolation = Isolation(tier=Tier.REDUCED, properties=seatbelt.HELD, lacks=(_SEATBELT,), mechanism="seatbelt")
    with _canary() as path:
        try:
            async with Sandbox(isolation, guarded=False) as sandbox:
                runs, reads = [
                    await sandbox.run(Command(argv=argv), Confinement(), name="probe", timeout=_TIMEOUT_SECONDS)
                    for argv in (("/usr/bin/true",), ("/bin/cat", path))
                ]
        except VsmError as error:
            return _none(Lack(reason=f"sandbox-exec cannot isolate here: {error.message}"))
    if not runs.ok or reads.ok or reads.stdout:
        return _none(
            Lack(reason="sandbox-exec does not hold here: " + ("it runs nothing" if not runs.ok else "it leaks"))
        )
    return isolation


def _none(*lacks: Lack) -> Isolation:
    return Isolation(tier=Tier.NONE, properties=properties_of(Tier.NONE), lacks=lacks)
