"""What a program reaches through an allow-list, and what not: real programs, real sockets, nothing but loopback.

The "internet" is a server of this test on loopback, to which the resolver below leads some names.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.sandboxes import PYTHON, whole
from tests.unit.wire.certificates import contexts

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.events import ContactRefused, Event
from vsm_mcp.model.contact import Contact
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import HOME, Command, Completed, Confinement, Network
from vsm_mcp.sandbox.egress import gate, namespace
from vsm_mcp.sandbox.egress.relay import Way
from vsm_mcp.sandbox.egress.rules import Address, AllowList, allow_list
from vsm_mcp.sandbox.probe import allow_list_failure, probe

LOOPBACK = ipaddress.ip_address("127.0.0.1")
PRIVATE = ipaddress.ip_address("10.255.255.1")

PRELUDE = """
import errno, hashlib, json, socket, ssl, sys, threading, time
def attempt(call, *args):
    try:
        value = call(*args)
    except socket.gaierror as error:
        return {-2: "unknown name", -3: "no answer", -5: "no address"}.get(error.errno, str(error))
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
    return "ok" if value is None else value
def connected(host, port):
    return socket.create_connection((host, port), 10)
def asked(host, port, text=b"hello"):
    with connected(host, port) as peer:
        peer.sendall(text)
        peer.shutdown(socket.SHUT_WR)
        return peer.makefile("rb").read().decode()
def datagram(host, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.settimeout(5)
        own.connect((host, port))
        own.send(b"secret")
        own.recv(10)
found = {}
"""
EPILOGUE = "\nprint(json.dumps(found))\n"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Outside:
    """A sandbox whose allowed names lead to a server of the test; ``looked_up`` are the names it was asked for."""

    def __init__(self, isolation: Any) -> None:
        self.events: list[Event] = []
        self.looked_up: list[str] = []
        self.addresses: dict[str, list[Address]] = {"private.test": [PRIVATE], "nowhere.test": []}
        self.sandbox = Sandbox(isolation, emit=self.events.append, resolve=self.resolve)

    async def resolve(self, name: str) -> list[Address]:
        self.looked_up.append(name)
        return self.addresses.get(name, [LOOPBACK])

    async def run(self, code: str, network: Network, *argv: str) -> Completed:
        command = Command(argv=argv or (PYTHON, "-I", "-S", "-c", code), env={"PATH": "/usr/bin:/bin", "HOME": HOME})
        confinement = Confinement(read_only=(sys.base_prefix,), network=network)
        return await self.sandbox.run(command, confinement, name="egress", timeout=40)

    async def inside(self, code: str, network: Network) -> dict[str, Any]:
        done = await self.run(PRELUDE + code + EPILOGUE, network)
        assert done.ok, done
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def contacts(self) -> dict[str, Contact]:
        return {f"{each.host}:{each.port}": each for each in self.sandbox.contacts("egress")}


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    made = Outside(await whole())
    async with made.sandbox:
        yield made


@asynccontextmanager
async def serving(serve: Serve, **given: Any) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, **given)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with what was sent, once all of it was."""
    writer.write(b"echo " + await reader.read())
    await writer.drain()
    writer.close()


async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    host = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
    body = b"page of" + host[5:]
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    await writer.drain()
    writer.close()


def to(port: int, *names: str) -> AllowList:
    """Allow names at a port; what they lead to is on loopback, so that has to be named as well."""
    return allow_list([*(f"{name}:{port}" for name in names), f"127.0.0.1:{port}"])


# --- what is allowed -------------------------------------------------------------------------------------------------

NODE = "fetch(process.argv[1]).then(answer => answer.text()).then(text => console.log(text))"
URLLIB = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"


@pytest.mark.parametrize(
    "program",
    [("curl", "-s", "--max-time", "10"), ("node", "-e", NODE), ("python", "-I", "-c", URLLIB)],
    ids=["curl", "node", "python"],
)
async def test_programs_that_know_nothing_of_it_reach_their_host(outside: Outside, program: tuple[str, ...]) -> None:
    path = PYTHON if program[0] == "python" else shutil.which(program[0], path="/usr/bin:/bin")
    if path is None:
        pytest.skip(f"no {program[0]} that the sandbox shows")
    async with serving(page) as port:
        argv = (path, *program[1:], f"http://allowed.test:{port}/")
        done = await outside.run("", to(port, "allowed.test"), *argv)
    assert done.stdout.decode().strip() == f"page of allowed.test:{port}", done
    assert outside.contacts()[f"allowed.test:{port}"].allowed


async def test_names_below_a_wildcard_and_addresses_that_were_named(outside: Outside) -> None:
    async with serving(echo) as port:
        code = f"""
found["below"] = attempt(asked, "a.b.wild.test", {port})
found["itself"] = attempt(asked, "wild.test", {port})
found["case"] = attempt(asked, "A.B.Wild.TEST.", {port})
found["address"] = attempt(asked, "127.0.0.1", {port})
found["localhost"] = attempt(asked, "localhost", {port})
found["other"] = attempt(asked, "127.0.0.2", {port})
"""
        found = await outside.inside(code, to(port, "*.wild.test"))
    assert found == {
        "below": "echo hello", "itself": "unknown name", "case": "echo hello", "address": "echo hello",
        "localhost": "echo hello", "other": "ECONNRESET",
    }  # fmt: skip
    assert outside.looked_up == ["a.b.wild.test"] * 2


async def test_much_goes_both_ways_and_each_side_may_end_first(outside: Outside) -> None:
    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"greeting ")  # in some protocols the server begins
        taken = await reader.read()
        writer.write(hashlib.sha256(taken).hexdigest().encode() + b" " + taken)
        await writer.drain()
        writer.close()

    async with serving(both) as port:
        code = f"""
sent = bytes(range(256)) * 4096
with connected("allowed.test", {port}) as peer:
    found["first"] = peer.recv(9).decode()
    peer.sendall(sent)
    peer.shutdown(socket.SHUT_WR)
    digest, _, back = peer.makefile("rb").read().partition(b" ")
found["whole"] = back == sent and digest.decode() == hashlib.sha256(sent).hexdigest()
"""
        found = await outside.inside(code, to(port, "allowed.test"))
    assert found == {"first": "greeting ", "whole": True}


async def test_a_slow_reader_holds_the_sender_back(outside: Outside) -> None:
    """The relay buffers next to nothing: what it cannot pass on it does not take."""
    total, block = 32 * 1024 * 1024, bytes(64 * 1024)
    sent_early: list[int] = []
    stalled = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while sent < total:
            writer.write(block)
            sent += len(block)
            try:
                async with asyncio.timeout(0.3):
                    await writer.drain()
            except TimeoutError:
                if not stalled.is_set():
                    sent_early.append(sent)
                    stalled.set()
                await writer.drain()
        writer.close()

    async def signal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stalled.wait()
        writer.write(b"now")
        writer.close()

    async with serving(flood) as port, serving(signal) as other:
        code = f"""
with connected("allowed.test", {port}) as peer:
    with connected("127.0.0.1", {other}) as go:
        go.recv(3)
    count = 0
    while chunk := peer.recv(1 << 20):
        count += len(chunk)
found["count"] = count
"""
        allowed = allow_list([f"allowed.test:{port}", f"127.0.0.1:{port}", f"127.0.0.1:{other}"])
        found = await outside.inside(code, allowed)
    assert found == {"count": total}
    assert sent_early
    assert sent_early[0] < total / 2  # what the buffers of four sockets hold


# --- what is refused -------------------------------------------------------------------------------------------------


async def test_nothing_else_can_be_reached(outside: Outside) -> None:
    async with serving(echo) as port, serving(echo) as other:
        code = f"""
found["name"] = attempt(asked, "other.test", {port})
found["port"] = attempt(asked, "allowed.test", {other})
found["literal"] = attempt(asked, "192.0.2.1", {port})
found["literal, port"] = attempt(asked, "192.0.2.1", 22)
found["metadata"] = attempt(asked, "169.254.169.254", 80)
found["loopback"] = attempt(asked, "127.0.0.1", {other})
found["IPv6"] = attempt(asked, "2001:db8::1", {port})
found["made up"] = attempt(asked, "28.0.200.1", {port})
found["private"] = attempt(asked, "private.test", {port})
found["nowhere"] = attempt(asked, "nowhere.test", {port})
found["UDP"] = attempt(datagram, "8.8.8.8", 53)
found["QUIC"] = attempt(datagram, "allowed.test", {port})
found["raw"] = attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
"""
        found = await outside.inside(code, to(port, "allowed.test", "private.test", "nowhere.test"))
    assert found == {
        "name": "unknown name", "port": "ECONNREFUSED", "literal": "ECONNRESET", "literal, port": "ECONNREFUSED",
        "metadata": "ECONNREFUSED", "loopback": "ECONNREFUSED", "IPv6": "ECONNRESET", "made up": "ECONNRESET",
        "private": "ECONNRESET", "nowhere": "ECONNRESET", "UDP": "ECONNREFUSED", "QUIC": "ECONNREFUSED", "raw": "EPERM",
    }  # fmt: skip
    seen = outside.contacts()
    assert {place: (each.reason, each.grant) for place, each in seen.items() if not each.allowed} == {
        "other.test:0": ("not allowed", "other.test"),
        f"allowed.test:{other}": ("this port is not allowed", f"allowed.test:{other}"),
        f"192.0.2.1:{port}": ("not allowed", f"192.0.2.1:{port}"),
        "192.0.2.1:22": ("not allowed", "192.0.2.1:22"),
        "169.254.169.254:80": ("not allowed", "169.254.169.254:80"),
        f"2001:db8::1:{port}": ("not allowed", f"[2001:db8::1]:{port}"),
        f"28.0.200.1:{port}": ("not allowed", f"28.0.200.1:{port}"),
        f"private.test:{port}": (f"it leads to {PRIVATE}, a private address", f"{PRIVATE}:{port}"),
        "8.8.8.8:53": ("UDP is not passed on", ""),
        f"allowed.test:{port}": ("UDP is not passed on", ""),
    }
    assert seen[f"nowhere.test:{port}"].reason == "could not be reached: it has no address"
    assert {event.host for event in outside.events if isinstance(event, ContactRefused)} == {
        place.rpartition(":")[0] for place, each in seen.items() if not each.allowed
    }


async def test_each_name_is_reached_at_its_own_port_only(outside: Outside) -> None:
    async with serving(echo) as port, serving(echo) as other:
        code = f"""
for name in ("one.test", "two.test"):
    for port in {port, other}:
        found[f"{{name}}:{{port}}"] = attempt(asked, name, port)
"""
        allowed = allow_list([f"one.test:{port}", f"two.test:{other}", f"127.0.0.1:{port}", f"127.0.0.1:{other}"])
        found = await outside.inside(code, allowed)
    assert found == {
        f"one.test:{port}": "echo hello", f"one.test:{other}": "ECONNRESET",
        f"two.test:{port}": "ECONNRESET", f"two.test:{other}": "echo hello",
    }  # fmt: skip
    assert {place: each.grant for place, each in outside.contacts().items() if not each.allowed} == {
        f"one.test:{other}": f"one.test:{other}",
        f"two.test:{port}": f"two.test:{port}",
    }


async def test_all_sandboxes_share_the_places_of_the_daemon(outside: Outside) -> None:
    outside.sandbox._slots.free = 0
    async with serving(echo) as port:
        found = await outside.inside(
            f"found['answer'] = attempt(asked, 'allowed.test', {port})", to(port, "allowed.test")
        )
    assert found == {"answer": "ECONNRESET"}
    assert outside.contacts()[f"allowed.test:{port}"].reason == "too many connections at a time"


async def test_names_that_are_not_allowed_are_asked_of_nobody(outside: Outside) -> None:
    code = """
for number in range(300):
    attempt(socket.gethostbyname, f"secret-{number}.evil.test")
for name in ("allowed.test.evil.test", "evilallowed.test"):
    found[name] = attempt(socket.gethostbyname, name)
found["text"] = attempt(socket.getaddrinfo, "allowed.test", 443, socket.AF_INET6)
"""
    found = await outside.inside(code, allow_list(["allowed.test"]))
    assert found == {
        "allowed.test.evil.test": "unknown name",
        "evilallowed.test": "unknown name",
        "text": "no address",
    }
    assert outside.looked_up == []  # an allowed one is looked up when something connects
    assert len(outside.sandbox.contacts("egress")) == 256
    assert len(outside.events) == 256


async def test_names_can_be_asked_for_by_tcp(outside: Outside) -> None:
    code = """
def query(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    message = b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0" + labels + b"\\0\\0\\1\\0\\1"
    return len(message).to_bytes(2, "big") + message
with connected("127.0.0.1", 53) as peer:
    answers = peer.makefile("rb")
    for name in ("allowed.test", "other.test"):
        peer.sendall(query(name))
        message = answers.read(int.from_bytes(answers.read(2), "big"))
        found[name] = [message[3] & 15, list(message[-4:])]
"""
    found = await outside.inside(code, allow_list(["allowed.test"]))
    assert found["allowed.test"] == [0, [28, 0, 0, 1]]
    assert found["other.test"][0] == 3


async def test_tls_may_ask_for_the_name_it_looked_up_only(outside: Outside, tmp_path: Path) -> None:
    context, _ = contexts(tmp_path)
    async with serving(echo, ssl=context) as port:
        code = f"""
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
def secured(name):
    with context.wrap_socket(connected("allowed.test", {port}), server_hostname=name) as peer:
        return peer.version()
for name in ("allowed.test", "ALLOWED.test", "other.test", "also-allowed.test", None):
    found[str(name)] = attempt(secured, name)
"""
        found = await outside.inside(code, to(port, "allowed.test", "also-allowed.test"))
    assert found == {
        "allowed.test": "TLSv1.3", "ALLOWED.test": "TLSv1.3", "None": "TLSv1.3",
        "other.test": "ECONNRESET", "also-allowed.test": "ECONNRESET",
    }  # fmt: skip
    reasons = [each.reason for each in outside.sandbox.contacts("egress") if not each.allowed]
    assert reasons == ["by TLS it asks for other.test", "by TLS it asks for also-allowed.test"]


async def test_a_private_address_is_reached_if_it_is_named_itself(outside: Outside) -> None:
    async with serving(echo) as port:
        code = f"found['answer'] = attempt(asked, 'allowed.test', {port})"
        without = await outside.inside(code, allow_list([f"allowed.test:{port}"]))
        named = await outside.inside(code, allow_list([f"allowed.test:{port}", f"localhost:{port}"]))
    assert without == {"answer": "ECONNRESET"}
    assert named == {"answer": "echo hello"}


async def test_connections_are_bounded_and_their_places_given_back(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "MOST_CONNECTIONS", 20)
    async with serving(echo) as port:
        code = f"""
peers = []
for _ in range(50):
    try:
        peers.append(connected("allowed.test", {port}))
    except ConnectionResetError:
        pass  # it was faster than we
def ended(peer):
    try:
        peer.sendall(b"hello")
        peer.shutdown(socket.SHUT_WR)
        return peer.makefile("rb").read() == b"echo hello"
    except OSError:
        return False
found["served"] = sum(map(ended, peers))
for peer in peers:
    peer.close()
deadline = time.monotonic() + 10
while attempt(asked, "allowed.test", {port}) != "echo hello" and time.monotonic() < deadline:
    time.sleep(0.01)
found["afterwards"] = attempt(asked, "allowed.test", {port})
"""
        free = outside.sandbox._slots.free
        found = await outside.inside(code, to(port, "allowed.test"))
    assert found["afterwards"] == "echo hello"
    assert 20 <= found["served"] < 40  # on a busy machine one place may be given back and taken again
    refused = [each for each in outside.sandbox.contacts("egress") if not each.allowed]
    assert [each.reason for each in refused] == ["too many connections at a time"]
    assert outside.sandbox._slots.free == free


# --- how it begins and ends ------------------------------------------------------------------------------------------


async def test_without_a_rule_nothing_is_reached_but_all_is_seen(outside: Outside) -> None:
    code = """
found["name"] = attempt(asked, "other.test", 80)
found["address"] = attempt(asked, "192.0.2.1", 443)
own = socket.create_server(("127.0.0.1", 0))
found["own"] = attempt(connected(*own.getsockname()).close)
"""
    found = await outside.inside(code, AllowList())
    assert found == {"name": "unknown name", "address": "ECONNREFUSED", "own": "ok"}
    assert set(outside.contacts()) == {"other.test:0", "192.0.2.1:443"}


async def test_where_the_namespace_cannot_be_entered_nothing_starts(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Path(str(namespace.__file__)).with_name("absent.py")
    monkeypatch.setattr(namespace, "__file__", str(broken))
    before = _descriptors()
    with pytest.raises(SandboxUnavailable, match="the network allow-list cannot be had here"):
        await outside.run("", allow_list(["allowed.test"]))
    assert (await outside.inside("found['name'] = attempt(asked, 'other.test', 80)", AllowList())) == {
        "name": "no answer"
    }  # it has no network, as it should; only nobody sees what it wanted
    assert _descriptors() <= before + 1  # the guard's pipe


async def test_nothing_is_left_of_a_cancelled_start(outside: Outside) -> None:
    allowed = allow_list(["allowed.test"])
    await outside.run("", allowed, "/bin/true")  # now the guard is up
    before = _descriptors()
    for milliseconds in range(0, 60, 4):
        task = asyncio.ensure_future(outside.run("", allowed, "/bin/true"))
        await asyncio.wait([task], timeout=milliseconds / 1000)
        task.cancel()
        await asyncio.wait([task])
    assert _descriptors() == before
    async with asyncio.timeout(60):  # another test beside this one may have some of its own for a moment
        while _entering():  # noqa: ASYNC110 - the kernel has no event for this
            await asyncio.sleep(0.05)


DAEMON = """
import asyncio, sys
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.egress.rules import allow_list
from vsm_mcp.sandbox.probe import probe

async def main():
    async with Sandbox(await probe()) as sandbox:
        print("ready", flush=True)
        network = allow_list(["allowed.test"])
        command = Command(argv=("/usr/bin/sleep", sys.argv[1]))
        while True:
            await sandbox.spawn(command, Confinement(network=network), name="sleeper")

asyncio.run(main())
"""


@pytest.mark.parametrize("milliseconds", [0, 15, 30, 45, 200])
async def test_nothing_is_left_of_a_killed_daemon(outside: Outside, milliseconds: int) -> None:
    marker = str(100_000 + os.getpid() * 10 + milliseconds)
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DAEMON, marker, stdout=asyncio.subprocess.PIPE, env=os.environ.copy()
    )
    assert daemon.stdout is not None
    assert await asyncio.wait_for(daemon.stdout.readline(), 30) == b"ready\n"
    await asyncio.sleep(milliseconds / 1000)
    daemon.kill()
    await daemon.wait()
    async with asyncio.timeout(5):
        while _carrying(marker.encode()) or _entering():  # noqa: ASYNC110 -- other processes
            await asyncio.sleep(0.01)


async def test_the_self_test_tells_a_list_that_holds_from_one_that_does_not(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolation = outside.sandbox.isolation
    assert await allow_list_failure(isolation) == ""
    monkeypatch.setattr(Way, "targets", _anything)
    assert await allow_list_failure(isolation) == "a program in it saw: allowed refused refused allowed"
    monkeypatch.setattr(namespace, "__file__", "/absent.py")
    assert "cannot be had here" in await allow_list_failure(isolation)


async def _anything(*_given: Any) -> list[Address]:
    return [LOOPBACK]


async def test_an_isolation_without_a_sandbox_has_no_list_to_test() -> None:
    nothing = await probe(search="/nonexistent", landlock=0)
    assert "cannot be sandboxed here" in await allow_list_failure(nothing)


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def _entering() -> list[int]:
    """Return the programs that are on their way into a namespace."""
    return _carrying(str(namespace.__file__).encode())


def _carrying(argument: bytes) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
