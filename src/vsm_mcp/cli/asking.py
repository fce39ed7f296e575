"""Runs an admission and asks a person, on a terminal, for what it turns out to need."""

from __future__ import annotations

from typing import Any

import click

from vsm_mcp.cli import output
from vsm_mcp.cli.plan_text import plan_lines
from vsm_mcp.cli.session import OperationFailed, Session, exit_code

_ROUNDS = 5


def admit(session: Session, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Run ``add`` or ``acquire``; on a terminal, ask for missing values and for leave, then go on.

    Elsewhere the first error is the answer: it names the option that gives the value.
    """
    for _ in range(_ROUNDS):
        try:
            document = session.run(operation, **params)
        except OperationFailed as failure:
            if not session.interactive or not _asked(failure.document, params):
                raise
            continue
        reason = document.get("reason") or {}
        if not session.interactive or document["outcome"] == "served":
            return document
        if not _asked(reason, params, document.get("plan")):
            return document
    return document


def _asked(problem: dict[str, Any], params: dict[str, Any], plan: dict[str, Any] | None = None) -> bool:
    """Ask for what ``problem`` names and put it into ``params``; say whether anything was given.

    ``plan`` is what the server would get: whoever says yes says it to that.
    """
    if problem.get("code") == "approval_needed":
        output.note(problem["message"], style="bold")
        for line in plan_lines(plan) if plan else ():
            output.note(f"  {line}", style="")
        params["yes"] = click.confirm("go on?", default=False, err=True)
        return bool(params["yes"])
    inputs = problem.get("inputs", [])
    if problem.get("code") != "missing_value" or not inputs:
        return False
    output.note(problem["message"], style="bold")
    settings = params["settings"]
    for item in inputs:
        label = f"{item['name']}" + (f" ({item['purpose']})" if item["purpose"] else "")
        value = click.prompt(output.clean(label), hide_input=item["kind"] == "secret", err=True)
        if item["kind"] == "secret":
            settings["secrets"][item["name"]] = value
        elif item["kind"] == "env":
            settings["env"][item["name"]] = value
        else:
            settings["args"] += [item["name"], value] if item["name"].startswith("-") else [value]
    return True


def show_outcome(session: Session, document: dict[str, Any]) -> int:
    """Print the outcome of an admission and return the exit code."""
    session.show(document, _human)
    if document["outcome"] == "served":
        return 0
    if document["outcome"] in ("quarantined", "rejected"):
        return 3
    return exit_code(str((document.get("reason") or {}).get("code", "")))


def _human(document: dict[str, Any]) -> None:
    if document["outcome"] == "served":
        held = f", sandbox tier {document['tier']}" if document["tier"] else ""
        output.one_line(f"{document['server']}: served ({document['ref']}{held})", style="green")
        output.one_line(f"  tools: {output.some(document['tools'])}")
        for warning in document.get("warnings", ()):
            output.one_line(f"  note: {warning}", style="yellow")
    else:
        reason = document.get("reason") or {}
        output.one_line(f"{document['ref'] or 'nothing'}: {document['outcome']}", style="red")
        output.one_line(f"  {reason.get('message', '')}")
        if reason.get("hint"):
            output.one_line(f"  hint: {reason['hint']}")
    output.one_line(f"  evidence: {document['evidence']} (vsm-mcp evidence {document['evidence']})")
