"""Private data, text of strangers, a way out: per server, and over the servers of one endpoint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.granted import Granted
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.vetting.check import Subject
from vsm_mcp.vetting.flows import FlowsCheck, flows_of, in_words, together

ALL = Granted(way_out=True, files=True, secrets=True)


def tool(name: str, description: str = "", **annotations: Any) -> Definition:
    raw = json.dumps({"name": name, "annotations": annotations}).encode()
    return Definition(kind=ItemKind.TOOL, name=name, raw=raw, description=description)


def offer(*tools: Definition | str) -> Offer:
    return Offer(items=tuple(tool(each) if isinstance(each, str) else each for each in tools))


GITHUB = offer(
    "get_file_contents", "list_issues", "get_issue_comments", "create_issue", "create_pull_request", "get_me"
)
FILES = offer("read_text_file", "write_file", "list_directory", "directory_tree")
FETCH = offer(tool("fetch", "Fetches a URL from the internet and extracts its contents as markdown."))
CALCULATOR = offer("add", "subtract", "factor")


@pytest.mark.parametrize(
    ("offered", "granted", "has"),
    [
        (GITHUB, Granted(way_out=True, secrets=True), "private untrusted way_out"),
        (GITHUB, Granted(secrets=True), "private"),
        (GITHUB, Granted(way_out=True), "untrusted way_out"),
        (GITHUB, Granted(), ""),
        (FILES, Granted(files=True), "private"),
        (FILES, Granted(), ""),
        (FETCH, Granted(way_out=True), "untrusted way_out"),
        (FETCH, Granted(), ""),
        (CALCULATOR, Granted(), ""),
        (CALCULATOR, Granted(way_out=True), "way_out"),
        (offer("readInbox", "sendMail"), ALL, "private untrusted way_out"),
        (offer("execute_sql"), Granted(secrets=True, way_out=True), "private way_out"),
        (offer(tool("ask", openWorldHint=True, readOnlyHint=True)), ALL, "private untrusted way_out"),
        (offer(tool("ask", openWorldHint=False)), Granted(way_out=True), "way_out"),
        (Offer(), ALL, ""),
    ],
)
def test_what_a_server_lets_in_and_out(offered: Offer, granted: Granted, has: str) -> None:
    flows = flows_of(offered, granted)
    assert [aspect for aspect in ("private", "untrusted", "way_out") if getattr(flows, aspect)] == has.split()


def test_the_tools_are_named() -> None:
    flows = flows_of(GITHUB, ALL)
    assert flows.private == ("get_file_contents",)
    assert flows.untrusted == ("list_issues", "get_issue_comments")
    assert flows.way_out == ("create_issue", "create_pull_request")


async def test_one_server_with_all_three_is_for_a_person_to_look_at() -> None:
    subject = Subject(ref=parse_ref("npm:github-mcp"), offer=GITHUB, granted=Granted(way_out=True, secrets=True))
    answer = await FlowsCheck().check(subject)
    assert (answer.status, answer.looked_at) == (CheckStatus.FAIL, 6)
    assert [finding.rule for finding in answer.findings] == ["flows.trifecta"]
    assert "a way out (create_issue, create_pull_request)" in answer.findings[0].text
    alone = Subject(ref=parse_ref("npm:github-mcp"), offer=GITHUB, granted=Granted(secrets=True))
    assert (await FlowsCheck().check(alone)).status is CheckStatus.PASS


def test_harmless_servers_can_be_harmful_together() -> None:
    servers = {
        "files": flows_of(FILES, Granted(files=True)),
        "fetch": flows_of(FETCH, Granted(way_out=True)),
        "sums": flows_of(CALCULATOR, Granted()),
    }
    assert not any(flows.whole for flows in servers.values())
    assert together(servers) == {
        "private": {"files": ["read_text_file", "list_directory", "directory_tree"]},
        "untrusted": {"fetch": ["fetch"]},
        "way_out": {"fetch": ["fetch"]},
    }
    assert "files: read_text_file" in in_words(servers)
    assert together({name: servers[name] for name in ("files", "sums")}) == {}
    assert together({}) == {}
