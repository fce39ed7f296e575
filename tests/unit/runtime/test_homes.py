"""Whose home is kept, and where it lies."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from vsm_mcp.config import Config
from vsm_mcp.discovery.compiled import taxonomy
from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.newcomer import newcomer_of
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.runtime.homes import KEEPING, home_of, keeps_home, known_to_keep, spec_at_home

CONFIG = Config(home=Path("/state"))


def server(settings: Settings | None = None, *, runtime: str = "node", ref: str = "npm:mem", **given: object) -> Server:
    entry = Entry(argv=("/bin/podman", "run", "image") if runtime == "container" else ("/i/mem",), runtime=runtime)
    where = parse_ref(ref)
    made = Installation(server="mem", ref=where, version="1", path="/i", entry=entry)
    base = Server(name="mem", ref=where, version="1", installation=made, settings=settings or Settings())
    return msgspec.structs.replace(base, **given)


def test_the_capabilities_are_those_of_the_taxonomy() -> None:
    assert set(taxonomy().tags) >= KEEPING


def test_what_is_known() -> None:
    assert known_to_keep(("knowledge.memory",), None)
    assert known_to_keep((), Behaviour(home=("/home/mcp/x.db",)))
    assert not known_to_keep(("time.clock",), Behaviour(writes=("/data/x",)))


@pytest.mark.parametrize(
    ("said", "known", "stateful", "observed", "kept"),
    [
        (None, False, None, False, False),
        (None, True, None, False, True),
        (False, True, None, False, False),
        (True, False, None, False, True),
        (None, True, True, False, False),
        (None, True, None, True, False),
        (None, True, False, True, True),
        (True, False, None, True, True),
    ],
)
def test_a_person_is_heard_first(
    said: bool | None, known: bool, stateful: bool | None, observed: bool, kept: bool
) -> None:
    settings = Settings(keep_home=said, stateful=stateful)
    assert keeps_home(server(settings, keeps_home=known, observed_stateful=observed)) is kept


def test_a_container_has_none() -> None:
    assert not keeps_home(server(Settings(keep_home=True), runtime="container", keeps_home=True))


def test_a_newcomer_has_the_home_of_its_server_and_another_package_has_not() -> None:
    here = home_of(server(), CONFIG)
    assert here.parent == Path("/state/homes")
    newer = server(name=newcomer_of("mem", "2"), ref="npm:mem@2", version="2")
    assert home_of(newer, CONFIG) == here
    assert home_of(server(ref="npm:other"), CONFIG) != here
    assert home_of(server(name="mem2"), CONFIG) != here


def test_what_is_started_to_serve_gets_it() -> None:
    keeping = spec_at_home(server(keeps_home=True), {}, CONFIG).confinement
    plain = spec_at_home(server(), {}, CONFIG).confinement
    assert keeping is not None
    assert plain is not None
    assert (keeping.home, plain.home) == (str(home_of(server(), CONFIG)), "")
    assert keeping.home_bytes == CONFIG.sandbox.home_bytes
