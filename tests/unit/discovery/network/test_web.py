from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from tests.unit.discovery.network.hosts import (
    FAULTS,
    QUICK,
    SHORT,
    Handler,
    Host,
    html,
    in_turn,
    saying,
    serving,
    status,
    web_of,
)

from vsm_mcp.discovery.network.limits import Limits
from vsm_mcp.discovery.network.web import NotThere
from vsm_mcp.errors import SourceUnavailable, VsmError
from vsm_mcp.policy.bucket import Rate

GOOD = {"good": True}
OLD_AT_ONCE = msgspec.structs.replace(QUICK, keep=0.0)


def read(body: bytes) -> Any:
    answer = msgspec.json.decode(body)
    return {"good": answer["good"]}


async def test_what_was_said_is_kept_and_taken_from_disk_by_the_next_process(tmp_path: Path) -> None:
    async with serving(saying(GOOD)) as host:
        async with web_of(tmp_path) as first:
            assert (await first.ask(host.address, read, QUICK)).answer == GOOD
        async with web_of(tmp_path) as second:
            told = await second.ask(host.address, read, QUICK)
        assert (told.answer, told.trouble, len(host.asked)) == (GOOD, "", 1)


async def test_an_old_answer_is_asked_for_only_if_it_changed(tmp_path: Path) -> None:
    async def unchanged(_host: Host, request: web.BaseRequest) -> web.StreamResponse:
        assert request.headers["If-None-Match"] == '"one"'
        assert request.headers["If-Modified-Since"] == "Mon, 01 Jan 2029 00:00:00 GMT"
        return web.Response(status=304)

    good = saying(GOOD, ETag='"one"', **{"Last-Modified": "Mon, 01 Jan 2029 00:00:00 GMT"})
    async with serving(in_turn(good, unchanged)) as host, web_of(tmp_path) as network:
        await network.ask(host.address, read, OLD_AT_ONCE)
        told = await network.ask(host.address, read, OLD_AT_ONCE)
        assert (told.answer, told.trouble, told.age) == (GOOD, "", 0.0)
        again = await network.ask(host.address, read, QUICK)
        assert (again.answer, len(host.asked)) == (GOOD, 2)


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_known_outlives_every_fault(fault: str, tmp_path: Path) -> None:
    async with serving(in_turn(saying(GOOD), FAULTS[fault])) as host, web_of(tmp_path) as network:
        await network.ask(host.address, read, OLD_AT_ONCE)
        if fault == "404":  # it is no fault that something is gone
            with pytest.raises(NotThere):
                await network.ask(host.address, read, msgspec.structs.replace(SHORT, keep=0.0))
        else:
            told = await network.ask(host.address, read, msgspec.structs.replace(SHORT, keep=0.0))
            assert told.answer == GOOD
            assert "127.0.0.1" in told.trouble
            kept = await network.ask(host.address, read, QUICK)
            assert (kept.answer, kept.trouble) == (GOOD, "")


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_told_and_never_answered(fault: str, tmp_path: Path) -> None:
    limits = msgspec.structs.replace(SHORT, max_bytes=1 << 20)
    async with serving(FAULTS[fault]) as host, web_of(tmp_path) as network:
        with pytest.raises(VsmError) as caught:
            await network.ask(host.address, read, limits)
    assert isinstance(caught.value, (SourceUnavailable, NotThere))
    assert "127.0.0.1" in caught.value.message


async def test_what_passes_is_tried_again(tmp_path: Path) -> None:
    script = in_turn(status(500), FAULTS["cut off"], saying(GOOD))
    async with serving(script) as host, web_of(tmp_path) as network:
        assert (await network.ask(host.address, read, QUICK)).answer == GOOD
        assert len(host.asked) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 451])
async def test_what_does_not_pass_is_not_tried_again(code: int, tmp_path: Path) -> None:
    async with serving(status(code)) as host, web_of(tmp_path) as network:
        with pytest.raises(SourceUnavailable, match=str(code)):
            await network.ask(host.address, read, QUICK)
        assert len(host.asked) == 1


async def test_a_page_in_place_of_an_answer_is_not_kept(tmp_path: Path) -> None:
    async with serving(in_turn(html, saying(GOOD))) as host, web_of(tmp_path) as network:
        with pytest.raises(SourceUnavailable, match="cannot be read"):
            await network.ask(host.address, read, QUICK)
        assert (await network.ask(host.address, read, QUICK)).answer == GOOD


async def test_a_host_that_asks_us_to_wait_is_left_alone_by_the_next_process_too(tmp_path: Path) -> None:
    reset = str(int(time.time()) + 1800)
    limited = status(403, X_RateLimit_Remaining="0", X_RateLimit_Reset=reset)
    async with serving(in_turn(limited, saying(GOOD))) as host:
        async with web_of(tmp_path) as first:
            with pytest.raises(SourceUnavailable, match=r"(29|30) min"):
                await first.ask(host.address, read, QUICK)
        async with web_of(tmp_path) as second:
            with pytest.raises(SourceUnavailable, match="not to be asked again"):
                await second.ask(host.address, read, QUICK)
        assert len(host.asked) == 1


async def test_a_short_wait_is_waited_for(tmp_path: Path) -> None:
    async with serving(in_turn(status(429, Retry_After="1"), saying(GOOD))) as host, web_of(tmp_path) as network:
        began = time.monotonic()
        assert (await network.ask(host.address, read, QUICK)).answer == GOOD
        assert time.monotonic() - began > 0.9


async def test_a_host_is_not_asked_more_often_than_is_set(tmp_path: Path) -> None:
    limits = Limits(timeout=30.0, rate=Rate(1, 2), keep=0.0)
    async with serving(saying(GOOD)) as host, web_of(tmp_path) as network:
        for path in "ab":
            await network.ask(f"{host.address}/{path}", read, limits)
        with pytest.raises(SourceUnavailable, match="not to be asked again"):
            await network.ask(f"{host.address}/c", read, limits)
        assert host.asked == ["/a", "/b"]


async def test_a_secret_goes_to_the_host_that_it_is_for(tmp_path: Path) -> None:
    headers = {"Authorization": "Bearer s3cret"}
    async with serving(saying(GOOD)) as other, web_of(tmp_path) as network:

        async def send_on(_host: Host, _request: web.BaseRequest) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(f"{other.address}/x")

        async with serving(send_on) as host:
            assert (await network.ask(host.address, read, QUICK, headers)).answer == GOOD
            assert host.headers[0]["Authorization"] == "Bearer s3cret"
    assert "Authorization" not in other.headers[0]


async def test_what_was_said_to_us_alone_is_not_said_to_everyone(tmp_path: Path) -> None:
    async with serving(in_turn(saying({"good": "private"}), saying(GOOD))) as host, web_of(tmp_path) as network:
        await network.ask(host.address, read, QUICK, {"Authorization": "Bearer s3cret"})
        assert (await network.ask(host.address, read, QUICK)).answer == GOOD


async def test_the_proxy_of_this_machine_is_asked_in_place_of_the_host(tmp_path: Path) -> None:
    async with serving(saying(GOOD)) as proxy, web_of(tmp_path, proxies={"http": proxy.address}) as network:
        assert (await network.ask("http://registry.invalid/x", read, QUICK)).answer == GOOD
        assert proxy.asked == ["http://registry.invalid/x"]


async def test_a_password_in_an_address_is_not_kept_with_its_answer(tmp_path: Path) -> None:
    async with serving(saying(GOOD)) as host, web_of(tmp_path) as network:
        await network.ask(f"http://me:s3cret@{host.address.partition('//')[2]}/x", read, QUICK)
        assert host.headers[0]["Authorization"].startswith("Basic ")
    assert b"s3cret" not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def _elsewhere(location: str) -> Handler:
    return status(302, Location=location)


@pytest.mark.parametrize("location", ["", "file:///etc/passwd", "ftp://127.0.0.1/", "data:text/plain,x"])
async def test_nobody_sends_us_to_something_that_is_no_website(location: str, tmp_path: Path) -> None:
    async with serving(_elsewhere(location)) as host, web_of(tmp_path) as network:
        with pytest.raises(SourceUnavailable, match="not to be trusted"):
            await network.ask(host.address, read, QUICK)


async def test_a_question_that_is_given_up_leaves_the_kept_answer(tmp_path: Path) -> None:
    async with serving(in_turn(saying(GOOD), FAULTS["stalled"])) as host, web_of(tmp_path) as network:
        await network.ask(host.address, read, OLD_AT_ONCE)
        task = asyncio.ensure_future(network.ask(host.address, read, OLD_AT_ONCE))
        await host.until_asked(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await network.ask(host.address, read, QUICK)).answer == GOOD


async def test_that_there_is_nothing_is_remembered_too(tmp_path: Path) -> None:
    async with serving(in_turn(status(404), saying(GOOD))) as host, web_of(tmp_path) as network:
        for _ in range(2):
            with pytest.raises(NotThere):
                await network.ask(host.address, read, QUICK)
        assert len(host.asked) == 1
        assert (await network.ask(host.address, read, OLD_AT_ONCE)).answer == GOOD
        assert (await network.ask(host.address, read, QUICK)).answer == GOOD


async def test_what_does_not_go_away_has_failed_when_it_is_not_there(tmp_path: Path) -> None:
    lasting = msgspec.structs.replace(OLD_AT_ONCE, lasting=True)
    async with serving(in_turn(saying(GOOD), status(404))) as host, web_of(tmp_path) as network:
        await network.ask(host.address, read, lasting)
        told = await network.ask(host.address, read, lasting)
        assert (told.answer, "nothing any more" in told.trouble) == (GOOD, True)
        with pytest.raises(NotThere):
            await network.ask(f"{host.address}/never", read, lasting)


async def test_a_kept_answer_of_another_version_is_asked_for_again(tmp_path: Path) -> None:
    async with serving(saying(GOOD)) as host, web_of(tmp_path) as network:
        for raw in (b"", b"\xc1 rubbish", msgspec.msgpack.encode([b"not json", "", ""])):
            await network.cache.put(f"web anyone  {host.address}", raw)
            assert (await network.ask(host.address, read, QUICK)).answer == GOOD
        assert len(host.asked) == 3
