"""The check: where its records come from, what they amount to, and every way in which a source can fail."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.discovery.network.hosts import FAULTS, in_turn, serving
from tests.unit.vetting.advisories.osv import osv, record

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, CheckStatus
from vsm_mcp.model.locked import Locked
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.vetting import Advisories, Vetting
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.store import Store
from vsm_mcp.vetting.advisories.check import AdvisoriesCheck, shipped
from vsm_mcp.vetting.check import Subject

SPAN = ({"introduced": "0"}, {"fixed": "2.0.0"})
HIGH: Mapping[str, Any] = {"database_specific": {"severity": "HIGH"}}
RECORDS = (
    record("GHSA-own", "x-mcp", *SPAN, **HIGH),
    record("GHSA-deep", "deep", *SPAN, **HIGH),
    record("GHSA-mild", "deep", *SPAN, database_specific={"severity": "LOW"}),
    record("GHSA-open", "deep", {"introduced": "0"}, **HIGH),
    record("MAL-1", "bad", {"introduced": "0"}),
    record("GHSA-old", "x-mcp", {"introduced": "0"}, {"fixed": "0.5.0"}, **HIGH),
    record("PYSEC-1", "Deep.Py", *SPAN, ecosystem="PyPI", **HIGH),
)


def locked(name: str, version: str = "1.0.0", ecosystem: str = "npm") -> Locked:
    return Locked(ecosystem=ecosystem, name=name, version=version)


def config(home: Path, *, api: str = "", dump: str = "", timeout: float = 30.0, **more: Any) -> Config:
    required = more.pop("required", ())
    settings = Advisories(api=api, dump=dump, **more)
    return Config(home=home, vetting=Vetting(advisories=settings, source_timeout_seconds=timeout, required=required))


@contextlib.asynccontextmanager
async def asking(home: Path) -> AsyncIterator[Registries]:
    async with Store(home) as store, Registries(Addresses(npm="", pypi_index=""), store.cache) as registries:
        yield registries


async def look(settings: Config, *tree: Locked, registries: Registries | None = None) -> CheckResult:
    subject = Subject(ref=parse_ref("npm:x-mcp"), version="1.0.0", tree=tree, registries=registries)
    return await AdvisoriesCheck(settings).check(subject)


def rules(answer: CheckResult) -> list[tuple[str, str]]:
    return [(finding.rule, finding.where) for finding in answer.findings]


def folder(path: Path, *records: Any) -> str:
    path.mkdir()
    for each in records:
        (path / f"{each['id']}.json").write_text(json.dumps(each), "utf-8")
    return str(path)


def archive(path: Path, *records: Any) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for each in records:
            made.writestr(f"{each['id']}.json", json.dumps(each))
    return str(path)


TREE = (locked("x-mcp"), locked("deep"), locked("bad"), locked("deep-py", "1.0", "PyPI"), locked("fine"))
FOUND = [
    ("advisories.malicious", "bad 1.0.0"),
    ("advisories.severe", "deep-py 1.0"),
    ("advisories.severe", "deep 1.0.0"),
    ("advisories.severe", "x-mcp 1.0.0"),
    ("advisories.known", "deep 1.0.0"),
    ("advisories.known", "deep 1.0.0"),
]


@pytest.mark.parametrize("form", ["folder", "zip", "folder of zips"])
async def test_a_dump_is_looked_through_for_the_package_and_its_whole_tree(form: str, tmp_path: Path) -> None:
    if form == "folder":
        dump = folder(tmp_path / "osv", *RECORDS)
    elif form == "zip":
        dump = archive(tmp_path / "all.zip", *RECORDS)
    else:
        dump = folder(tmp_path / "osv", *RECORDS[:3])
        archive(tmp_path / "osv/more.zip", *RECORDS[3:])
    for _ in range(2):  # the second time by the index that the first one wrote
        answer = await look(config(tmp_path, dump=dump), *TREE)
        assert (answer.status, answer.looked_at, rules(answer)) == (CheckStatus.FAIL, 5, FOUND)
        assert "7 records" in answer.detail


async def test_a_dump_that_changed_is_read_anew(tmp_path: Path) -> None:
    dump = folder(tmp_path / "osv", RECORDS[-2])
    assert rules(await look(config(tmp_path, dump=dump), *TREE)) == []
    (tmp_path / "osv/new.json").write_text(json.dumps(RECORDS[4]), "utf-8")
    assert rules(await look(config(tmp_path, dump=dump), *TREE)) == FOUND[:1]


async def test_records_that_nobody_can_read_are_counted(tmp_path: Path) -> None:
    dump = folder(tmp_path / "osv", RECORDS[0])
    (tmp_path / "osv/bad.json").write_text("[" * 200_000, "utf-8")
    (tmp_path / "osv/list.json").write_text("[1, 2]", "utf-8")
    answer = await look(config(tmp_path, dump=dump), locked("x-mcp"))
    assert "1 records, 2 unreadable" in answer.detail


@pytest.mark.parametrize("kind", ["missing", "empty", "no zip", "cut off", "no records"])
async def test_a_dump_that_is_named_and_cannot_be_read_is_unavailable(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    if kind == "empty":
        path = tmp_path / "osv"
        path.mkdir()
    elif kind == "no zip":
        path.write_bytes(b"<!doctype html>")
    elif kind == "cut off":
        path.write_bytes(Path(archive(tmp_path / "whole.zip", *RECORDS)).read_bytes()[:300])
    elif kind == "no records":
        archive(path)
    answer = await look(config(tmp_path, dump=str(path)), *TREE)
    assert (answer.status, answer.needed) == (CheckStatus.UNAVAILABLE, True), answer.detail


async def test_an_old_dump_is_said_to_be_old(tmp_path: Path) -> None:
    dump = archive(tmp_path / "all.zip", *RECORDS)
    os.utime(dump, (1_700_000_000, 1_700_000_000))
    answer = await look(config(tmp_path, dump=dump), locked("fine"))
    assert rules(answer) == [("advisories.stale", "[vetting.advisories] dump")]
    assert (answer.status, "2023-11-14" in answer.detail) == (CheckStatus.PASS, True)
    assert rules(await look(config(tmp_path, dump=dump, stale_days=0.0), locked("fine"))) == []


async def test_the_api_is_asked_for_everything_at_once(tmp_path: Path) -> None:
    async with serving(osv(RECORDS, page=1)) as host, asking(tmp_path) as registries:
        settings = config(tmp_path, api=host.address)
        answer = await look(settings, *TREE, registries=registries)
        assert (answer.status, answer.looked_at, rules(answer)) == (CheckStatus.FAIL, 5, FOUND)
        batches = host.asked.count("/v1/querybatch")
        assert batches == 3  # one page for all, two more for what has three advisories
        again = await look(settings, *TREE, registries=registries)
        assert (rules(again), host.asked.count("/v1/querybatch")) == (FOUND, batches)


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_api_that_never_answered_is_unavailable_and_not_needed(fault: str, tmp_path: Path) -> None:
    async with serving(FAULTS[fault]) as host, asking(tmp_path) as registries:
        settings = config(tmp_path, api=host.address, timeout=0.6)
        answer = await look(settings, *TREE, registries=registries)
        assert (answer.status, answer.needed, rules(answer)) == (CheckStatus.UNAVAILABLE, False, [])
        assert answer.detail
        required = await look(
            config(tmp_path, api=host.address, timeout=0.6, required=("advisories",)), *TREE, registries=registries
        )
        assert (required.status, required.needed) == (CheckStatus.UNAVAILABLE, True)


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_api_that_answered_before_is_missed(fault: str, tmp_path: Path) -> None:
    async with serving(in_turn(osv(RECORDS), FAULTS[fault])) as host, asking(tmp_path) as registries:
        settings = config(tmp_path, api=host.address, timeout=0.6)
        assert (await look(settings, locked("fine"), registries=registries)).status is CheckStatus.PASS
        answer = await look(settings, *TREE, registries=registries)
        assert (answer.status, answer.needed) == (CheckStatus.UNAVAILABLE, True)


async def test_what_the_api_said_is_used_for_a_week_while_it_is_silent_and_its_age_is_told(tmp_path: Path) -> None:
    async with serving(osv(RECORDS)) as host, asking(tmp_path) as registries:
        settings = config(tmp_path, api=host.address, timeout=0.6, keep_seconds=0.0)
        await look(settings, *TREE, registries=registries)
        host.handler = FAULTS["500"]
        answer = await look(settings, *TREE, registries=registries)
        assert (answer.status, rules(answer)) == (CheckStatus.FAIL, FOUND)
        assert "answered 500" in answer.detail


@pytest.mark.parametrize(
    "body", [{"results": []}, {"results": [{}]}, {"results": 7}, [], {"results": [{"vulns": [{"id": "gone"}]}] * 5}]
)
async def test_an_api_that_answers_something_else_is_unavailable(body: Any, tmp_path: Path) -> None:
    from tests.unit.discovery.network.hosts import saying

    async with serving(saying(body)) as host, asking(tmp_path) as registries:
        answer = await look(config(tmp_path, api=host.address), *TREE, registries=registries)
        assert answer.status is CheckStatus.UNAVAILABLE


async def test_a_dump_answers_while_the_api_is_silent(tmp_path: Path) -> None:
    dump = folder(tmp_path / "osv", *RECORDS)
    async with serving(FAULTS["500"]) as host, asking(tmp_path) as registries:
        settings = config(tmp_path, api=host.address, dump=dump, timeout=0.6)
        answer = await look(settings, *TREE, registries=registries)
        assert (answer.status, rules(answer)) == (CheckStatus.FAIL, FOUND)
        assert "answered 500" in answer.detail


async def test_without_any_source_what_ships_is_compared_and_that_is_no_pass(tmp_path: Path) -> None:
    answer = await look(config(tmp_path), locked("mcp-remote", "0.1.15"), locked("postmark-mcp", "1.0.16"))
    assert (answer.status, answer.needed) == (CheckStatus.UNAVAILABLE, False)
    assert [rule for rule, _ in rules(answer)] == ["advisories.malicious", "advisories.severe"]
    clean = await look(config(tmp_path), locked("mcp-remote", "0.1.16"), locked("postmark-mcp", "1.0.15"))
    assert rules(clean) == []


async def test_what_comes_from_no_registry_has_nothing_to_look_up(tmp_path: Path) -> None:
    answer = await look(config(tmp_path))
    assert (answer.status, answer.looked_at) == (CheckStatus.PASS, 0)


def test_what_ships_is_well_formed() -> None:
    for advisory in shipped():
        assert advisory.summary
        assert all(each.package and each.ranges for each in advisory.affected)
