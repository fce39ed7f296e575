"""Questions to whoever vouches for packages: kept, capped, bounded; nothing that went wrong is an answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.discovery.network.hosts import FAULTS, Host, in_turn, saying, serving, status

from vsm_mcp.errors import RegistryUnavailable
from vsm_mcp.registries.addresses import Addresses
from vsm_mcp.registries.client import Registries
from vsm_mcp.registries.inquiry import Inquiry
from vsm_mcp.store import Store


@contextlib.asynccontextmanager
async def asking(home: Path, host: Host, timeout: float = 30.0, keep: float = 3600.0) -> AsyncIterator[Inquiry]:
    addresses = Addresses(npm=f"{host.address}/", pypi_index=f"{host.address}/simple/")
    async with Store(home) as store, Registries(addresses, store.cache) as registries:
        yield Inquiry(registries, timeout=timeout, keep=keep)


async def test_each_question_has_its_own_address(tmp_path: Path) -> None:
    async with serving(saying({"good": True})) as host, asking(tmp_path, host) as inquiry:
        await inquiry.npm_keys("@s/x")
        await inquiry.npm_attestations("@s/x", "1.0.0")
        await inquiry.pypi_provenance("X_y", "1.0", "x_y-1.0.tar.gz")
        assert host.asked == [
            "/-/npm/v1/keys",
            "/-/npm/v1/attestations/@s%2Fx@1.0.0",
            "/integrity/x-y/1.0/x_y-1.0.tar.gz/provenance",
        ]


async def test_what_was_said_is_kept_by_question(tmp_path: Path) -> None:
    async with serving(saying({"good": True})) as host, asking(tmp_path, host) as inquiry:
        assert not await inquiry.answered_before(host.address)
        for body in (b"[1]", b"[2]", b"[1]"):
            assert (await inquiry.post(f"{host.address}/q", body)).told == {"good": True}
        assert len(host.asked) == 2
        assert await inquiry.answered_before(f"{host.address}/elsewhere")


async def test_that_there_is_nothing_is_an_answer_and_kept(tmp_path: Path) -> None:
    async with serving(status(404)) as host, asking(tmp_path, host) as inquiry:
        for _ in range(2):
            answer = await inquiry.npm_keys("x")
            assert (answer.found, answer.told) == (False, None)
        assert len(host.asked) == 1
        assert not await inquiry.answered_before(host.address)


@pytest.mark.parametrize("fault", [each for each in FAULTS if each != "404"])
async def test_a_fault_is_told_and_the_host_is_left_alone_for_a_while(fault: str, tmp_path: Path) -> None:
    async with serving(FAULTS[fault]) as host, asking(tmp_path, host, timeout=0.6) as inquiry:
        with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1"):
            await inquiry.npm_keys("x")
        asked = len(host.asked)
        if fault not in ("html", "half JSON"):  # there it answers, and another question may be understood
            with pytest.raises(RegistryUnavailable):
                await inquiry.npm_attestations("x", "1.0.0")
            assert len(host.asked) == asked


@pytest.mark.parametrize("fault", [each for each in FAULTS if each != "404"])
async def test_an_old_answer_is_given_with_why(fault: str, tmp_path: Path) -> None:
    good = in_turn(saying({"good": True}), FAULTS[fault])
    async with serving(good) as host, asking(tmp_path, host, timeout=0.6, keep=0.0) as inquiry:
        await inquiry.npm_keys("x")
        answer = await inquiry.npm_keys("x")
        assert (answer.found, answer.told) == (True, {"good": True})
        assert "127.0.0.1" in answer.trouble
