from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from vsm_mcp.autopilot.admission.order import carried, ordered_again
from vsm_mcp.autopilot.alter import FIELDS, Wish, alter, differences, widened
from vsm_mcp.config import Config
from vsm_mcp.errors import BadArgument, UnknownPermissions
from vsm_mcp.model.launch import Entry, LaunchFacts, RestartPolicy, Settings
from vsm_mcp.model.permissions import BUILT_IN, Permissions
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.retry import Retry
from vsm_mcp.model.server import Installation, Server

REF = parse_ref("npm:demo@1")
SERVER = Server(
    name="demo",
    ref=REF,
    version="1",
    installation=Installation(server="demo", ref=REF, version="1", path="/i", entry=Entry(argv=("x",), runtime="node")),
    settings=Settings(paths=(("/a", False),), hosts=("h",), cwd="/a", lazy=True),
    args=("--stdio", "one"),
    env={"A": "1"},
)
SECRETS = {"TOKEN": "t"}
FACTS = LaunchFacts(args=("--stdio",))
OWN = {
    "site": Permissions(hosts=("g",)),
    "open": Permissions(hosts=("*",)),
    "less": Permissions(hosts=("h",), processes=1, cpus=0.1),
}
CONFIG = Config(home=Path("/home/of/vsm"), permissions={**BUILT_IN, **OWN})


GIVEN: dict[str, Any] = {
    "env": {"B": "2"},
    "secrets": {"KEY": "k"},
    "paths": (("/b", True),),
    "stateful": True,
    "lazy": False,
    "idle_stop_seconds": 5.0,
    "restart": RestartPolicy.TEMPORARY,
}


def another(value: Any) -> Any:
    """Return something of the same type."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else ("new",) if isinstance(value, tuple) else f"new {value}"


def wished(*clear: str, **given: Any) -> Wish:
    return Wish(settings=Settings(**given), fields=tuple(given), clear=clear)


def test_nothing_given_changes_nothing() -> None:
    after = alter(SERVER, SECRETS, Wish(), FACTS)
    assert after.server == SERVER
    assert after.secrets == SECRETS
    assert differences(SERVER, SECRETS, after) == []
    assert widened(SERVER, SECRETS, after, CONFIG)["widens"] is False


@pytest.mark.parametrize("field", FIELDS)
def test_every_setting_can_be_given_and_emptied(field: str) -> None:
    default = getattr(Settings(), field)
    value: Any = GIVEN[field] if field in GIVEN else another(default)
    after = alter(SERVER, SECRETS, wished(**{field: value}), FACTS)
    assert [change["item"] for change in differences(SERVER, SECRETS, after)] == [field]
    emptied = alter(after.server, after.secrets, wished(field), FACTS)
    now = msgspec.structs.replace(emptied.server.settings, args=(), env=emptied.server.env, secrets=emptied.secrets)
    if field != "args":  # the program's own arguments stay
        assert getattr(now, field) == default
    assert emptied.server.args[:1] == ("--stdio",)


def test_what_is_added_and_what_takes_the_place() -> None:
    wish = wished(args=("two",), env={"B": "2"}, secrets={"KEY": "k"}, hosts=("g",))
    after = alter(SERVER, SECRETS, wish, FACTS)
    assert after.server.args == ("--stdio", "two")
    assert after.server.env == {"A": "1", "B": "2"}
    assert after.secrets == {"TOKEN": "t", "KEY": "k"}
    assert after.server.settings.hosts == ("g",)
    assert after.server.settings.secrets == {}
    assert after.server.settings.paths == SERVER.settings.paths
    assert alter(SERVER, SECRETS, wished("env", env={"B": "2"}), FACTS).server.env == {"B": "2"}


@pytest.mark.parametrize(
    ("wish", "facts"),
    [
        (wished(hosts=("h", "g")), {"network"}),
        (wished(network=True), {"network", "whole_network"}),
        (wished(hosts=("h", "*")), {"network", "whole_network"}),
        (wished("hosts"), set()),
        (wished(paths=(("/a", True),)), {"paths"}),
        (wished(paths=(("/b", False),)), {"paths"}),
        (wished("paths"), set()),
        (wished(allow_unsandboxed=True), {"unsandboxed"}),
        (wished(allow_scripts=True), {"scripts"}),
        (wished(secrets={"NEW": "x"}), {"secrets"}),
        (wished(secrets={"TOKEN": "x"}), set()),
        (wished(lazy=False), set()),
        (wished(args=("two",)), set()),
        (wished(permissions="project", project="/p"), {"paths", "permissions"}),
        (wished(permissions="read-only", project="/a"), {"permissions"}),
        (wished(permissions="none"), {"permissions"}),
        (wished(permissions="browser"), {"limits", "permissions"}),
        (wished(permissions="less"), {"permissions"}),
        (wished(permissions="site"), {"network", "permissions"}),
        (wished("hosts", permissions="open"), {"network", "whole_network", "permissions"}),
    ],
)
def test_what_lets_it_do_more(wish: Wish, facts: set[str]) -> None:
    found = widened(SERVER, SECRETS, alter(SERVER, SECRETS, wish, FACTS), CONFIG)
    assert {name for name, wider in found.items() if wider} == facts | (
        {"widens"} if facts - {"permissions"} else set()
    )


def test_a_profile_that_is_gone_granted_nothing() -> None:
    lost = msgspec.structs.replace(SERVER, settings=Settings(permissions="gone"))
    found = widened(lost, {}, alter(lost, {}, wished(permissions="site"), FACTS), CONFIG)
    assert (found["network"], found["widens"], found["permissions"]) == (True, True, "site")
    with pytest.raises(UnknownPermissions):
        widened(SERVER, {}, alter(SERVER, {}, wished(permissions="gone"), FACTS), CONFIG)


def test_another_project_is_more() -> None:
    held = msgspec.structs.replace(SERVER, settings=Settings(permissions="project", project="/p"))
    found = widened(held, {}, alter(held, {}, wished(project="/q"), FACTS), CONFIG)
    assert {name for name, wider in found.items() if wider} == {"paths", "widens"}


def test_of_secrets_only_names_are_shown() -> None:
    for wish in (wished(secrets={"TOKEN": "hush"}), wished(secrets={"KEY": "hush"})):
        found = differences(SERVER, SECRETS, alter(SERVER, SECRETS, wish, FACTS))
        assert [change["item"] for change in found] == ["secrets"]
        assert "hush" not in repr(found)


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(BadArgument, match="'colour'"):
        alter(SERVER, SECRETS, Wish(clear=("colour",)), FACTS)


LED = msgspec.structs.replace(
    SERVER,
    args=("serve", "--stdio", "one"),
    settings=msgspec.structs.replace(SERVER.settings, listens="http://127.0.0.1:80/mcp"),
    way=Retry(arguments=("serve",), listens="http://127.0.0.1:80/mcp"),
)


@pytest.mark.parametrize(
    ("wish", "args"),
    [
        (Wish(settings=Settings(args=("two",)), fields=("args",)), ("serve", "--stdio", "two")),
        (Wish(settings=Settings(env={"B": "2"}), fields=("env",)), ("serve", "--stdio", "one")),
        (Wish(settings=Settings(lazy=False), fields=("lazy",)), ("serve", "--stdio", "one")),
        (Wish(clear=("args",)), ("--stdio",)),
        (Wish(settings=Settings(args=("run",)), fields=("args",), clear=("args",)), ("--stdio", "run")),
    ],
)
def test_what_it_was_found_to_take_to_start_stays_first(wish: Wish, args: tuple[str, ...]) -> None:
    assert alter(LED, {}, wish, FACTS).server.args == args


def test_what_a_server_was_found_to_take_is_told_from_what_was_ordered() -> None:
    order = ordered_again(LED, LED.settings)
    assert (order.launch.args, order.settings.listens) == (("--stdio", "one"), "")
    assert (order.args, order.started.listens) == (LED.args, LED.settings.listens)
    otherwise = msgspec.structs.replace(order, way=Retry(arguments=("start",)))
    assert (otherwise.args, otherwise.started.listens) == (("start", "--stdio", "one"), "")


@pytest.mark.parametrize(
    "wish", [Wish(settings=Settings(listens="http"), fields=("listens",)), Wish(clear=("listens",))]
)
def test_where_a_person_says_it_listens_counts(wish: Wish) -> None:
    after = alter(LED, {}, wish, FACTS).server
    assert after.args == LED.args
    assert ordered_again(after, after.settings).started.listens == wish.settings.listens
    stale = msgspec.structs.replace(after, way=LED.way)  # as a version before this one would have kept it
    assert ordered_again(stale, stale.settings).started.listens == wish.settings.listens


def test_another_version_is_started_in_its_own_way_with_what_the_server_has_by_now() -> None:
    found = carried(LED, Retry(arguments=("run",)))
    assert (found["args"], found["settings"].listens, found["env"]) == (("run", "--stdio", "one"), "", {"A": "1"})


@pytest.mark.parametrize("wish", [Wish(fields=("program",)), Wish(clear=("program",))])
def test_a_server_keeps_its_program(wish: Wish) -> None:
    with pytest.raises(BadArgument, match="keeps its program"):
        alter(SERVER, {}, wish, FACTS)
