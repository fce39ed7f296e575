from __future__ import annotations

import asyncio
import json
from typing import Any

from vsm_mcp.gateway.catalogue import Catalogue
from vsm_mcp.gateway.lookup import one_line
from vsm_mcp.model.definition import Definition, ItemKind, Offer


def tool(name: str, description: Any = "", schema: Any = None) -> Definition:
    raw = json.dumps({"name": name, "description": description, "inputSchema": schema or {"type": "object"}}).encode()
    return Definition(kind=ItemKind.TOOL, name=name, raw=raw)


def catalogue(**servers: list[Definition]) -> Catalogue:
    return Catalogue({name: Offer(items=tuple(items)) for name, items in servers.items()})


async def test_parameters_in_short() -> None:
    schema = {
        "type": "object",
        "properties": {
            "optional": {"type": ["string", "null"], "description": "Some\n  text " + "x" * 200},
            "kind": {"enum": ["a", "b", 3, "d", "e", "f", "g"]},
            "path": {"type": "string"},
            "odd": True,
        },
        "required": ["path", 7],
    }
    found = await catalogue(s=[tool("read_file", "Reads a file.", schema)]).lookup.find("read a file", 3)
    card = found.tools[0][0]
    assert [(p.name, p.type, p.required) for p in card.parameters] == [
        ("path", "string", True),
        ("optional", "string | null", False),
        ("kind", "a | b | 3 | d | e | f | …", False),
        ("odd", "any", False),
    ]
    assert card.parameters[1].description.startswith("Some text xxx")
    assert len(card.parameters[1].description) == 100


async def test_definitions_beyond_reading_cost_only_themselves() -> None:
    deep = {"type": "object", "properties": {"x": json.loads("[" * 400 + "]" * 400)}}
    odd = [
        tool("odd", 7),
        tool("lists", "d", {"type": "object", "properties": [1], "required": "x"}),
        tool("deep", "d", deep),
    ]
    nul = Definition(kind=ItemKind.TOOL, name="broken", raw=b'{"name":"broken","description":"\xff\xfe"}')
    lookup = catalogue(s=[*odd, nul, tool("read_file", "Reads a file.")]).lookup
    found = await lookup.find("read a file", 5)
    assert found.tools[0][0].name == "s__read_file"
    assert found.searched == 5
    assert len(lookup.cards(10)) == 5


async def test_the_index_is_made_once_however_many_ask_and_some_give_up() -> None:
    words = ["spreadsheet", "calendar", "weather", "database", "invoice"]
    more = [tool(f"extra_{n}", f"Does something else, number {n}.") for n in range(200)]
    lookup = catalogue(s=[*(tool(word, f"Opens the {word}.") for word in words), *more]).lookup
    first = asyncio.ensure_future(lookup.find("spreadsheet", 1))
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(lookup.find(word, 1)) for word in words]
    await asyncio.sleep(0)
    first.cancel()
    found = await asyncio.gather(*others)
    assert [finding.tools[0][0].name for finding in found] == [f"s__{word}" for word in words]
    assert first.cancelled()
    assert await lookup.find("", 1) == (await lookup.find("!!", 1))


async def test_what_a_server_is_for_helps_to_find_its_tools() -> None:
    offers = {
        "weather": Offer(items=(tool("get", "Returns it."),), instructions="Weather forecasts for any city."),
        "other": Offer(items=(tool("get", "Returns it."),)),
    }
    found = await Catalogue(offers).lookup.find("weather forecast", 2)
    assert found.tools[0][0].server == "weather"


def test_one_line() -> None:
    assert one_line("a \n\t b", 80) == "a b"
    assert one_line("x" * 100, 10) == "x" * 9 + "…"
    assert one_line("", 10) == ""


async def test_the_best_tool_of_some_servers_is_found_among_few_and_among_many() -> None:
    many = [tool(f"invoice_{number}", f"Sends invoice number {number} to a customer.") for number in range(300)]
    lookup = catalogue(
        games=[tool("roll_dice", "Roll dice."), tool("flip_coin", "Flip a coin.")],
        office=[*many, tool("throw_dice", "Roll dice in standard notation.")],
    ).lookup
    need = "roll two dice for me"
    assert (await lookup.best(need, {"games"}))[:2] == ("games__roll_dice", "games")
    assert (await lookup.best(need, {"office"}))[:2] == ("office__throw_dice", "office")
    assert await lookup.best(need, set()) == ("", "", 0.0)
