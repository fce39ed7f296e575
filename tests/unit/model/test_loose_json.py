from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.model.loose_json import DEEPEST, loads, too_deep

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_plain_json_is_what_it_is(value: Any) -> None:
    assert loads(json.dumps(value)) == value
    assert loads(f"// a\n{json.dumps(value, ensure_ascii=False, indent=1)} /* b */") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", {}),
        (' \n"//"', "//"),
        ('["/*", "*/", ",]",]', ["/*", "*/", ",]"]),
        ('{"a": "\\"//", /* x */ "b": 1, // y\n}', {"a": '"//', "b": 1}),
        ("[1, /* , */ ]", [1]),
        ("[1 // ]\n]", [1]),
    ],
)
def test_comments_and_last_commas(text: str, value: Any) -> None:
    assert loads(text) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"key": sk-secret}', "line 1, column 9"),
        ('\n\n{"a": "sk-secret', "line 3"),
        ("/* sk-secret", "line 1"),
        ("[" * 10_000, "too deep"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "too deep"),
        ("1" * 10_000, "too many digits"),
    ],
)
def test_what_is_no_json_says_where_and_not_what(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        loads(text)
    assert "secret" not in str(caught.value)


def test_how_deep_is_too_deep() -> None:
    value: Any = {}
    for _ in range(DEEPEST - 1):
        value = [{"a": 1}, value]
    assert not too_deep(value)
    assert too_deep([value])
