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

    Elsewhere the first error is the answer: it names the option that gives the value. What a person says of one
    candidate for a need is said of that one: no other is tried with it.
    """
    for _ in range(_ROUNDS):
        try:
            document = session.run(operation, **params)
        except OperationFailed as failure:
            wants = params.get("wants", {})
            if not wants.get("asks") or not failure.document.get("inputs"):
                raise
            given = _given(failure.document, params)
            params["wants"] = wants | {"asks": False, "ref": failure.document["ref"] if given else ""}
            continue
        reason = document.get("reason") or {}
        if not session.interactive or document["outcome"] == "served":
            return document
        if not _asked(reason, params, document.get("plan")):
            return document
        if operation == "acquire":
            params["wants"] |= {"asks": False, "ref": document["ref"]}
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
    return problem.get("code") == "missing_value" and _given(problem, params)


def _given(problem: dict[str, Any], params: dict[str, Any]) -> bool:
    """Ask for the values that ``problem`` names and put them into ``params``; say whether all were given.

    For a candidate that others can take the place of, none has to be.
    """
    inputs, optional = problem.get("inputs", []), bool(params.get("wants", {}).get("asks"))
    output.note(problem["message"], style="bold")
    if optional:
        output.note("  enter nothing to go on with the next candidate", style="")
    values = []
    for item in inputs:
        label = f"{item['name']}" + (f" ({item['purpose']})" if item["purpose"] else "")
        values.append(_asked_for(output.clean(label), item["kind"], optional=optional))
        if not values[-1]:
            return False
    settings = params["settings"]
    for item, value in zip(inputs, values, strict=True):
        if item["kind"] == "arg":
            settings["args"] += [item["name"], value] if item["name"].startswith("-") else [value]
        else:
            settings["secrets" if item["kind"] == "secret" else "env"][item["name"]] = value
    return bool(inputs)


def _asked_for(label: str, kind: str, *, optional: bool) -> str:
    default = "" if optional else None
    value: str = click.prompt(label, hide_input=kind == "secret", err=True, default=default, show_default=False)
    return value


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
