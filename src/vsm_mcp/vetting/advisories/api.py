"""Asks an API of OSV about packages: ``POST /v1/querybatch``, then ``GET /v1/vulns/ID`` for each that is new.

Form: OSV documentation, "API". The batch answers ids alone, at most a page each; further pages are asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from vsm_mcp.errors import RegistryUnavailable
from vsm_mcp.registries.inquiry import Answer, Inquiry
from vsm_mcp.vetting.advisories.record import Advisory

_BATCH: Final = 500
_PAGES: Final = 8
_RECORDS: Final = 400
_AT_ONCE: Final = 8

_Kind = TypeVar("_Kind")

Pinned = tuple[str, str, str]
"""A package at a version: (ecosystem, name, version)."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Records, how old (seconds) the oldest answer is, and why an old one was used."""

    records: tuple[Advisory, ...]
    age: float = 0.0
    trouble: str = ""


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Result(msgspec.Struct, frozen=True):
    vulns: tuple[_Id, ...] = ()
    next_page_token: str = ""


class _Results(msgspec.Struct, frozen=True):
    results: tuple[_Result, ...]


async def ask(inquiry: Inquiry, api: str, packages: Sequence[Pinned]) -> Told:
    """Return the records about packages. Raises :class:`RegistryUnavailable` when not everything could be had."""
    base = api.rstrip("/")
    answers: list[Answer] = []
    ids: dict[str, None] = {}
    for start in range(0, len(packages), _BATCH):
        ids |= dict.fromkeys(await _ids(inquiry, base, packages[start : start + _BATCH], answers))
    if len(ids) > _RECORDS:
        raise RegistryUnavailable(f"{len(ids)} advisories are more than are looked at")
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(identifier: str) -> Advisory | None:
        async with turn:
            answer = await inquiry.get(f"{base}/v1/vulns/{quote(identifier, safe='')}")
        answers.append(answer)
        return _as(answer, Advisory) if answer.found else None

    found = await asyncio.gather(*map(one, ids))
    if None in found:
        raise RegistryUnavailable("the API of advisories names records that it does not have")
    return Told(
        records=tuple(each for each in found if each is not None),
        age=max((answer.age for answer in answers), default=0.0),
        trouble=next((answer.trouble for answer in answers if answer.trouble), ""),
    )


async def _ids(inquiry: Inquiry, base: str, packages: Sequence[Pinned], answers: list[Answer]) -> list[str]:
    queries = [
        {"package": {"ecosystem": ecosystem, "name": name}, "version": version} for ecosystem, name, version in packages
    ]
    ids: list[str] = []
    for _ in range(_PAGES):
        answer = await inquiry.post(f"{base}/v1/querybatch", msgspec.json.encode({"queries": queries}))
        answers.append(answer)
        results = _as(answer, _Results).results if answer.found else ()
        if len(results) != len(queries):
            raise RegistryUnavailable("the API of advisories did not answer every question")
        ids += [vuln.id for result in results for vuln in result.vulns]
        pages = zip(queries, results, strict=True)
        queries = [{**query, "page_token": page.next_page_token} for query, page in pages if page.next_page_token]
        if not queries:
            return ids
    raise RegistryUnavailable("the API of advisories has more pages than are read")


def _as(answer: Answer, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.convert(answer.told, kind, strict=False)
    except msgspec.ValidationError as error:
        raise RegistryUnavailable("the API of advisories answers something else than OSV's form") from error
