from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.identity import keys
from vsm_mcp.discovery.merge import merge
from vsm_mcp.discovery.screen import screen
from vsm_mcp.model.candidate import Candidate, PackageFacts
from vsm_mcp.model.launch import LaunchFacts
from vsm_mcp.model.ref import Ref, RefKind

WORDS = st.sampled_from(["", "time", "zone", "clock"])
FACTS = st.builds(
    PackageFacts,
    version=st.sampled_from(["", "1.0", "2.0"]),
    licence=st.sampled_from([None, "MIT", "Apache-2.0"]),
    downloads=st.sampled_from([None, 0, 10, 2000]),
    deprecated=st.sampled_from([None, True, False]),
    repository=st.sampled_from([None, "https://github.com/o/r", "git+https://github.com/O/r.git"]),
)
RAW = st.builds(
    Candidate,
    ref=st.builds(
        Ref,
        st.sampled_from([RefKind.PYPI, RefKind.OCI]),
        st.sampled_from(["a", "b_c", "b-c", "maps"]),
        st.sampled_from(["", "1.0"]),
    ).map(lambda ref: ref if ref.kind is RefKind.PYPI else Ref(RefKind.OCI, ref.name)),
    name=st.sampled_from(["one", "two", "three"]),
    description=WORDS,
    tags=st.lists(st.sampled_from(["charts", "time.clock"]), max_size=2).map(tuple),
    terms=WORDS,
    text=WORDS,
    launch=st.sampled_from([None, LaunchFacts(network=False), LaunchFacts(args=("--stdio",))]),
    facts=FACTS,
    curated=st.booleans(),
    variants=st.integers(0, 3),
    registry_name=st.sampled_from(["", "io.x/a", "io.x/b"]),
)


def said(raw: Candidate, source: str) -> Candidate:
    screened = screen(raw, source)
    assert screened is not None
    return screened


CANDIDATES = st.lists(
    st.builds(said, RAW, st.sampled_from(["catalogue", "index", "registry", "installed", "mcp-registry", "other"])),
    max_size=6,
)


@given(CANDIDATES)
def test_merging_twice_changes_nothing(candidates: list[Candidate]) -> None:
    once = merge(candidates)
    assert merge(once) == once
    assert merge([*once, *candidates]) == once


@given(CANDIDATES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(candidates: list[Candidate], random: object) -> None:
    shuffled = list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert merge(shuffled) == merge(candidates)


@given(CANDIDATES, CANDIDATES)
def test_the_grouping_does_not_matter(some: list[Candidate], others: list[Candidate]) -> None:
    assert merge([*merge(some), *merge(others)]) == merge([*some, *others])


def members(candidates: list[Candidate]) -> dict[str, Candidate]:
    """Everything that is known, by reference, wherever it was put."""
    return {member.ref.identity: member for each in candidates for member in (each, *each.others)}


@given(CANDIDATES)
def test_no_source_no_tag_and_no_server_is_lost(candidates: list[Candidate]) -> None:
    merged = merge(candidates)
    kept_at = members(merged)
    assert set(kept_at) == {each.ref.identity for each in candidates}
    assert len(kept_at) == sum(1 + len(each.others) for each in merged)
    for each in candidates:
        kept = kept_at[each.ref.identity]
        assert set(each.sources) <= set(kept.sources)
        assert set(each.tags) <= set(kept.tags)
        assert set(each.terms.split()) <= set(kept.terms.split())
        assert kept.description or not each.description
    assert {source for each in merged for source in each.all_sources} == {
        source for each in candidates for source in each.sources
    }


@given(CANDIDATES)
def test_what_shares_a_key_is_together_and_nothing_else_is(candidates: list[Candidate]) -> None:
    merged = merge(candidates)
    held = [{key for member in (each, *each.others) for key in keys(member)} for each in merged]
    assert len(set().union(*held)) == sum(map(len, held))
    for each in merged:
        reached, left = set(keys(each)), list(each.others)
        while near := [member for member in left if reached & set(keys(member))]:
            reached |= {key for member in near for key in keys(member)}
            left = [member for member in left if member not in near]
        assert not left


@given(CANDIDATES)
def test_every_field_comes_from_the_source_that_is_named(candidates: list[Candidate]) -> None:
    for kept in members(merge(candidates)).values():
        sayers = [each for each in candidates if each.ref.identity == kept.ref.identity]
        source = kept.provenance.get("description")
        assert source is not None if kept.description else True
        if kept.description:
            assert any(each.description == kept.description and source in each.sources for each in sayers)


@given(CANDIDATES)
def test_nobody_is_vouched_for_by_another(candidates: list[Candidate]) -> None:
    for kept in members(merge(candidates)).values():
        sayers = [each for each in candidates if each.ref.identity == kept.ref.identity]
        assert kept.curated == any(each.curated for each in sayers)
        assert kept.facts.downloads in {each.facts.downloads for each in sayers}


def test_authority_comes_before_length_and_the_registry_knows_its_facts_best() -> None:
    ref = Ref(RefKind.NPM, "x")
    catalogue = Candidate(ref=ref, name="x", description="short", facts=PackageFacts(version="1.0"))
    index = Candidate(
        ref=ref, name="x", description="a much longer text", facts=PackageFacts(version="2.0", downloads=5)
    )
    registry = Candidate(ref=ref, name="x", text="its own words", facts=PackageFacts(version="3.0"))
    (kept,) = merge([said(index, "index"), said(registry, "registry"), said(catalogue, "catalogue")])
    assert (kept.description, kept.provenance["description"]) == ("short", "catalogue")
    assert (kept.facts.version, kept.provenance["facts.version"]) == ("3.0", "registry")
    assert (kept.facts.downloads, kept.provenance["facts.downloads"]) == (5, "index")
    assert kept.sources == ("catalogue", "index", "registry")
