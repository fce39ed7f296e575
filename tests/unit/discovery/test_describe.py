from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.describe import describe
from vsm_mcp.discovery.packument import npm_facts, pypi_facts
from vsm_mcp.errors import RegistryUnavailable, UnknownPackage
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import Ref, RefKind

PACKUMENT: dict[str, Any] = {
    "name": "time-mcp",
    "dist-tags": {"latest": "1.2.0"},
    "time": {"1.2.0": "2026-03-25T13:33:09.105Z", "1.1.0": "2025-01-01T00:00:00Z"},
    "maintainers": [{"name": "a"}, {"name": "b"}],
    "readme": "# time\n" * 100,
    "description": "Time\x1b[31m for models",
    "versions": {
        "1.1.0": {"license": "GPL-3.0", "deprecated": "use 1.2"},
        "1.2.0": {
            "license": {"type": "MIT"},
            "engines": {"node": ">=18"},
            "dependencies": {"a": "1", "b": "2"},
            "keywords": ["clock", "zones"],
            "repository": {"type": "git", "url": "git+https://example.org/time.git"},
        },
    },
}
PROJECT: dict[str, Any] = {
    "info": {
        "version": "2.0",
        "summary": "Hashes",
        "keywords": "md5,sha",
        "license": "MIT License\n\nlong text",
        "requires_python": ">=3.10",
        "requires_dist": ["mcp>=1", "pytest; extra == 'dev'"],
        "project_urls": {"Source": "https://example.org/hash"},
        "description": "x" * 50,
        "classifiers": ["License :: OSI Approved :: MIT License"],
    },
    "urls": [{"upload_time_iso_8601": "2026-01-02T00:00:00Z"}, {"upload_time_iso_8601": "2026-01-01T00:00:00Z"}],
}
TIME = Ref(RefKind.NPM, "time-mcp")
HASH = Ref(RefKind.PYPI, "hash-mcp")


class Scripted:
    """A registry that answers as the test says: with a value, an error, or never."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = answers

    async def npm_package(self, name: str) -> Mapping[str, Any]:
        answer = self._answers[name]
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def pypi_project(self, name: str) -> Mapping[str, Any]:
        return await self.npm_package(name)


def found(ref: Ref, **fields: Any) -> Candidate:
    return Candidate(ref=ref, name=ref.name, sources=("index",), relevance=0.8, **fields)


def test_the_facts_of_a_packument() -> None:
    assert npm_facts(TIME, PACKUMENT).facts == PackageFacts(
        version="1.2.0",
        licence="MIT",
        published="2026-03-25T13:33:09.105Z",
        repository="https://example.org/time",
        requires_node=">=18",
        dependencies=2,
        maintainers=2,
        deprecated=False,
        readme_length=700,
    )
    old = npm_facts(TIME.at("1.1.0"), PACKUMENT).facts
    assert (old.version, old.licence, old.deprecated) == ("1.1.0", "GPL-3.0", True)


def test_the_facts_of_a_project() -> None:
    told = pypi_facts(HASH, PROJECT)
    assert told.text == "Hashes md5 sha"
    assert told.facts == PackageFacts(
        version="2.0",
        licence="MIT License",
        published="2026-01-01T00:00:00Z",
        repository="https://example.org/hash",
        requires_python=">=3.10",
        dependencies=1,
        deprecated=False,
        readme_length=50,
    )


@pytest.mark.parametrize("summary", ["DEPRECATED: use x", "Renamed to y. Install y.", "[deprecated] old"])
def test_a_project_that_says_it_was_given_up(summary: str) -> None:
    assert pypi_facts(HASH, {"info": {"summary": summary}}).facts.deprecated is True


_KEYS = [*PACKUMENT, *PROJECT, *PROJECT["info"], "1.2.0", "latest", "license", "type", "node", "url"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*PACKUMENT, *PROJECT]), JSON, max_size=6))
def test_whatever_a_registry_sends_gives_some_facts(answer: dict[str, Any]) -> None:
    json.dumps(answer)
    assert npm_facts(TIME, answer).ref == TIME
    assert pypi_facts(HASH, answer).ref == HASH


async def test_the_best_are_described_and_the_rest_left_alone() -> None:
    result = await describe(
        [found(TIME), found(HASH), found(Ref(RefKind.NPM, "later"))],
        Scripted({"time-mcp": PACKUMENT, "hash-mcp": PROJECT}),
        best=2,
        deadline=2.0,
    )
    first, second, third = result.candidates
    assert (result.state, result.asked, result.answered) == ("ok", 2, 2)
    assert (first.facts.licence, first.text, first.relevance) == ("MIT", "Time for models clock zones", 0.8)
    assert first.provenance["facts.licence"] == "registry"
    assert first.sources == ("index", "registry")
    assert second.facts.version == "2.0"
    assert third.facts == PackageFacts()


async def test_where_a_package_is_unknown_the_same_server_stands_under_its_next_reference() -> None:
    image = Candidate(ref=Ref(RefKind.OCI, "a/time"), name="image")
    remote = Candidate(ref=Ref(RefKind.REMOTE, "https://time.example/mcp"), name="remote")
    found = Candidate(ref=TIME, name="time", others=(remote, image), relevance=0.9)
    gone = Scripted({"time-mcp": UnknownPackage("no such package")})
    described = await describe([found], gone, best=1, deadline=30.0)
    (kept,) = described.candidates
    assert (kept.ref, [each.ref for each in kept.others], kept.relevance) == (remote.ref, [image.ref], 0.9)
    assert described.unknown == ("npm:time-mcp",)


async def test_what_is_known_of_others_stays() -> None:
    other = Candidate(ref=HASH, name="other")
    described = await describe(
        [Candidate(ref=TIME, name="time", others=(other,))], Scripted({"time-mcp": PACKUMENT}), best=1, deadline=30.0
    )
    assert described.candidates[0].others == (other,)


async def test_an_unknown_package_is_dropped_unless_it_is_installed() -> None:
    gone = Scripted({"time-mcp": UnknownPackage("no such package"), "hash-mcp": UnknownPackage("no such package")})
    result = await describe([found(TIME), found(HASH, installed=True)], gone, best=5, deadline=2.0)
    assert [each.ref for each in result.candidates] == [HASH]
    assert result.unknown == ("npm:time-mcp", "pypi:hash-mcp")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RegistryUnavailable("it is away"), "it is away"),
        (None, "no answer in time"),
        (ValueError("x"), "ValueError"),
        ([], "AttributeError"),
    ],
)
async def test_a_registry_that_does_not_answer_is_said_and_survived(answer: object, said: str) -> None:
    began = time.perf_counter()
    result = await describe(
        [found(TIME), found(HASH)], Scripted({"time-mcp": answer, "hash-mcp": PROJECT}), best=5, deadline=0.2
    )
    assert time.perf_counter() - began < 1.5
    assert result.state == "stale"
    assert said in result.detail
    assert result.candidates[0] == found(TIME)
    assert result.candidates[1].facts.version == "2.0"


async def test_nothing_to_ask_is_off_and_no_answers_at_all_is_unavailable() -> None:
    assert (await describe([], Scripted({}), best=5, deadline=0.2)).state == "off"
    away = Scripted({"time-mcp": RegistryUnavailable("away")})
    assert (await describe([found(TIME)], away, best=5, deadline=0.2)).state == "unavailable"
