"""What calling an item may do, and where that is known from."""

from __future__ import annotations

from vsm_mcp.model.behaviour import Behaviour
from vsm_mcp.model.capability import Effect, Effects, Known
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.routing.effects import Seen, effects_of, seen_of

QUIET = Seen()


def test_nobody_says_anything() -> None:
    assert effects_of(ItemKind.TOOL, None, QUIET) == Effects()
    assert effects_of(ItemKind.TOOL, {"readOnlyHint": "yes", "title": "x"}, QUIET) == Effects()
    assert Effects().destructive == Effect(True, Known.NOTHING)


def test_annotations_count() -> None:
    found = effects_of(ItemKind.TOOL, {"destructiveHint": False, "idempotentHint": True}, QUIET)
    assert found.destructive == Effect(False, Known.ANNOTATION)
    assert found.idempotent == Effect(True, Known.ANNOTATION)
    assert found.open_world == Effect(True, Known.NOTHING)


def test_what_only_reads_is_harmless_and_repeatable() -> None:
    found = effects_of(ItemKind.TOOL, {"readOnlyHint": True, "destructiveHint": True, "openWorldHint": False}, QUIET)
    assert found.destructive == Effect(False, Known.ANNOTATION)
    assert found.idempotent == Effect(True, Known.ANNOTATION)
    assert found.open_world == Effect(False, Known.ANNOTATION)


def test_what_the_trial_saw_counts_more_than_what_is_said() -> None:
    told = {"readOnlyHint": True, "openWorldHint": False}
    assert effects_of(ItemKind.TOOL, told, Seen(reached=True)).open_world == Effect(True, Known.TRIAL)
    assert effects_of(ItemKind.TOOL, told, Seen(caught=True)) == Effects()


def test_files_written_in_the_trial_are_laid_to_the_tools_that_write() -> None:
    assert effects_of(ItemKind.TOOL, None, Seen(wrote=True), writes=True).read_only == Effect(False, Known.TRIAL)
    assert effects_of(ItemKind.TOOL, None, Seen(wrote=True)).read_only == Effect(False, Known.NOTHING)


def test_resources_and_prompts_are_only_read() -> None:
    for kind in (ItemKind.RESOURCE, ItemKind.TEMPLATE, ItemKind.PROMPT):
        found = effects_of(kind, {"readOnlyHint": False}, QUIET)
        assert found.read_only == Effect(True, Known.PROTOCOL)
        assert found.destructive == Effect(False, Known.PROTOCOL)


def test_what_is_taken_from_a_behaviour() -> None:
    assert seen_of(None) == QUIET
    assert seen_of(None, contacts=True) == Seen(reached=True)
    assert seen_of(Behaviour(names=("example.com",))).reached
    assert seen_of(Behaviour(writes=("/x",))) == Seen(wrote=True)
    assert seen_of(Behaviour(sought=("/root/.ssh",))).caught
    assert seen_of(Behaviour(decoys=("/root/.env",))).caught
    assert seen_of(Behaviour(outside=("/root/.cache",))) == QUIET  # many try, and mean no harm
