from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.bench.echo import answer
from vsm_mcp.bench.question import FAILED, FEWEST, RIGHT, WRONG, EchoQuestion, Question, echo_among

TEXT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def result(text: str, **more: Any) -> bytes:
    return json.dumps({"content": [{"type": "text", "text": text}], **more}).encode()


@given(st.integers(FEWEST, 5000), st.integers(1, 10**11))
def test_a_text_has_its_size_and_its_number(size: int, number: int) -> None:
    message = EchoQuestion("a__echo", "text", size).message(number)
    read = json.loads(message)
    assert read["id"] == number
    assert read["params"]["name"] == "a__echo"
    text = read["params"]["arguments"]["text"]
    assert text.startswith(f"{number:012d}")
    assert len(json.dumps(text)) - 2 == size


@given(st.integers(FEWEST, 300), st.integers(1, 10**9), st.integers(1, 10**9))
def test_only_the_text_that_was_sent_is_right(size: int, number: int, other: int) -> None:
    question = EchoQuestion("echo", "text", size)
    sent = json.loads(question.message(number))["params"]["arguments"]["text"]
    assert question.fate(number, result(sent)) == RIGHT
    assert question.fate(number, result(f"Echo: {sent}")) == RIGHT
    assert question.fate(other, result(sent)) == (RIGHT if number == other else WRONG)
    assert question.fate(number, result(sent[:-1])) == WRONG
    assert question.fate(number, result(f"{sent} ")) == WRONG
    assert question.fate(number, result(sent + sent)) == WRONG


@pytest.mark.parametrize(
    "junk", [b"", b"null", b"[]", b"{}", b'{"content":[]}', b'{"content":[{"type":"image"}]}', b"{"]
)
def test_what_is_no_echo_is_wrong(junk: bytes) -> None:
    assert EchoQuestion("echo", "text", 100).fate(1, junk) == WRONG


def test_a_result_that_says_so_failed() -> None:
    assert EchoQuestion("echo", "text", 100).fate(1, result("no", isError=True)) == FAILED
    assert Question("any", b"{}").fate(1, result("no", isError=True)) == FAILED


def test_arguments_are_sent_as_they_are() -> None:
    question = Question('q"uoted%d', b'{"a":[1,"100%"]}')
    read = json.loads(question.message(7))
    assert read["params"] == {"name": 'q"uoted%d', "arguments": {"a": [1, "100%"]}}
    assert question.fate(7, result("anything")) == RIGHT
    assert question.fate(7, b"[]") == WRONG


def test_the_echo_tool_is_found_by_name_and_schema() -> None:
    number = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    both = {"type": "object", "properties": TEXT["properties"], "required": ["text", "more"]}
    tools: list[dict[str, Any]] = [
        {"name": "add", "inputSchema": TEXT},
        {"name": "a__echo"},
        {"name": "b__echo", "inputSchema": number},
        {"name": "c__echo", "inputSchema": both},
        {"name": "d__Echo", "inputSchema": TEXT},
        {"name": "e__echo", "inputSchema": TEXT},
    ]
    assert echo_among(tools) == ("d__Echo", "text")
    assert echo_among(tools, "e__") == ("e__echo", "text")
    assert echo_among(tools[:4]) is None


@given(st.integers(FEWEST, 2000), st.integers(1, 10**9))
def test_our_echo_server_answers_right(size: int, number: int) -> None:
    question = EchoQuestion("echo", "text", size)
    said = answer(question.message(number))
    assert said is not None
    read = json.loads(said)
    assert read["id"] == number
    assert question.fate(number, json.dumps(read["result"]).encode()) == RIGHT
