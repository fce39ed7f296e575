"""Whether a server does what is needed, by the tools that it lists."""

from __future__ import annotations

import json

import pytest

from vsm_mcp.discovery.suiting import suits, with_nearest
from vsm_mcp.discovery.wiring import matcher
from vsm_mcp.matching.relevance import MET
from vsm_mcp.model.candidate import Candidate
from vsm_mcp.model.definition import Definition, ItemKind, Offer
from vsm_mcp.model.ref import parse_ref


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


async def test_how_a_tool_is_called_says_nothing_of_its_kind() -> None:
    behaviour = (
        "Reads only. Tokens, rate limits and your password are checked by API key before word count and sentences."
    )
    schema = {"properties": {"text_a": {}, "text_b": {}, "api_key": {"description": "your API key"}}}
    raw = {"name": "diff_texts", "description": f"Shows a diff of two texts. {behaviour}", "inputSchema": schema}
    told = Offer(items=(Definition(kind=ItemKind.TOOL, name="diff_texts", raw=json.dumps(raw).encode()),))
    assert await suits("show me a diff of two texts", "x", told) >= MET
    for need in ("make me a strong password that is easy to remember", "check whether my poem is a proper haiku"):
        assert await suits(need, "x", told) < MET


async def test_a_parameter_makes_no_tool_one_for_what_it_takes() -> None:
    schema = {"properties": {"path": {"description": "The file or folder to read, in your downloads, for instance."}}}
    raw = {"name": "convert_pdf_to_markdown", "description": "Convert a PDF to Markdown.", "inputSchema": schema}
    told = Offer(items=(Definition(kind=ItemKind.TOOL, name="convert_pdf_to_markdown", raw=json.dumps(raw).encode()),))
    assert await suits("turn this pdf into markdown", "x", told) >= MET
    for need in ("what is in my downloads folder", "rename a bunch of things in a folder"):
        assert await suits(need, "x", told) < MET


def candidate(*tools: str | tuple[str, str], others: tuple[Candidate, ...] = ()) -> Candidate:
    known = tuple(tool if isinstance(tool, tuple) else (tool, "") for tool in tools)
    return Candidate(ref=parse_ref("pypi:x"), name="x", tools=known, others=others)


def nearest(need: str, given: Candidate) -> tuple[str, float] | None:
    return with_nearest(matcher().need(need), [given])[0].nearest


@pytest.mark.parametrize(
    ("need", "given", "found"),
    [
        ("crop a picture", candidate("zoom_image", "crop_image", "list_fonts"), "crop_image"),
        ("crop a picture", candidate("t1", ("t2", "Cuts the borders off an image.")), "t2"),
        ("crop a picture", candidate(others=(candidate("crop_image"),)), "crop_image"),
        ("list my events", candidate("delete_events", "events"), "events"),
        ("turn markdown into pdf", candidate("pdf_to_markdown", "markdown_pdf"), "markdown_pdf"),
        ("speech to text", candidate("speak", "voice_speech", "transcribe_audio"), "transcribe_audio"),
        ("factor a polynomial", candidate("sympy_factor", "sympy_is_prime", "sympy_zeros", "evaluate"), "sympy_factor"),
    ],
)
def test_the_nearest_tool_of_a_candidate_is_known_by_name(need: str, given: Candidate, found: str) -> None:
    tool, near = nearest(need, given) or ("", 0.0)
    assert tool == found
    assert 0.0 < near <= 1.0


def test_where_no_tool_is_known_or_the_need_says_nothing_none_is_nearest() -> None:
    assert nearest("crop a picture", candidate()) is None
    assert nearest("???", candidate("crop_image")) is None
    assert with_nearest(matcher().need("crop a picture"), []) == []
