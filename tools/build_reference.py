"""Writes docs/reference/{settings,commands,events,errors,metrics,evidence}.md from the code; ``--check`` compares."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import click
import msgspec

import vsm_mcp
from vsm_mcp import cli, config, errors, events
from vsm_mcp.model import evidence
from vsm_mcp.web import metrics
from vsm_mcp.web.families import Kind

FOLDER = Path("docs/reference")
NOTE = "<!-- Written by tools/build_reference.py from the code; change it there. -->\n"


def settings() -> str:
    """Return the page of all settings."""
    lines = ["# Settings", "", NOTE, inspect.getdoc(config) or "", ""]
    named = {f"{section}.NAME": kind for section, kind in config.NAMED.items()}
    for section, kind in {**config.SECTIONS, **named}.items():
        lines += _section(section, kind)
    return "\n".join(lines)


def _section(section: str, kind: type[msgspec.Struct]) -> list[str]:
    lines = [f"## [{section}]", "", (inspect.getdoc(kind) or "").split(": ", 1)[-1], ""]
    lines += ["| field | variable | default | meaning |", "|---|---|---|---|"]
    hints = get_type_hints(kind, include_extras=True)
    below = []
    for field in msgspec.structs.fields(kind):
        if config.below(hints[field.name]):
            below += _section(f"{section}.{field.name}", hints[field.name])
            continue
        variable = config.variable(section, field.name)
        lines.append(f"| `{field.name}` | `{variable}` | {_shown(field.default)} | {_meaning(hints[field.name])} |")
    return [*lines, "", *below]


def _shown(value: Any) -> str:
    if value is msgspec.NODEFAULT:  # made anew each time, which only an empty table is
        return "`{}`"
    if value is None or value == "":
        return "not set"
    items = ", ".join(f'"{item}"' for item in value) if isinstance(value, tuple) else ""
    return f"`[{items}]`" if isinstance(value, tuple) else f"`{value}`"


def _meaning(hint: Any) -> str:
    if get_origin(hint) is not Annotated:
        raise SystemExit(f"a setting has no description: {hint}")
    return str(get_args(hint)[1].description)


def commands() -> str:
    """Return the page of all commands with their options."""
    lines = ["# Commands", "", NOTE, inspect.getdoc(cli) or "", ""]
    context = click.Context(cli.main, info_name="vsm-mcp")
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        if command is None:
            raise SystemExit(f"the command {name} cannot be loaded")
        lines += _command(command, name)
        for below, part in command.commands.items() if isinstance(command, click.Group) else ():
            lines += _command(part, f"{name} {below}")
    return "\n".join(lines)


def _command(command: click.Command, name: str) -> list[str]:
    context = click.Context(command, info_name=f"vsm-mcp {name}", max_content_width=110, terminal_width=110)
    return [f"## {name}", "", "```text", command.get_help(context), "```", ""]


def event_page() -> str:
    """Return the page of all events."""
    lines = ["# Events", "", NOTE, inspect.getdoc(events) or "", "", "| event | fields | meaning |", "|---|---|---|"]
    for kind in _below(events.Event):
        fields = ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(kind))
        lines.append(f"| `{kind.__name__}` | {fields} | {_one_line(kind)} |")
    return "\n".join([*lines, ""])


def error_page() -> str:
    """Return the page of all errors, those of every module among them: which are loaded already is chance."""
    for module in walk_packages(vsm_mcp.__path__, "vsm_mcp."):
        import_module(module.name)
    lines = [
        "# Errors",
        "",
        NOTE,
        "Every error has a code, a message, a hint and says whether the same request may",
        "",
    ]
    lines[-2] += " succeed later."
    lines += [
        "| code | class | exit code | retryable | meaning | hint where no better one is known |",
        "|---|---|---|---|---|---|",
    ]
    public = (kind for kind in _below(errors.VsmError) if not kind.__name__.startswith("_"))
    kinds: list[type[errors.VsmError]] = [errors.VsmError, *public]
    for kind in kinds:
        retryable = "yes" if kind.retryable else "no"
        cells = (f"`{kind.code}`", f"`{kind.__name__}`", kind.exit_code, retryable, _one_line(kind), kind.remedy)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join([*lines, ""])


def metric_page() -> str:
    """Return the page of all metrics."""
    lines = ["# Metrics", "", NOTE, (inspect.getdoc(metrics) or "").split("\n\n", 1)[-1], ""]
    lines += ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in metrics.METRICS:
        name = f"{metric.name}_total" if metric.kind is Kind.COUNTER else metric.name
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{name}` | {metric.kind.value} | {labels} | {metric.help} |")
    return "\n".join([*lines, ""])


def evidence_page() -> str:
    """Return the page of what the records of evidence hold."""
    lines = ["# Evidence", "", NOTE, (inspect.getdoc(evidence) or "").replace("``", "`"), ""]
    lines += ["| kind | what it says |", "|---|---|"]
    lines += [f"| `{kind}` | {meaning} |" for kind, meaning in evidence.KINDS.items()]
    return "\n".join([*lines, ""]).replace(":data:`KINDS`", "the kinds below")


def _below(kind: type[Any]) -> Iterator[type[Any]]:
    for child in sorted(
        kind.__subclasses__(), key=lambda child: (child.__module__ != errors.__name__, child.__module__)
    ):
        yield child
        yield from _below(child)


def _one_line(kind: type[Any]) -> str:
    return (inspect.getdoc(kind) or "").split("\n\n", 1)[0].replace("\n", " ").replace("|", "\\|")


def main() -> int:
    """Write the pages, or with ``--check`` say which ones differ."""
    pages = {"settings": settings(), "commands": commands(), "events": event_page(), "errors": error_page()}
    pages |= {"metrics": metric_page(), "evidence": evidence_page()}
    stale = []
    for name, page in pages.items():
        path = FOLDER / f"{name}.md"
        text = "\n".join(line.rstrip() for line in page.splitlines()).rstrip() + "\n"
        if not path.exists() or path.read_text("utf-8") != text:
            stale.append(str(path))
            if "--check" not in sys.argv:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, "utf-8")
    if "--check" in sys.argv and stale:
        print(f"differs from the code: {', '.join(stale)}; run tools/build_reference.py")
        return 1
    print("reference: written" if stale else "reference: as the code says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
