"""The rules of the check ``tool_text``: what each finds, and how grave that is."""

from __future__ import annotations

from typing import Final

from vsm_mcp.model.finding import Severity
from vsm_mcp.vetting.check import Rule

_BLOCK: Final = Severity.BLOCK
_REVIEW: Final = Severity.REVIEW

HIDDEN: Final = Rule("text.hidden_characters", _BLOCK, "holds zero-width, bidi, tag, ANSI or control characters")
CONTROL: Final = Rule(
    "text.control_characters", _REVIEW, "holds a few control characters, as a mistaken escape leaves them"
)
BLANK_RUN: Final = Rule("text.blank_run", _BLOCK, "pushes text out of sight with a run of 80 blanks or more")
LETTER_SPACED: Final = Rule("text.letter_spaced", _BLOCK, "spells text out letter by letter to hide it")
ENCODED: Final = Rule("text.encoded", _REVIEW, "holds an encoded passage that decodes to words")
MIXED_SCRIPT: Final = Rule(
    "text.mixed_script", _BLOCK, "writes words with look-alike letters of another script or width"
)
FOREIGN_TOOL: Final = Rule("text.foreign_tool", _REVIEW, "names a tool of another server of this home")
FOREIGN_ORDER: Final = Rule("text.foreign_order", _BLOCK, "says when or how a tool of another server is to be used")
READ_ONLY_CLAIM: Final = Rule(
    "text.read_only_claim", _REVIEW, "is annotated as read-only although its name says that it changes things"
)
UNREADABLE: Final = Rule("text.unreadable", _REVIEW, "cannot be read as JSON, or is too deep or too long to judge")
EXFIL_PARAMETER: Final = Rule(
    "text.exfil_parameter", _BLOCK, "has a parameter that asks for the conversation, the prompt or the model"
)
SEVERAL: Final = Rule(
    "text.several_signs",
    _BLOCK,
    "shows two or more of the signs that each ask for a look, one of them meant for the model",
)
MANY_HINTS: Final = Rule(
    "text.many_hints", _REVIEW, "holds many weak hints close together that none of the others names"
)

# Found by what families of words come to together: vetting/data/compositions.toml.
COMPOSED: Final = (
    Rule("text.override", _BLOCK, "tells the model to ignore or replace its instructions or safety rules"),
    Rule("text.concealed_act", _BLOCK, "asks for something to be done or taken along and hidden from the person"),
    Rule("text.harvest", _BLOCK, "asks for secrets, private files or the conversation to be collected or sent on"),
    EXFIL_PARAMETER,
    Rule("text.foreign_change", _BLOCK, "changes what other tools are called with or what they answer"),
    Rule("text.commanding_tag", _BLOCK, "holds an order in a tag or comment that poses as the system's or hides it"),
    Rule("text.forced_choice", _BLOCK, "praises itself or runs others down, and orders to be chosen before them"),
    Rule("text.unasked_command", _BLOCK, "has the model run a command that fetches, hides or takes something"),
    Rule("text.hostile_purpose", _BLOCK, "openly offers theft, extortion or malware"),
    Rule("text.private_request", _REVIEW, "asks for the conversation, the model's instructions or secrets"),
    Rule("text.pseudo_tag", _REVIEW, "holds a tag or comment that poses as an instruction to the model"),
    Rule("text.command", _REVIEW, "holds a shell command or code for the model to run"),
    Rule("text.conceal", _REVIEW, "asks to hide something from the person"),
    Rule("text.sensitive_place", _REVIEW, "names a place where keys or passwords lie, and something to do with it"),
    Rule("text.consent", _REVIEW, "leaves the person's agreement out"),
    Rule("text.unguarded", _REVIEW, "has what protects the person or the machine switched off or ignored"),
    Rule("text.preference", _REVIEW, "praises itself, runs others down, or asks to be preferred over other tools"),
    Rule("text.ordering", _REVIEW, "asks to be called before or after everything else, or in every turn"),
    Rule("text.pressure", _REVIEW, "threatens, or urges to hand something over"),
    Rule("text.trigger", _REVIEW, "announces to act otherwise later or when nobody looks"),
    Rule("text.steered_reply", _REVIEW, "steers what the model tells the person"),
    Rule("text.send_on", _REVIEW, "says that data goes to third parties or is kept elsewhere"),
    Rule("text.changed_result", _REVIEW, "asks to change what is sent, or what a tool answered"),
    Rule("text.harmful_purpose", _REVIEW, "openly offers an attack on somebody"),
    MANY_HINTS,
)  # fmt: skip
RULES: Final = (
    HIDDEN, CONTROL, BLANK_RUN, LETTER_SPACED, ENCODED, MIXED_SCRIPT, FOREIGN_TOOL, FOREIGN_ORDER, READ_ONLY_CLAIM,
    UNREADABLE, *COMPOSED, SEVERAL,
)  # fmt: skip
BY_ID: Final = {rule.id: rule for rule in RULES}

# Signs of what a tool deals in, not of whom it speaks to: among themselves they only ask for a look. What is openly
# offered and what only weighs together count for nothing here.
_OF_SUBJECT: Final = frozenset({"text.command", "text.sensitive_place"})
# Signs of how an answer is to be given: honest texts that insist show several, so among themselves they only ask for a
# look, too.
_OF_MANNER: Final = frozenset({"text.conceal", "text.pressure", "text.steered_reply"})
_UNCOUNTED: Final = frozenset({"text.harmful_purpose", "text.many_hints"})
_SIGNS: Final = frozenset(rule.id for rule in COMPOSED if rule.severity is _REVIEW) - _UNCOUNTED


def several(found: frozenset[str]) -> bool:
    """Whether the rules (ids) found in one definition amount to a block: two signs, one of them for the model.

    One has to be of more than the manner of an answer.
    """
    signs = found & _SIGNS
    return len(signs) >= 2 and bool(signs - _OF_SUBJECT) and bool(signs - _OF_MANNER)
