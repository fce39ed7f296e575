"""What is said of a server before its first start is what it is started with; no value is in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.permissions import LIMITS, Permissions
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.runtime.sandbox_plan import plan_of_server
from vsm_mcp.runtime.spec import spec_of
from vsm_mcp.sandbox.tier import Isolation, Tier, properties_of

CONFIG = Config(home=Path("/data/vsm"))
ISOLATION = Isolation(tier=Tier.FULL, properties=properties_of(Tier.FULL, cpu=True))
GIVEN = Settings(
    env={"MODE": "value-of-mode"},
    secrets={"TOKEN": "value-of-token"},
    paths=(("/data/in", False), ("/data/out", True)),
    hosts=("example.com:8443",),
    permissions="project",
    project="/work",
)


def server(settings: Settings, **entry: object) -> Server:
    ref = parse_ref("npm:thing")
    made = msgspec.convert({"argv": ("/i/x",), "runtime": "node", "roots": ("/i", "/opt/node"), **entry}, Entry)
    installation = Installation(server="thing", ref=ref, version="1", path="/i", entry=made)
    return Server(name="thing", ref=ref, version="1", installation=installation, settings=settings, env={"KNOWN": "v"})


def test_a_plan_says_what_the_program_is_started_with() -> None:
    plan = plan_of_server(server(GIVEN), ["KEPT"], CONFIG, ISOLATION)
    spec = spec_of(server(GIVEN), {"KEPT": "value-of-kept"}, CONFIG)
    assert spec.confinement is not None
    assert (plan.reads, plan.writes) == (("/data/in",), ("/data/out", "/work"))
    assert (plan.reads, plan.writes) == (spec.confinement.granted_read_only, spec.confinement.granted_writable)
    assert plan.own == spec.confinement.read_only == ("/i", "/opt/node")
    assert (plan.network, plan.hosts) == ("hosts", ("example.com:8443",))
    assert (plan.variables, plan.secrets) == (("KNOWN", "MODE"), ("KEPT", "TOKEN"))
    assert plan.limits == {name: getattr(spec.confinement, name) for name in LIMITS}
    assert (plan.tier, plan.properties["filesystem"], plan.permissions) == ("full", "enforced", "project")


def test_the_whole_network_is_called_so() -> None:
    for settings in (Settings(network=True), Settings(hosts=("*", "example.com"))):
        plan = plan_of_server(server(settings), [], CONFIG, ISOLATION)
        assert (plan.network, plan.properties["network"]) == ("machine", "off")
    plan = plan_of_server(server(Settings()), [], CONFIG, ISOLATION)
    assert (plan.network, plan.properties["network"]) == ("off", "enforced")


def test_the_tier_is_the_one_that_will_hold_it() -> None:
    reduced = Isolation(tier=Tier.REDUCED, properties=properties_of(Tier.REDUCED, group=True, cpu=True))
    for settings, tier in (
        (Settings(allow_unsandboxed=True), "reduced"),
        (Settings(hosts=("h.example",)), "reduced"),  # it is not started
        (Settings(hosts=("h.example",), allow_unsandboxed=True), "none"),
        (Settings(permissions="site", allow_unsandboxed=True), "none"),
        (Settings(listens="http", allow_unsandboxed=True), "none"),
    ):
        config = msgspec.structs.replace(CONFIG, permissions={"site": Permissions(hosts=("h.example",))})
        plan = plan_of_server(server(settings), [], config, reduced)
        assert (plan.tier, plan.properties["filesystem"]) == (tier, "off" if tier == "none" else "enforced")


def test_no_value_is_in_it() -> None:
    assert b"value-of" not in msgspec.json.encode(plan_of_server(server(GIVEN), ["KEPT"], CONFIG, ISOLATION))


def test_a_server_that_runs_elsewhere_is_held_by_nothing_here() -> None:
    remote = server(GIVEN, argv=("https://user:value-of-password@example.com:8443/mcp",), runtime="remote")
    plan = plan_of_server(remote, ["KEPT"], CONFIG, ISOLATION)
    assert (plan.tier, plan.network, plan.hosts) == ("remote", "remote", ("example.com:8443",))
    assert (plan.reads, plan.writes, plan.own, plan.limits) == ((), (), (), {})
    assert plan.secrets == ("KEPT", "TOKEN")
    assert b"value-of" not in msgspec.json.encode(plan)
