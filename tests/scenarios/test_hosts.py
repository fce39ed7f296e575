"""A server and its hosts, as a person sees them: given with ``--allow-host``, shown by ``inspect`` and in evidence."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.homes import Home

from vsm_mcp.testing import faulty

FAULTY = Path(faulty.__file__)
CALLER = f"""
import runpy, socket, sys
sys.argv = [sys.argv[0]]
for place in {{places!r}}:
    with socket.create_connection(place, 5) as peer:
        assert peer.recv(2) == b"hi"
runpy.run_path({str(FAULTY)!r}, run_name="__main__")
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A server on loopback that greets whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_greet, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _greet(server: socket.socket) -> None:
    while True:
        try:
            peer, _ = server.accept()
        except OSError:
            return
        with peer:
            peer.sendall(b"hi")


def add(home: Home, tmp_path: Path, places: list[tuple[str, int]], *hosts: str) -> Any:
    program = tmp_path / "caller.py"
    program.write_text(CALLER.format(places=places))
    options = [part for host in hosts for part in ("--allow-host", host)]
    return home.run(
        "add", f"cmd:{sys.executable} {program}", "--name", "caller", "--yes", "--allow-path", str(FAULTY), *options
    )


def test_a_server_that_is_refused_a_host_is_told_what_to_ask_for(home: Home, tmp_path: Path, port: int) -> None:
    done = add(home, tmp_path, [("api.nowhere.test", 8443)], f"127.0.0.1:{port}")
    assert done.document["outcome"] == "failed", done
    assert done.document["reason"]["hint"] == "if it may: --allow-host api.nowhere.test"
    done = add(home, tmp_path, [("203.0.113.5", 8443)])
    assert done.document["reason"]["hint"] == "if it may: --allow-host 203.0.113.5:8443"
    records = home.run("evidence", done.document["evidence"]).document["records"]
    trial = next(record for record in records if record["kind"] == "trial")
    contacts = [(each["host"], each["port"], each["allowed"]) for each in trial["body"]["report"]["contacts"]]
    assert contacts == [("203.0.113.5", 8443, False)]


def test_contacts_are_shown(home: Home, tmp_path: Path, port: int) -> None:
    home.serve()
    done = add(home, tmp_path, [("127.0.0.1", port)], f"127.0.0.1:{port}")
    assert done.document["outcome"] == "served", done
    shown = home.run("inspect", "caller").document["server"]
    assert shown["hosts"] == [f"127.0.0.1:{port}"]
    assert shown["sandbox"]["properties"]["network"] == "enforced"
    (contact,) = shown["contacts"]
    assert (contact["host"], contact["port"], contact["allowed"]) == ("127.0.0.1", port, True)
    assert contact["count"] >= 2


def test_the_whole_network_is_given_by_a_star_and_shown_for_what_it_is(home: Home, tmp_path: Path, port: int) -> None:
    done = add(home, tmp_path, [("127.0.0.1", port)], "*")
    assert done.document["outcome"] == "served", done
    assert any("all that this machine reaches" in warning for warning in done.document["warnings"])
    shown = home.run("inspect", "caller").document["server"]
    assert shown["sandbox"]["properties"]["network"] == "off"
    assert shown["sandbox"]["properties"]["filesystem"] == "enforced"


@pytest.mark.parametrize("host", ["https://api.example.com", "a b", "*:443", "example.com:99999"])
def test_what_is_no_host_is_refused_before_anything_is_done(home: Home, host: str) -> None:
    done = home.run("add", "npm:nothing", "--yes", "--allow-host", host)
    assert done.code == 2
    assert repr(host) in done.document["error"]["message"]


def test_doctor_tries_the_list(home: Home) -> None:
    checks = {check["name"]: check for check in home.run("doctor").document["checks"]}
    assert checks["network"]["state"] == "ok", checks["network"]
