"""The order in which candidates, and the ways to install each, are tried. What an admission ends in is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec.structs import replace

from vsm_mcp.autopilot.acquire import acquire
from vsm_mcp.autopilot.outcome import Outcome, Reason, Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.config import Config, Policy
from vsm_mcp.errors import ApprovalNeeded, Unsuited
from vsm_mcp.events import Event
from vsm_mcp.model.appraisal import Appraisal
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.store import Store


@dataclass
class Scene:
    """A store, a PATH with some programs on it, and admissions that end as they are told to."""

    parts: Parts
    codes: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    async def admit(self, _parts: Parts, request: Request) -> Outcome:
        ref = str(request.ref)
        self.tried.append(ref)
        assert request.known is not None and request.known.ref == request.ref
        code = self.codes.get(ref, "")
        if code == Unsuited.code and not request.must_suit:
            code = ""
        reason = Reason(code=code, message=code) if code else None
        return Outcome(outcome="failed" if code else "served", ref=ref, evidence="e", reason=reason)

    async def acquire(self, *candidates: tuple[str, ...], method: str = "", nearest: bool = True) -> Outcome:
        template = Request(ref=parse_ref("cmd:none"), need="notes", method=method, must_suit=True, nearest=nearest)
        return await acquire(self.parts, template, [_ranked(refs) for refs in candidates], 2, self.admit)


def _ranked(refs: tuple[str, ...]) -> Appraisal:
    first, *others = (Candidate(ref=parse_ref(ref), name=ref) for ref in refs)
    online = LaunchFacts(network=True) if refs[0].startswith("npm:online") else None
    candidate = Candidate(ref=first.ref, name="told", others=tuple(others), launch=online)
    return Appraisal(candidate=candidate, score=1.0, confidence=1.0, criteria={})


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    for name in ("git", "node", "npm"):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o755)
    events: list[Event] = []
    config = Config(home=tmp_path, environ={"PATH": str(tmp_path / "bin")})
    async with Store(tmp_path) as store:
        no = cast("Any", None)
        performer = Performer(Policy(autonomy="guarded"), store, events.append)
        yield Scene(Parts(config, store, events.append, performer, no, no, (), no, no, dict, no, no, no, no, no))


async def test_the_next_way_is_taken_where_one_cannot_be_installed(scene: Scene) -> None:
    scene.codes = {"npm:a": "install_failed", "pypi:a": "registry_unavailable"}
    outcome = await scene.acquire(("npm:a", "git+https://h.example/o/a", "https://h.example/a", "pypi:a"), ("npm:b",))
    assert scene.tried == ["npm:a", "pypi:a", "git+https://h.example/o/a"]
    assert outcome.outcome == "served"


@pytest.mark.parametrize("code", ["vetting_rejected", "trial_failed"])
async def test_what_was_judged_is_not_taken_in_another_form(scene: Scene, code: str) -> None:
    scene.codes = {"npm:a": code}
    await scene.acquire(("npm:a", "pypi:a"), ("npm:b",))
    assert scene.tried == ["npm:a", "npm:b"]


async def test_ways_without_their_programs_are_passed_over(scene: Scene) -> None:
    await scene.acquire(("oci:a", "pypi:a"))
    assert scene.tried == ["pypi:a"]


async def test_a_method_tries_only_those_who_offer_it(scene: Scene) -> None:
    await scene.acquire(("npm:a", "https://h.example/a"), ("npm:b", "git+https://h.example/o/b"), method="git")
    assert scene.tried == ["git+https://h.example/o/b"]
    with pytest.raises(ApprovalNeeded, match=r"npm:a cannot be installed by mcpb: it offers npm, pypi"):
        await scene.acquire(("npm:a", "pypi:a"), method="mcpb")


async def test_what_the_policy_lets_in_by_itself_is_tried_before_what_a_person_must_agree_to(scene: Scene) -> None:
    """In guarded autonomy what is in the built-in catalogue needs nobody's leave."""
    other, known = _ranked(("npm:other",)), _ranked(("npm:known",))
    curated = replace(known.candidate, curated=True)
    known = replace(known, candidate=curated, score=0.9)
    template = Request(ref=parse_ref("cmd:none"), need="notes")
    await acquire(scene.parts, template, [other, known], 2, scene.admit)
    agreed = replace(template, approved=True)
    await acquire(scene.parts, agreed, [other, known], 2, scene.admit)
    assert scene.tried == ["npm:known", "npm:other"]


async def test_what_is_on_this_machine_is_not_tried_unasked(scene: Scene) -> None:
    with pytest.raises(ApprovalNeeded, match=r"a folder of this machine is not tried unasked"):
        await scene.acquire(("dir:/srv/a",))


async def test_what_was_tried_in_vain_is_told_with_the_end(scene: Scene) -> None:
    scene.codes = {"npm:a": "trial_failed", "npm:b": "vetting_rejected"}
    outcome = await scene.acquire(("dir:/srv/a",), ("npm:a",), ("npm:b",), ("npm:c",))
    assert [(each.ref, each.code, each.evidence) for each in outcome.attempts] == [
        ("dir:/srv/a", "not_tried", ""),
        ("npm:a", "trial_failed", "e"),
        ("npm:b", "vetting_rejected", "e"),
    ]
    scene.codes = {"npm:a": "trial_failed"}
    outcome = await scene.acquire(("npm:a",), ("npm:b",))
    assert (outcome.outcome, [each.ref for each in outcome.attempts]) == ("served", ["npm:a"])


async def test_the_end_says_what_would_let_a_better_one_be_tried(scene: Scene) -> None:
    scene.codes = {"npm:a": "trial_failed"}
    outcome = await scene.acquire(("npm:online",), ("npm:a",))
    assert outcome.reason is not None
    assert outcome.reason.hint == "give npm:online what it needs: vsm-mcp add npm:online --allow-host HOST"


async def test_one_that_does_not_plainly_do_it_comes_only_where_no_other_does(scene: Scene) -> None:
    scene.codes = {"npm:a": "unsuited", "npm:b": "unsuited"}
    outcome = await scene.acquire(("npm:a",), ("npm:c",))
    assert (outcome.ref, [each.ref for each in outcome.attempts]) == ("npm:c", ["npm:a"])
    assert outcome.warnings == ()
    scene.tried.clear()
    outcome = await scene.acquire(("npm:a",), ("npm:b",), ("npm:c",))  # two are tried
    assert scene.tried == ["npm:a", "npm:b", "npm:a"]
    assert (outcome.outcome, outcome.ref, [each.ref for each in outcome.attempts]) == ("served", "npm:a", ["npm:b"])
    assert "none of its tools plainly does" in outcome.warnings[0]
    scene.tried.clear()
    outcome = await scene.acquire(("npm:a",), nearest=False)
    assert (scene.tried, outcome.outcome) == (["npm:a"], "failed")


async def test_what_the_best_one_lacks_is_asked_for_where_somebody_can_give_it(scene: Scene) -> None:
    lacking = _ranked(("npm:key",))
    launch = LaunchFacts(inputs=(Input(kind=InputKind.SECRET, name="API_KEY", required=True),))
    lacking = replace(lacking, candidate=replace(lacking.candidate, launch=launch))
    template = Request(ref=parse_ref("cmd:none"), need="notes", asks=True)
    with pytest.raises(ApprovalNeeded, match="for 'notes' npm:key needs API_KEY") as raised:
        await acquire(scene.parts, template, [lacking, _ranked(("npm:a",))], 2, scene.admit)
    assert (raised.value.ref, raised.value.values[0].name) == ("npm:key", "API_KEY")
    template = replace(template, asks=False)
    assert (await acquire(scene.parts, template, [lacking, _ranked(("npm:a",))], 2, scene.admit)).ref == "npm:a"
