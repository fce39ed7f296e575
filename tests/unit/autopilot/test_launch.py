from __future__ import annotations

import pytest

from vsm_mcp.autopilot.launch import plan_launch
from vsm_mcp.errors import MissingValue
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts, Settings
from vsm_mcp.model.ref import parse_ref


def test_known_arguments_come_first_and_are_not_repeated() -> None:
    facts = LaunchFacts(args=("--transport", "stdio", "--quiet"))
    assert plan_launch(facts, Settings(args=("x",))).args == ("--transport", "stdio", "--quiet", "x")
    assert plan_launch(facts, Settings(args=("--transport", "http"))).args == ("--quiet", "--transport", "http")
    assert plan_launch(facts, Settings(args=("--transport=http",))).args == ("--quiet", "--transport=http")
    assert plan_launch(LaunchFacts(args=("stdio",)), Settings(args=("stdio",))).args == ("stdio",)
    assert plan_launch(None, Settings(args=("a",), env={"B": "1"})).env == {"B": "1"}


def test_a_missing_value_is_named_with_its_purpose_and_option() -> None:
    facts = LaunchFacts(
        inputs=(
            Input(kind=InputKind.ENV, name="DB_URL", purpose="the database to query", required=True),
            Input(kind=InputKind.SECRET, name="API_KEY", purpose="a key of the service", required=True),
            Input(kind=InputKind.ARG, name="--repository", purpose="the folder", required=True),
            Input(kind=InputKind.ARG, name="directory", positional=True, required=True),
            Input(kind=InputKind.ENV, name="OPTIONAL"),
        )
    )
    with pytest.raises(MissingValue) as caught:
        plan_launch(facts, Settings())
    assert "DB_URL (the database to query)" in caught.value.message
    assert (
        caught.value.hint
        == "give it with --env DB_URL=VALUE --secret API_KEY --arg=--repository --arg VALUE --arg DIRECTORY"
    )
    assert [item.name for item in caught.value.values] == ["DB_URL", "API_KEY", "--repository", "directory"]
    given = Settings(args=("--repository=/x", "/y"), env={"DB_URL": "u"}, secrets={"API_KEY": "k"})
    plan = plan_launch(facts, given)
    assert plan.args == ("--repository=/x", "/y")
    assert "API_KEY" not in plan.env


def test_a_required_value_with_a_default_is_filled_in() -> None:
    facts = LaunchFacts(
        inputs=(
            Input(kind=InputKind.ARG, name="--mode", default="fast", required=True),
            Input(kind=InputKind.ENV, name="LEVEL", default="1", required=True),
            Input(kind=InputKind.ENV, name="UNUSED", default="1"),
        )
    )
    plan = plan_launch(facts, Settings())
    assert (plan.args, plan.env) == (("--mode", "fast"), {"LEVEL": "1"})


def test_a_default_may_lie_in_the_servers_own_home_which_is_no_path_of_this_machine() -> None:
    facts = LaunchFacts(
        inputs=(
            Input(kind=InputKind.ENV, name="FILE", required=True, default="~/memory.json"),
            Input(kind=InputKind.ENV, name="URL", required=True, default="file:~/memory.db"),
            Input(kind=InputKind.ARG, name="--dir", required=True, default="~"),
            Input(kind=InputKind.ENV, name="ODD", required=True, default="a~/b"),
        )
    )
    plan = plan_launch(facts, Settings())
    assert plan.env == {"FILE": "/home/mcp/memory.json", "URL": "file:/home/mcp/memory.db", "ODD": "a~/b"}
    assert plan.args == ("--dir", "/home/mcp")
    assert plan.named_paths == ()


def test_paths_are_found_in_arguments_and_variables() -> None:
    settings = Settings(
        args=("/a/b", "--db=/c/d.db", "--x", "rel/path", "https://h/p"),
        env={"U": "sqlite:////e/f.db", "V": "file:///g"},
    )
    assert plan_launch(None, settings).named_paths[:2] == ("/a/b", "/c/d.db")
    assert "/g" in plan_launch(None, settings).named_paths
    assert not any("rel" in path or "/h/p" in path for path in plan_launch(None, settings).named_paths)


def test_words_of_a_command_name_paths_but_for_its_own_files() -> None:
    command = parse_ref("cmd:/usr/bin/python3 /srv/server.py --root=/data/a /data/b")
    assert plan_launch(None, Settings(), command).named_paths == ("/data/a", "/data/b")
    assert plan_launch(None, Settings(), parse_ref("npm:x")).named_paths == ()


def test_paths_with_colons_between_are_several() -> None:
    settings = Settings(env={"dirs": "/a/b:/c", "URL": "http://h:80/x", "COPY": "h:/d"}, args=("--dirs=/e",))
    assert plan_launch(None, settings).named_paths == ("/e", "/a/b", "/c")
