"""From a server of the catalogue to what is started."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from vsm_mcp.config import Config
from vsm_mcp.errors import BadArgument
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.runtime.spec import spec_of
from vsm_mcp.sandbox.confinement import HOME, MachineNetwork, NoNetwork
from vsm_mcp.sandbox.egress.rules import allow_list

CONFIG = Config(home=Path("/data/vsm"), environ={"DAEMON_SECRET": "x", "PATH": "/evil"})


def server(settings: Settings | None = None, ref: str = "npm:thing", **entry: object) -> Server:
    parsed = parse_ref(ref)
    given = {"argv": ("/opt/node/bin/node", "/i/index.js"), "runtime": "node", "roots": ("/i", "/opt/node", "/i")}
    made = msgspec.convert({**given, **entry}, Entry)
    installation = Installation(server="thing", ref=parsed, version="1", path="/i", entry=made)
    return Server(
        name="thing",
        ref=parsed,
        version="1",
        installation=installation,
        settings=settings or Settings(),
        args=("stdio",),
        env={"A": "server", "B": "server"},
    )


def test_program() -> None:
    settings = Settings(
        args=("--dir", "/data/x"),
        env={"B": "person", "C": "person"},
        secrets={"KEY": "from settings"},
        paths=(("/data/x", True), ("/data/y", False)),
        cwd="/data/x",
    )
    spec = spec_of(server(settings, env={"A": "entry", "D": "entry"}), {"TOKEN": "hush"}, CONFIG)
    assert spec.command is not None
    assert spec.confinement is not None
    assert spec.command.argv == ("/opt/node/bin/node", "/i/index.js", "stdio", "--dir", "/data/x")
    assert spec.command.cwd == "/data/x"
    env = spec.command.env
    assert {name: env[name] for name in "ABCD"} == {"A": "server", "B": "person", "C": "person", "D": "entry"}
    assert (env["TOKEN"], env["KEY"]) == ("hush", "from settings")
    assert env["PATH"] == "/opt/node/bin:/usr/local/bin:/usr/bin:/bin"
    assert (env["HOME"], env["TMPDIR"], env["LANG"]) == (HOME, "/tmp", "C.UTF-8")
    assert "DAEMON_SECRET" not in env
    assert spec.secrets == ("from settings", "hush")
    confinement = spec.confinement
    assert confinement.read_only == ("/i", "/opt/node")
    assert confinement.granted_writable == ("/data/x",)
    assert confinement.granted_read_only == ("/data/y",)
    assert confinement.hidden == ("/data/vsm",)
    assert confinement.memory_bytes == CONFIG.sandbox.memory_bytes


def test_network_is_off_unless_asked() -> None:
    for settings, expected in (
        (Settings(), NoNetwork()),
        (Settings(hosts=("example.org", "10.0.0.5:80")), allow_list(("example.org", "10.0.0.5:80"))),
        (Settings(network=True), MachineNetwork()),
        (Settings(hosts=("example.org", "*")), MachineNetwork()),
    ):
        spec = spec_of(server(settings), {}, CONFIG)
        assert spec.confinement is not None
        assert spec.confinement.network == expected
    with pytest.raises(BadArgument, match="no:port:here"):
        spec_of(server(Settings(hosts=("no:port:here",))), {}, CONFIG)


def test_remote() -> None:
    remote = server(Settings(env={"X-Tenant": "7"}), ref="https://example.org/mcp", argv=(), runtime="remote")
    spec = spec_of(remote, {"Authorization": "Bearer hush"}, CONFIG)
    assert spec.command is None
    assert spec.url == "https://example.org/mcp"
    assert spec.headers == {"A": "server", "B": "server", "X-Tenant": "7", "Authorization": "Bearer hush"}


def test_nothing_secret_is_shown() -> None:
    spec = spec_of(server(Settings(secrets={"KEY": "hush"})), {"TOKEN": "quiet"}, CONFIG)
    assert "hush" not in repr(spec)
    assert "quiet" not in repr(spec)
