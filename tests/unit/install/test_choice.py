from __future__ import annotations

import pytest

from vsm_mcp.errors import BadArgument, BadReference
from vsm_mcp.install.choice import METHODS, lacking, referred, ways
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.ref import RefKind, parse_ref

ALL = frozenset(kind.value for kind in RefKind)
REPOSITORY = PackageFacts(repository="https://h.example/o/told.git")


def candidate(*refs: str, facts: PackageFacts | None = None) -> Candidate:
    first, *others = (Candidate(ref=parse_ref(ref), name="told", facts=facts or PackageFacts()) for ref in refs)
    return Candidate(ref=first.ref, name="told", facts=first.facts, others=tuple(others))


def shown(candidates: tuple[Candidate, ...]) -> list[str]:
    return [str(each.ref) for each in candidates]


def test_what_was_ranked_comes_first_then_packages_bundles_images_and_the_source() -> None:
    others = ("git+https://h.example/o/told", "oci:told", "mcpb:https://h.example/t.mcpb", "pypi:told", "npm:told")
    assert shown(ways(candidate("https://h.example/mcp", *others))) == [
        "https://h.example/mcp", "npm:told", "pypi:told", "mcpb:https://h.example/t.mcpb", "oci:told",
        "git+https://h.example/o/told",
    ]  # fmt: skip


def test_never_elsewhere_or_of_this_machine_instead() -> None:
    others = ("https://h.example/mcp", "dir:/srv/told", "cmd:/srv/told", "mcpb:/srv/told.mcpb")
    assert shown(ways(candidate("npm:told", *others))) == ["npm:told"]


def test_a_method_takes_that_one_and_the_repository_only_when_it_is_asked_for() -> None:
    told = candidate("npm:told", "https://h.example/mcp", facts=REPOSITORY)
    assert shown(ways(told)) == ["npm:told"]
    assert shown(ways(told, "remote")) == ["https://h.example/mcp"]
    assert shown(ways(told, "git")) == ["git+https://h.example/o/told.git"]
    assert ways(told, "pypi") == ()


@pytest.mark.parametrize(
    ("kind", "tools", "why"),
    [
        ("npm", {"node", "npm"}, ""),
        ("npm", {"node"}, "npm needs npm, not here"),
        ("npm", set(), "npm needs node and npm, not here"),
        ("pypi", set(), ""),
        ("git", set(), "git needs git, not here"),
        ("oci", {"docker"}, ""),
        ("oci", {"podman"}, ""),
        ("oci", {"git"}, "oci needs podman or docker, not here"),
        ("remote", set(), ""),
    ],
)
def test_what_a_method_needs_of_the_machine(kind: str, tools: set[str], why: str) -> None:
    assert lacking(RefKind(kind), frozenset(tools), ALL) == why
    assert lacking(RefKind(kind), frozenset(tools), frozenset()) == f"{kind} servers cannot be installed yet"


@pytest.mark.parametrize(
    ("text", "method", "meant"),
    [
        ("npm:told", "", "npm:told"),
        ("npm:told", "npm", "npm:told"),
        ("told", "npm", "npm:told"),
        ("told==1.0", "pypi", "pypi:told==1.0"),
        ("/srv/told", "dir", "dir:/srv/told"),
        ("/srv/told.mcpb", "mcpb", "mcpb:/srv/told.mcpb"),
        ("/srv/told --fast", "cmd", "cmd:/srv/told --fast"),
        ("https://h.example/o/told", "git", "git+https://h.example/o/told"),
        ("https://h.example/o/told", "remote", "https://h.example/o/told"),
        ("https://h.example/told.mcpb", "mcpb", "mcpb:https://h.example/told.mcpb"),
        ("npm:known", "git", "git+https://h.example/o/told.git"),
        ("npm:known", "pypi", "pypi:known"),
    ],
)
def test_what_a_reference_means_by_a_method(text: str, method: str, meant: str) -> None:
    known = candidate("npm:known", "pypi:known", facts=REPOSITORY)
    assert str(referred(text, method, lambda ref: known if ref.name == "known" else None)) == meant


def test_a_method_that_is_not_offered_names_the_possible_ones() -> None:
    with pytest.raises(BadArgument) as caught:
        referred("npm:told", "git", lambda _ref: None)
    assert caught.value.hint == "possible: --method npm"
    with pytest.raises(BadArgument) as caught:
        referred("npm:known", "oci", lambda _ref: candidate("npm:known", "pypi:known", facts=REPOSITORY))
    assert caught.value.hint == "possible: --method npm | pypi | git"


@pytest.mark.parametrize("text", ["npm:NO", "pypi:-", "git+nothing"])
def test_a_reference_that_says_its_kind_badly_is_not_read_otherwise(text: str) -> None:
    with pytest.raises(BadReference):
        referred(text, "dir", lambda _ref: None)


def test_every_kind_is_a_method() -> None:
    assert set(METHODS) == set(RefKind)
