"""How many tokens a question to a model took."""

from __future__ import annotations

import pytest

from vsm_mcp.discovery.research.question import used


@pytest.mark.parametrize(
    ("body", "api", "tokens"),
    [
        (b'{"usage":{"total_tokens":120}}', "openai", 120),
        (b'{"usage":{"input_tokens":100,"output_tokens":23}}', "anthropic", 123),
        (b'{"usage":{"input_tokens":100}}', "anthropic", (400 + 30) // 4),
        (b'{"usage":{"total_tokens":true}}', "openai", (400 + 30) // 4),
        (b'{"usage":{"total_tokens":-5}}', "openai", (400 + 28) // 4),
        (b"no json at all", "openai", (400 + 14) // 4),
    ],
)
def test_tokens_are_counted_or_estimated(body: bytes, api: str, tokens: int) -> None:
    assert used(body, api, 400) == tokens
