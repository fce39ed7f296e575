"""A program that wants to be told which of its commands to run: read from the help that it prints. Pure."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.model.retry import COMMAND
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime import ways
from vsm_mcp.runtime.last_words import LastWords

# yargs, commander, click, clap, cobra: a heading and indented rows; argparse: the choices in the usage line.
_SECTION: Final = re.compile(
    r"^\s*(?:available |sub)?commands:[ \t]*\n(?P<rows>(?:[ \t]+\S[^\n]*(?:\n|\Z)){1,40})", re.IGNORECASE | re.MULTILINE
)
_LINE: Final = re.compile(
    r"^\W*(?:available )?commands:[ \t]+(?P<names>[a-z][\w:-]*(?:, ?[a-z][\w:-]*)+)", re.IGNORECASE | re.MULTILINE
)
_UNLISTED: Final = re.compile(  # click, typer; System.CommandLine
    r"\bmissing command\b|\brequires a (?:sub)?command\b|\brequired command was not provided\b", re.IGNORECASE
)
_ROW: Final = re.compile(
    r"^(?:  ?|\t)(?P<name>[a-z][\w:-]{0,30})(?: [\[<][^\n]{0,40}?)?(?:[ \t]{2,}\S|[ \t]*$)", re.MULTILINE
)
_CHOICES: Final = re.compile(r"usage:[^\n]*\{(?P<names>[a-z][\w-]*(?:,[a-z][\w-]*)+)\}", re.IGNORECASE)
_WANTS_AN_OPTION: Final = re.compile(r"(?:required|missing)[^\n]{0,60}\s['\"`]?--?[a-z]", re.IGNORECASE)
_WRONG: Final = re.compile(r"\b(?:unknown|unrecognized|invalid|no such)\b", re.IGNORECASE)
_NAME: Final = re.compile(r"[a-z][\w:-]{0,30}")
_ABOUT_ITSELF: Final = frozenset({"help", "completion", "completions", "version"})


def missing_command(_words: LastWords, text: str) -> Cause | None:
    """Return the cause when ``text`` is a help that lists commands, or says that one is missing, and none was given."""
    names = [name for name in _listed(text) if name not in _ABOUT_ITSELF]
    if not (names or _UNLISTED.search(text)) or _WANTS_AN_OPTION.search(text) or _WRONG.search(text):
        return None
    likely = next((name for name in ways.SERVES if name in names), "")
    probably = (
        f", probably --arg {likely}" if likely else ": --arg COMMAND; if none of them serves MCP, it is no server"
    )
    return Cause(
        code="missing_arg",
        message="the server needs to be told which of its commands to run"
        + (f": {', '.join(names[:8])}" if names else ""),
        hint=f"give it as the first argument{probably}",
        inputs=COMMAND,
        remedies=(*ways.by_command(names), *ways.by_switch(text)),
    )


def _listed(text: str) -> list[str]:
    choices = _CHOICES.search(text) or _LINE.search(text)
    if choices:
        return re.split(", ?", choices["names"])
    section = _SECTION.search(text)
    if section is None:
        return [row["name"] for row in _ROW.finditer(text)] if _UNLISTED.search(text) else []
    rows = section["rows"].splitlines()
    indent = min(len(row) - len(row.lstrip()) for row in rows)
    heads = (re.split(r"\s{2,}|\t|\s+[\[<]", row.strip())[0] for row in rows if len(row) - len(row.lstrip()) == indent)
    names = (head.split()[-1].split("|")[0].rstrip(":,") for head in heads if len(head.split()) <= 3)
    return [name for name in dict.fromkeys(names) if _NAME.fullmatch(name)]
