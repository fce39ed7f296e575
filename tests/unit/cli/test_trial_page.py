"""The page of a trial: whatever a server says is text in it, and it asks for nothing from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest

from vsm_mcp.cli.trial_command import exit_code
from vsm_mcp.cli.trial_page import page_of

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' &lt; \u202e\x1b[31m"
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "span", "ul", "li", "table", "tr", "th",
    "td", "br", "code",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class"}


def document(text: str = HOSTILE) -> dict[str, Any]:
    finding = {"rule": text, "where": text, "severity": "review", "text": text}
    check = {"check": text, "status": "fail", "looked_at": 1, "unit": text, "detail": text, "findings": [finding]}
    row = {
        "check": text, "era": text, "status": "fail", "severity": "review", "meaning": text, "source": text,
        "detail": text, "seconds": 0.1,
    }  # fmt: skip
    return {
        "ref": text,
        "version": text,
        "seconds": 3.2,
        "stand_ins": [text],
        "advice": {"recommendation": "admit with care", "reasons": [text]},
        "vetting": {"judgement": "quarantine", "checks": [check], "reasons": [text]},
        "trial": {
            "passed": True, "era": text, "protocol": text, "tier": text, "transport": text,
            "probes": [{"name": text, "verdict": "pass", "detail": text}], "offer": {"tool": [text]},
            "watch": check, "behaviour": {"calls": 3, "hosts": [text]},
        },
        "compliance": [row],
        "calls_watch": check,
        "figures": {
            "start_seconds": [0.1], "asked": 1, "latency_ms": 1.0, "latency_p95_ms": 2.0, "requests_per_second": 10.0,
            "peak_memory": 4096,
        },
    }  # fmt: skip


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_a_server_says_is_text_wherever_it_stands() -> None:
    page = page_of(document())
    seen = Seen()
    seen.feed(page)
    assert seen.tags <= TAGS
    assert seen.attributes <= ATTRIBUTES
    assert seen.text.count("<script>alert(1)</script>") >= 20
    assert not {"\x1b", "\u202e"} & set(page)


def test_it_asks_for_nothing_and_knows_light_and_dark() -> None:
    page = page_of(document("fine"))
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert not any(word in page for word in ("http:", "https:", "url(", "@import", "src=", "href="))


def test_a_trial_that_did_not_come_about_has_a_page_too() -> None:
    short = {**document("x"), "trial": None, "compliance": [], "calls_watch": None}
    assert "Can it serve" not in page_of(short)
    assert "Vetting" in page_of(short)
    assert "Vetting" not in page_of({**document("x"), "vetting": None})


@pytest.mark.parametrize(
    ("judgement", "passed", "code"),
    [("admit", True, 0), ("quarantine", True, 0), ("admit", False, 1), ("reject", None, 3), ("reject", True, 3)],
)
def test_the_exit_code_says_how_it_went(judgement: str, passed: bool | None, code: int) -> None:
    trial = None if passed is None else {"passed": passed}
    assert exit_code({"vetting": {"judgement": judgement}, "trial": trial}) == code
