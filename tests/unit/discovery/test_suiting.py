"""Whether a server does what is needed, by the tools that it lists."""

from __future__ import annotations

import json

import pytest

from vsm_mcp.discovery.suiting import suits
from vsm_mcp.matching.relevance import MET
from vsm_mcp.model.definition import Definition, ItemKind, Offer


def offer(**tools: str) -> Offer:
    def item(name: str, said: str) -> Definition:
        return Definition(kind=ItemKind.TOOL, name=name, raw=json.dumps({"name": name, "description": said}).encode())

    return Offer(items=tuple(item(name, said) for name, said in tools.items()))


DICE = offer(roll_dice="Roll dice in standard notation such as 2d6.", flip_coin="Flip a coin.")
EDITOR = offer(get_text_file_contents="Read text file contents from files, by line ranges.", create_text_file="Create.")


@pytest.mark.parametrize(
    ("need", "given", "met"),
    [
        ("roll two dice for me", DICE, True),
        ("what is 18 percent of 249.90", offer(calc="Evaluate an arithmetic expression exactly."), True),
        ("play a game of tic tac toe", DICE, False),
        ("diff two versions of a config file", EDITOR, False),
        ("roll two dice for me", Offer(), False),
        (
            "roll two dice for me",
            Offer(items=(Definition(kind=ItemKind.TOOL, name="roll_dice", raw=b'{"name": "\xff'), *DICE.items)),
            True,
        ),
    ],
)
async def test_the_best_tool_says_it(need: str, given: Offer, met: bool) -> None:
    assert (await suits(need, "x", given) >= MET) is met
