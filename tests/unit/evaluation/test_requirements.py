"""Hard requirements: who meets them, who does not, and of whom it is not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.evaluation.criterion import Circumstances
from vsm_mcp.evaluation.requirements import divide, in_words, unmet
from vsm_mcp.evaluation.spdx import accepts
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts
from vsm_mcp.model.ref import Ref, RefKind, parse_ref
from vsm_mcp.model.wants import Appraising, Priority, Requirement, Wants

HERE = Circumstances(need="", now=0.0, pythons=("3.11.2", "3.13"), node="20.19.0", schemes=frozenset({"https"}))
KEY = LaunchFacts(inputs=(Input(kind=InputKind.SECRET, name="API_KEY", required=True),), network=True)
SPARE_KEY = LaunchFacts(inputs=(Input(kind=InputKind.SECRET, name="API_KEY"),), network=False)


def one(ref: str = "npm:x", **fields: Any) -> Candidate:
    return Candidate(ref=parse_ref(ref), name="x", **fields)


def licensed(licence: str | None) -> Candidate:
    return one(facts=PackageFacts(licence=licence))


def python(wanted: str) -> Candidate:
    return one("pypi:x", facts=PackageFacts(requires_python=wanted))


@pytest.mark.parametrize(
    ("wants", "candidate", "known"),
    [
        (Wants(no_key=True), one(launch=SPARE_KEY), None),
        (Wants(no_key=True), one(launch=KEY), True),
        (Wants(no_key=True), one(), False),
        (Wants(no_network=True), one(launch=SPARE_KEY), None),
        (Wants(no_network=True), one(launch=KEY), True),
        (Wants(no_network=True), one(launch=LaunchFacts()), False),
        (Wants(no_network=True), one("https://h.example/mcp", launch=SPARE_KEY), True),
        (Wants(offline=True), one(launch=SPARE_KEY), True),
        (Wants(offline=True), one(launch=SPARE_KEY, installed=True), None),
        (Wants(offline=True), one("cmd:/bin/x", launch=SPARE_KEY), None),
        (Wants(offline=True), one(launch=KEY, installed=True), True),
        (Wants(offline=True), one(installed=True), False),
        (Wants(licences=("MIT",)), licensed("MIT License"), None),
        (Wants(licences=("MIT",)), licensed("AGPL-3.0"), True),
        (Wants(licences=("MIT",)), licensed("ask the author"), False),
        (Wants(licences=("MIT",)), licensed(None), False),
        (Wants(runtime=True), one(), None),
        (Wants(runtime=True), one(facts=PackageFacts(requires_node=">=99")), True),
        (Wants(runtime=True), python(">=3.13"), None),
        (Wants(runtime=True), python(">=3.14"), True),
        (Wants(runtime=True), one("oci:image"), True),
        (Wants(runtime=True), one("https://h.example/mcp"), None),
        (Wants(runtime=True), one("wss://h.example/mcp"), True),
        (Wants(runtime=True), one("git+https://h.example/x"), False),
    ],
)  # fmt: skip
def test_what_is_met_what_is_not_and_what_is_not_known(wants: Wants, candidate: Candidate, known: bool | None) -> None:
    found = unmet(candidate, HERE, wants)
    assert [each.known for each in found] == ([] if known is None else [known])
    assert all(each.why for each in found)


def test_what_the_registry_may_still_say_is_waited_for() -> None:
    unknown, dear = licensed(None), one("npm:y", launch=KEY)
    wants = Wants(licences=("MIT",), no_key=True)
    kept, out = divide([one("npm:z", launch=SPARE_KEY)], HERE, wants, early=True)
    assert (len(kept), out) == (1, [])
    kept, out = divide([unknown, dear], HERE, wants, early=True)
    assert (kept, len(out)) == ([], 2)
    assert divide([unknown], HERE, Wants(licences=("MIT",)), early=True) == ([unknown], [])
    assert divide([unknown], HERE, Wants(licences=("MIT",)))[0] == []


def test_it_is_said_which_requirement_left_out_how_many() -> None:
    _, out = divide([one(launch=KEY), one("npm:y"), one("npm:z")], HERE, Wants(no_key=True, offline=True))
    assert in_words(out) == "--no-key 3 (2 not known), --offline 3"


@given(st.sets(st.sampled_from(sorted(Requirement))), st.sets(st.sampled_from(sorted(Requirement))))
def test_asking_for_more_never_lets_more_through(some: set[Requirement], more: set[Requirement]) -> None:
    candidates = [one(launch=SPARE_KEY), one(launch=KEY, installed=True), licensed("MIT"), python(">=3.14"), one()]
    few, _ = divide(candidates, HERE, _asking(some))
    fewer, _ = divide(candidates, HERE, _asking(some | more))
    assert [each for each in few if each in fewer] == fewer


def _asking(requirements: set[Requirement]) -> Wants:
    return Wants(
        no_key=Requirement.NO_KEY in requirements,
        no_network=Requirement.NO_NETWORK in requirements,
        offline=Requirement.OFFLINE in requirements,
        licences=("MIT",) if Requirement.LICENCE in requirements else (),
        runtime=Requirement.RUNTIME in requirements,
    )


def test_options_add_to_the_settings_and_name_their_own_licences() -> None:
    settings = Appraising(priority="security_critical", no_key=True, licences=("MIT",))
    plain = settings.wanted(Wants())
    assert (plain.priority, plain.no_key, plain.licences) == (Priority.SECURITY, True, ("MIT",))
    asked = settings.wanted(Wants(priority=Priority.PERFORMANCE, offline=True, licences=("ISC",)))
    assert (asked.priority, asked.no_key, asked.offline) == (Priority.PERFORMANCE, True, True)
    assert asked.licences == ("ISC",)
    assert asked.requirements == (Requirement.NO_KEY, Requirement.OFFLINE, Requirement.LICENCE)


@pytest.mark.parametrize(
    ("given", "accepted", "answer"),
    [
        ("MIT", ["mit"], True),
        ("mit", ["MIT"], True),
        ("MIT License", ["MIT"], True),
        ("Apache Software License", ["Apache-2.0"], True),
        ("BSD-2-Clause", ["BSD-*"], True),
        ("MIT OR GPL-3.0-only", ["MIT"], True),
        ("MIT AND GPL-3.0-only", ["MIT"], False),
        ("(MIT OR ISC) AND Apache-2.0", ["ISC", "Apache-2.0"], True),
        ("MIT AND ISC OR GPL-3.0-only", ["GPL-3.0-only"], True),
        ("Apache-2.0 WITH LLVM-exception", ["Apache-2.0"], True),
        ("GPL-3.0", ["GPL-3.0-only"], True),
        ("GPL-3.0+", ["GPL-3.0-or-later"], True),
        ("GPL-3.0-only", ["GPL-3.0"], True),
        ("GPL-3.0-or-later", ["MIT"], False),
        ("SEE LICENSE IN LICENSE", ["MIT"], None),
        ("MIT OR", ["MIT"], None),
        ("(MIT", ["MIT"], None),
        ("MIT)", ["MIT"], None),
        ("OR", ["or"], None),
        ("", ["*"], None),
        ("(" * 200, ["MIT"], None),
    ],
)
def test_licence_expressions(given: str, accepted: list[str], answer: bool | None) -> None:
    assert accepts(given, accepted) is answer


@given(st.text(alphabet="()MITORANDWH -.+\n\x1b", max_size=60))
def test_whatever_a_registry_writes_it_is_read_or_not_known(text: str) -> None:
    assert accepts(text, ["MIT"]) in (True, False, None)


def test_no_kind_of_reference_is_without_an_answer() -> None:
    everything = Wants(no_key=True, no_network=True, offline=True, licences=("MIT",), runtime=True)
    for kind in RefKind:
        assert unmet(Candidate(ref=Ref(kind, "x"), name="x"), HERE, everything)
