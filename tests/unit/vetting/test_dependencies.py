"""The tree: where its files come from, hashes, what is new, how young it is, and registries that do not say."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.discovery.network.hosts import FAULTS, serving
from tests.unit.vetting.signatures.signing import Vouching, day, packument, version

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, CheckStatus
from vsm_mcp.model.installing import Install
from vsm_mcp.model.locked import Locked
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.vetting import Vetting
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.vetting.check import Subject
from vsm_mcp.vetting.dependencies import DependenciesCheck

REGISTRY = "https://registry.example"


def locked(name: str, number: str = "1.0.0", **more: Any) -> Locked:
    return Locked(**{"ecosystem": "npm", "name": name, "version": number, "source": REGISTRY, **more})


@contextlib.asynccontextmanager
async def asking(npm: str = REGISTRY, pypi: str = "") -> AsyncIterator[Registries]:
    addresses = Addresses(npm=f"{npm}/", pypi_index=f"{pypi}/simple/", npm_scopes={"@own": "https://npm.own.example/"})
    async with Registries(addresses, retry_after=()) as registries:
        yield registries


async def look(
    *tree: Locked, ref: str = "npm:x-mcp", npm: str = REGISTRY, pypi: str = "", settings: Any = None, **more: Any
) -> CheckResult:
    hosts = more.pop("hosts", ())
    config = Config(home=Path("/nowhere"), vetting=settings or Vetting(young_days=0.0), install=Install(hosts=hosts))
    async with asking(npm, pypi) as registries:
        subject = Subject(ref=parse_ref(ref), version="1.0.0", tree=tree, registries=registries, **more)
        return await DependenciesCheck(config).check(subject)


def found(answer: CheckResult) -> list[tuple[str, str]]:
    return [(finding.rule, finding.where) for finding in answer.findings]


@pytest.mark.parametrize(
    ("package", "rules"),
    [
        (locked("a"), []),
        (locked("a", source="https://npm.own.example"), []),
        (locked("a", source="https://registry.example.evil.example"), ["dependencies.foreign_source"]),
        (locked("a", source="https://evil.example"), ["dependencies.foreign_source"]),
        (locked("a", source="git+ssh"), ["dependencies.foreign_source"]),
        (locked("a", source="file"), ["dependencies.foreign_source"]),
        (locked("a", hashed=False), ["dependencies.no_hash"]),
        (locked("a", source="git", hashed=False), ["dependencies.foreign_source", "dependencies.no_hash"]),
        # part of the archive of another package
        (locked("a", source="", hashed=False, bundled=True), []),
        # the lock does not say where; the hash holds it
        (locked("a", source=""), []),
    ],
)
async def test_where_files_come_from(package: Locked, rules: list[str]) -> None:
    assert found(await look(locked("x-mcp"), package)) == [(rule, "a 1.0.0") for rule in rules]


async def test_hosts_that_the_settings_name() -> None:
    cdn = locked("a", source="https://files.example:8443")
    assert found(await look(cdn, hosts=("files.example",))) == []
    assert found(await look(cdn, settings=Vetting(young_days=0.0, hosts=("*.example",)))) == []


async def test_it_says_what_the_tree_is_made_of() -> None:
    answer = await look(locked("x-mcp"), locked("a", scripted=True), locked("b", native=True))
    assert (answer.looked_at, answer.detail) == (3, "3 packages, 1 with install scripts, 1 for some platforms only")
    assert (await look()).looked_at == 0


async def test_what_an_update_brings_is_told() -> None:
    tree = (locked("x-mcp"), locked("a"), locked("b"), locked("b", "2.0.0", path="a/node_modules/b"))
    assert found(await look(*tree, before={"x-mcp": "0.9.0", "a": "0.9.0", "c/node_modules/b": "1.0.0"})) == []
    answer = await look(*tree, before={"x-mcp": "0.9.0", "a": "1.0.0"})
    assert [(finding.rule, finding.text) for finding in answer.findings] == [("dependencies.new", "b")]
    assert answer.status is CheckStatus.PASS


def npm(**ages: int) -> Vouching:
    return Vouching({name: packument(name, version(name, "1.0.0"), published=day(-age)) for name, age in ages.items()})


async def test_the_package_what_it_names_and_what_is_new_are_not_to_be_too_young() -> None:
    said = npm(**{"x-mcp": 1, "direct": 2, "deep": 0, "new": 0, "old": 9})
    tree = (
        locked("x-mcp"),
        locked("direct", direct=True),
        locked("old", direct=True),
        locked("deep"),
        locked("new"),
    )
    settings = Vetting(young_days=3.0, source_timeout_seconds=30.0)
    async with serving(said) as host:
        placed = tuple(locked(each.name, direct=each.direct, source=host.address) for each in tree)
        answer = await look(*placed, npm=host.address, settings=settings, before={"x-mcp": "0.9.0", "deep": "1.0.0",
            "direct": "1.0.0", "old": "1.0.0"})  # fmt: skip
        assert found(answer) == [
            ("dependencies.new", "npm:x-mcp"),
            ("dependencies.young", "new 1.0.0"),
            ("dependencies.young", "x-mcp 1.0.0"),
            ("dependencies.young", "direct 1.0.0"),
        ]
        assert "the age of 4 of 4 asked for is known" in answer.detail
        assert found(await look(*placed, npm=host.address)) == []


async def test_days_of_python_projects() -> None:
    files = {"1.0.0": [{"filename": "x_mcp-1.0.0.tar.gz", "url": "x", "upload_time_iso_8601": day(-1)}]}
    project = {"info": {"name": "x-mcp"}, "releases": files, "urls": []}
    async with serving(Vouching(projects={"x-mcp": project})) as host:
        settings = Vetting(young_days=3.0, source_timeout_seconds=30.0)
        package = locked("x-mcp", ecosystem="PyPI", source="")
        answer = await look(package, ref="pypi:X_mcp", pypi=host.address, settings=settings)
        assert found(answer) == [("dependencies.young", "x-mcp 1.0.0")]


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_registry_that_does_not_say_is_told(fault: str) -> None:
    async with serving(FAULTS[fault]) as host:
        package = locked("x-mcp", source=host.address)
        settings = Vetting(source_timeout_seconds=0.6)
        answer = await look(package, npm=host.address, settings=settings)
        assert (answer.status, found(answer)) == (CheckStatus.PASS, [])
        assert "no answer for x-mcp" in answer.detail
        required = Vetting(source_timeout_seconds=0.6, required=("dependencies",))
        assert (await look(package, npm=host.address, settings=required)).status is CheckStatus.UNAVAILABLE
