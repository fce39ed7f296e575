"""Demand against what is served: which needs are one, which are met, what would close the rest."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.autopilot.gaps import Fit, Gap, Keys, alike, closing, clustered, key_of, stems_of, variety
from vsm_mcp.matching.relevance import MET
from vsm_mcp.model.need import Best, Past, Seen


def seen(need: str, source: str = "agent", count: int = 1, first: float = 1.0, last: float = 2.0) -> Seen:
    return Seen(need=need, source=source, count=count, met=0, first=first, last=last)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("read a pdf", "read PDF files", True),
        ("Read spreadsheets", "read the spreadsheet", True),
        ("read a pdf", "make a pdf", False),
        ("draw a map", "draw a chart", False),
        ("translate a poem into Portuguese", "translate a poem into Danish", False),
        ("the", "the", True),
    ],
)
def test_which_needs_are_one(one: str, other: str, same: bool) -> None:
    found = clustered([seen(one), seen(other, "person", first=5.0, last=9.0)])
    assert len(found) == (1 if same else 2)
    assert found[0].need == one
    if same:
        assert (found[0].count, found[0].first, found[0].last) == (2, 1.0, 9.0)
        assert found[0].sources == {"agent": 1, "person": 1}


@given(st.lists(st.text("abcdefgh ", min_size=1, max_size=12), max_size=20))
def test_nothing_is_lost_and_nothing_is_counted_twice(needs: list[str]) -> None:
    rows = [seen(need, count=number + 1) for number, need in enumerate(needs)]
    found = clustered(rows)
    assert sum(each.count for each in found) == sum(row.count for row in rows)
    assert len({each.key for each in found}) == len(found)
    assert clustered(rows) == found


@given(
    st.lists(st.sets(st.sampled_from(["pdf", "read", "map", "chart", "file", "mail", "send"]), min_size=1), max_size=9)
)
def test_keys_find_what_is_nearest_as_a_look_at_all_of_them_does(sets: list[set[str]]) -> None:
    keys = Keys()
    for stems in sets:
        found = keys.find(frozenset(stems))
        near = [(alike(frozenset(stems), frozenset(key.split())), key) for key, _ in keys._stems]
        best = max((score for score, _ in near), default=0.0)
        assert bool(found) is (best >= 0.75)
        if found:
            assert alike(frozenset(stems), frozenset(found.split())) == best
        keys.add(key_of(stems))


def test_the_ratio_and_the_order() -> None:
    needs = clustered([seen("draw a map", count=2), seen("read a pdf", count=5), seen("send mail", count=9)])
    fits = {key_of(stems_of("send mail")): Fit("mail__send", MET), key_of(stems_of("draw a map")): Fit("x", MET - 0.01)}
    found = variety(needs, fits, {}, frozenset())
    assert (found.demanded, found.met) == (3, 1)
    assert found.ratio == pytest.approx(1 / 3)
    assert [gap.demanded.need for gap in found.needs] == ["read a pdf", "draw a map", "send mail"]
    assert found.needs[-1].by == "mail__send"
    assert variety((), {}, {}, frozenset()).ratio == 1.0


def test_a_server_that_came_for_a_need_meets_it_while_it_is_healthy() -> None:
    needs = clustered([seen("read PDF files")])
    past = {key_of(stems_of("read a pdf")): Past(server="pdf")}  # in other words
    assert variety(needs, {}, past, frozenset({"pdf"})).needs[0].by == "pdf"
    assert not variety(needs, {}, past, frozenset()).needs[0].met
    assert variety(needs, {}, past, frozenset()).needs[0].key == key_of(stems_of("read a pdf"))


def test_what_would_close_a_gap() -> None:
    (need,) = clustered([seen('read a "pdf" $(rm)')])
    gap = Gap(demanded=need)
    assert closing(gap) == 'vsm-mcp acquire "read a  pdf   (rm)"'
    assert closing(gap, "abc") == "vsm-mcp approve abc"
    found = Gap(demanded=need, past=Past(best=Best(at=1.0, ref="npm:x@1")))
    assert closing(found) == "vsm-mcp add npm:x@1"
    assert "nothing was found" in closing(Gap(demanded=need, past=Past(best=Best(at=1.0, reason="no"))))
    assert "--allow" in closing(Gap(demanded=need, past=Past(denied_by="cli", best=Best(at=1.0, ref="npm:x@1"))))


def test_ten_thousand_needs_are_clustered_in_a_few_seconds() -> None:
    things = ["invoice", "map", "poem", "ticket", "mail", "pdf", "chart", "photo", "song", "table"]
    rows = [seen(f"{things[n % 10]} of customer{n // 10} in city{n % 997}", first=float(n)) for n in range(10_000)]
    began = time.process_time()
    assert len(clustered(rows)) > 1000
    assert time.process_time() - began < 10
