"""What every source on the network owes: whatever its host does, and whatever it says."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from tests.unit.discovery.network.hosts import FAULTS, Host, in_turn, odd, serving, web_of
from tests.unit.discovery.stand_ins import MATCHER, NEED, STAND_INS, TOKEN, StandIn, addresses

from vsm_mcp import plugins
from vsm_mcp.config import Config
from vsm_mcp.discovery.engine import Options, discover
from vsm_mcp.discovery.screen import screen
from vsm_mcp.discovery.source import Context, Refreshing, Source, SourceState
from vsm_mcp.errors import SourceUnavailable
from vsm_mcp.events import Event

EACH = pytest.mark.parametrize("stand_in", STAND_INS.values(), ids=list(STAND_INS))
PATIENT = Options(timeout=60.0, deadline=60.0)
OLD = {"cache_seconds": 0.0, "need_cache_seconds": 0.0}


async def refs(source: Source) -> list[str]:
    return [str(each.ref) for each in await source.search(NEED, 60)]


def expected(stand_in: StandIn, host: Host) -> list[str]:
    return [ref.replace("SITE", host.address) for ref in stand_in.finds]


async def test_every_source_goes_by_the_name_that_the_settings_call_it_by(tmp_path: Path) -> None:
    """Else nobody could say how the source of that name stands."""
    async with web_of(tmp_path) as network:
        builders = plugins.load("sources")
        assert {*STAND_INS, "installed", "catalogue", "index"} <= set(builders)
        given = Context(Config(home=tmp_path), MATCHER, web=network)
        assert {name: build(given).name for name, build in builders.items()} == {name: name for name in builders}


@EACH
async def test_it_finds_what_is_there_and_says_nothing_false_of_it(stand_in: StandIn, tmp_path: Path) -> None:
    async with serving(stand_in.good()) as host, web_of(tmp_path, **addresses(host)) as network:
        source = stand_in.made(network, host)
        found = await source.search(NEED, 60)
        assert [str(each.ref) for each in found] == expected(stand_in, host)
        assert (source.state, source.name) == (SourceState.OK, next(n for n, s in STAND_INS.items() if s is stand_in))
        assert all(screen(each, source.name) for each in found)
        assert await source.search(NEED, 0) == []


@EACH
async def test_the_next_process_takes_it_from_disk(stand_in: StandIn, tmp_path: Path) -> None:
    async with serving(stand_in.good()) as host:
        async with web_of(tmp_path, **addresses(host)) as network:
            await refs(stand_in.made(network, host))
        asked = len([path for path in host.asked if "readme/" not in path])
        async with web_of(tmp_path, **addresses(host)) as network:
            assert await refs(stand_in.made(network, host)) == expected(stand_in, host)
        again = host.asked[asked:]
        assert not [path for path in again if "contents" not in path and not path.endswith("/readme")]


@pytest.mark.parametrize("fault", FAULTS)
@EACH
async def test_a_host_that_fails_costs_the_others_nothing_and_takes_nothing_away(
    stand_in: StandIn, fault: str, tmp_path: Path
) -> None:
    good = STAND_INS["npm" if stand_in is STAND_INS["mcp-registry"] else "mcp-registry"]
    hasty = {**OLD, "source_timeout_seconds": 0.3, "max_answer_bytes": 1 << 20, "tries": 2}
    async with (
        serving(stand_in.good()) as host,
        serving(good.good()) as other,
        web_of(tmp_path, **addresses(host)) as network,
        web_of(tmp_path / "other", **addresses(other)) as elsewhere,
    ):
        host.handler = FAULTS[fault]
        found = await discover(
            NEED, [stand_in.made(network, host, **hasty), good.made(elsewhere, other)], MATCHER, PATIENT
        )
        assert [str(each.ref) for each in found.candidates] == expected(good, other)
        assert (found.reports[0].state, found.reports[0].count) == (SourceState.UNAVAILABLE, 0)
        assert found.reports[0].detail

        if fault == "429":
            return  # it asked not to be asked again for an hour
        host.handler = stand_in.good()
        await refs(stand_in.made(network, host))
        host.handler = FAULTS[fault]
        source = stand_in.made(network, host, **hasty)
        assert set(await refs(source)) == set(expected(stand_in, host))
        assert source.state is SourceState.STALE
        assert getattr(source, "detail", "")


@EACH
async def test_discovery_ends_at_its_deadline_with_what_it_has(stand_in: StandIn, tmp_path: Path) -> None:
    """The source itself would wait for a minute."""
    async with serving(FAULTS["stalled"]) as host, web_of(tmp_path, **addresses(host)) as network:
        began = time.perf_counter()
        found = await discover(NEED, [stand_in.made(network, host)], MATCHER, Options(timeout=60.0, deadline=0.2))
        assert time.perf_counter() - began < 30.0
        assert found.reports[0].state == SourceState.UNAVAILABLE


@EACH
async def test_json_of_no_known_shape_is_no_answer(stand_in: StandIn, tmp_path: Path) -> None:
    async with serving(odd) as host, web_of(tmp_path, **addresses(host)) as network:
        found = await discover(NEED, [stand_in.made(network, host)], MATCHER, PATIENT)
        assert found.candidates == ()


@EACH
async def test_it_is_brought_up_to_date_in_the_background(stand_in: StandIn, tmp_path: Path) -> None:
    """What is refreshed serves the next search without a question; what failed keeps what was known."""
    async with serving(stand_in.good()) as host, web_of(tmp_path, **addresses(host)) as network:
        source = stand_in.made(network, host)
        if not isinstance(source, Refreshing):
            assert source.name == "npm"  # keeps answers to needs only
            return
        assert await source.refresh()
        asked = len(host.asked)
        assert asked
        host.handler = in_turn(FAULTS["500"])
        with pytest.raises(SourceUnavailable):
            await stand_in.made(network, host, source_timeout_seconds=0.2, tries=1).refresh()  # type: ignore[attr-defined]
        host.handler = stand_in.good()
        assert set(await refs(stand_in.made(network, host))) >= set(expected(stand_in, host)[-1:])


@EACH
@pytest.mark.parametrize(
    "need", ["", " ", "\x00", "?!", "weather' OR 1=1 --", "a b " * 3000, "天気予報", "topic:x user:y in:z"]
)
async def test_no_need_is_a_bad_question(stand_in: StandIn, need: str, tmp_path: Path) -> None:
    async with serving(stand_in.good()) as host, web_of(tmp_path, **addresses(host)) as network:
        events: list[Event] = []
        found = await discover(need, [stand_in.made(network, host)], MATCHER, PATIENT, events.append)
        assert found.reports[0].state == SourceState.OK, found.reports[0].detail
        assert not any(mark in path for path in host.asked for mark in ("user%3A", "user:", "OR+1"))


@EACH
async def test_the_words_around_a_need_stay_here(stand_in: StandIn, tmp_path: Path) -> None:
    async with serving(stand_in.good()) as host, web_of(tmp_path, **addresses(host)) as network:
        await refs(stand_in.made(network, host))
        assert not any("please" in path for path in host.asked)
        told = any("weather" in path and "search" in path for path in host.asked)
        assert told == (stand_in.build is STAND_INS["npm"].build or stand_in.build is STAND_INS["github"].build)


@EACH
async def test_a_token_is_in_one_header_and_nowhere_else(stand_in: StandIn, tmp_path: Path) -> None:
    async with serving(FAULTS["500"]) as host, web_of(tmp_path, **addresses(host)) as network:
        events: list[Event] = []
        found = await discover(NEED, [stand_in.made(network, host, tries=1)], MATCHER, PATIENT, events.append)
        sent = [headers.get("Authorization") for headers in host.headers]
        assert set(sent) == ({f"Bearer {TOKEN}"} if stand_in.build is STAND_INS["github"].build else {None})
        said = msgspec.json.encode([found.reports, events]).decode()
        assert TOKEN not in said + "".join(host.asked)
    assert TOKEN.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
