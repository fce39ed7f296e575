"""Values a server wanted and was not given: names of variables and arguments read out of its last words. Pure."""

from __future__ import annotations

import re
from typing import Final

from vsm_mcp.model.launch import names_secret
from vsm_mcp.model.trial import Cause
from vsm_mcp.runtime import ways
from vsm_mcp.runtime.last_words import LastWords, mask

_NAME: Final = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
_NAMES: Final = re.compile(rf"(?<![A-Za-z0-9_./-]){_NAME}(?![A-Za-z0-9_])")
# One word in capitals is a variable only where the text says so.
_ONE_WORD: Final = re.compile(
    r"(?:(?i:environment variable|env(?:ironment)? var(?:iable)?)s?|(?<!=)\$|process\.env\.|environ\[|getenv\()"
    r"(?: named| called)?[:\s'\"`({\[]{0,4}(?:export )?"
    r"(?P<name>[A-Z][A-Z0-9_]{1,60})\b"
    r"|(?<![A-Za-z0-9_./-])(?P<before>[A-Z][A-Z0-9_]{1,60})['\"`]? (?i:environment variable|env(?:ironment)? var)"
)
_SHOUTED: Final = re.compile(r"(?<![A-Za-z0-9_./-])[A-Z][A-Z0-9]{2,40}(?![A-Za-z0-9_])")
_NO_VARIABLES: Final = re.compile(
    r"(?:ERR|DEP|UV|SSL|TLS|HTTP|NODE|PYTHON|PYDANTIC|MODULE_NOT|UNABLE_TO|SELF_SIGNED|CERT|INVALID|MISSING|REQUIRED"
    r"|ENOENT|UNDEFINED)_[A-Z_0-9]*|PATH|HOME|USER|LANG|NODE|PYTHONPATH|NODE_PATH|TMPDIR|RUST_BACKTRACE|[A-Z_0-9]*_(?:ERROR|NOT_FOUND|EXCEPTION|REFUSED|FAILED)|MAX_SAFE_INTEGER"
)
_WANTED: Final = re.compile(
    r"\brequired?s?\b|\bmissing\b|\bmust (?:be|have|set|provide|specify|define)|\bnot (?:been )?"
    r"(?:set|defined|provided|specified|configured|found|supplied|given|present|available)\b|\bundefined\b|\bunset\b"
    r"|\bplease (?:set|provide|specify|define|export|configure|supply|add)\b|\b(?:should|have to|needs?|has) (?:to )?"
    r"(?:be )?(?:set|defined|provided)\b|\bno \S+(?: \S+){0,3} (?:provided|set|given|found|configured|specified)\b"
    r"|\b(?:is|are|was|cannot be|can't be|must not be) (?:empty|blank|null|none|unset)\b|\b(?:set|export|define) the\b"
    r"|\bexpected (?:a )?(?:string|number|url|non-empty)|\b(?:isn't|wasn't|aren't) (?:set|defined|provided)\b"
    r"|\b(?:or|either|please|and) pass\b|\binvalid (?:environment|env|config)|\bcould not find\b"
    r"|\b(?:set|define|export) (?:the )?[\"'`$]?(?-i:[A-Z][A-Z0-9]*_[A-Z0-9_]+)\b"
    r"(?!=|[\"'`]? to (?:see|enable|get|debug|disable|silence|suppress|skip|turn|show))"
    r"|\bby setting\b|\bneeds?\b|\bdeclare it as envvar\b"
    r"|環境變數|环境变量|環境変数|환경 ?변수|umgebungsvariable|variables? d['’]environnement|variables? de entorno"
    r"|переменн\w+ окружения"
    r"|\bmust be (?:set|provided)|\bNotPresent\b|environment variable not found|\bcan(?:no|')t read\b",
    re.IGNORECASE,
)
_ENVIRONMENT: Final = re.compile(r"environ|\benv\b|env var|envvar|process\.env|dotenv|\.env\b", re.IGNORECASE)
# What libraries say of a variable without its name.
_SAID_OF_LIBRARIES: Final = {"You must specify a region": "AWS_DEFAULT_REGION"}  # boto
_LIST_ITEM: Final = re.compile(rf"^\s*(?:[-*•·✗✖❌x]\s*|\d+[.)]\s*)?[\"'`]?(?P<name>{_NAME}|[A-Z][A-Z0-9]{{2,40}})\b")
_BULLET: Final = re.compile(r"^\s*(?:[-*•·✗✖❌]|\d{1,2}[.)])\s")
_OF_A_HELP: Final = re.compile(r"\s+--?[a-z][\w-]*[ ,=]")  # the row of an option
_EXAMPLE: Final = re.compile(r"\b(?:e\.g\.|for example|example:)", re.IGNORECASE)
_PYDANTIC_FIELD: Final = re.compile(
    r"^(?P<field>[A-Za-z_][\w.]{0,80})\n\s+(?:Field required|Input should be|Value error|field required|none is not)",
    re.MULTILINE,
)
_PYDANTIC_MODEL: Final = re.compile(r"validation errors? for (?P<name>\w{1,80})")
_ZOD_PATH: Final = re.compile(r"[\"']?path[\"']?:\s*\[(?P<path>[^\]]{0,200})\]")
_ZOD: Final = re.compile(r"ZodError|invalid_type|received.{0,4}undefined|Invalid input: expected", re.IGNORECASE)
_KEY_ERROR: Final = re.compile(r"^['\"](?P<name>[A-Za-z_][\w.-]{0,80})['\"]")

_PYTHON_REQUIRED: Final = re.compile(r"the following arguments are required: (?P<names>[^\n]{1,300})")
_CLAP_REQUIRED: Final = re.compile(
    r"required arguments? (?:were|was) not provided:?\s*\n(?P<names>(?:\s*[<\[-][^\n]{1,200}\n?){1,10})"
)
_OPTION_MISSING: Final = re.compile(
    r"(?:required option|missing (?:required )?(?:option|flag|argument|parameter|positional argument)s?|"
    r"missing required (?:command[- ]line )?(?:argument|option|parameter|flag)s?(?: for)?|required flag\(s\)|"
    r"option [^\n]{0,40}is required|argument missing for|you must (?:provide|specify|pass)|"
    r"(?:provide|specify|pass) (?:either |one of )?(?=--[a-z])|"
    r"not enough (?:non-option )?arguments|at least \d+ arguments?"
    r"|at least one (?=(?:\w+ )?(?:path|directory|file|folder|url|argument) must be"
    r" (?:provided|specified|given|passed)))[:\s]*(?P<rest>[^\n]{0,200})",
    re.IGNORECASE,
)
_FLAG: Final = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]{0,60}\b|(?<![\w-])-[a-zA-Z]\b")
_PLACEHOLDER: Final = re.compile(r"<(?P<name>[A-Za-z][\w .:|/-]{0,60})>|\[(?P<optional>[A-Za-z][\w -]{0,60})\](?!\S)")
_WANTED_FLAG: Final = re.compile(r"(?<![\w\[-])(?P<name>--[a-z][a-z0-9-]{0,60})[ =][A-Z][A-Z0-9_]+\b(?!\])")
_QUOTED: Final = re.compile(r"['\"`](?P<name>[A-Za-z][\w.-]{0,60})['\"`]")
_PROSE_ARGUMENT: Final = re.compile(
    r"(?:please|must|need to|needs?|required?|missing|no|specify|provide|pass|expects?)\b[^\n]{0,80}?"
    r"\b(?:command[- ]line (?:argument|option|flag|parameter)|(?:as|via) (?:an? |the )?(?:first )?arguments?"
    r"|positional argument|cli (?:argument|option|flag))",
    re.IGNORECASE,
)
_PROSE_OBJECT: Final = re.compile(
    r"(?:provide|specify|pass|give|supply|missing|no|requires?|expects?)\s+(?:(?:a|an|the|at least one|your"
    r"|required)\s+)*"
    r"(?P<name>[a-z][a-z0-9]*(?: [a-z0-9]+){0,2}?)(?=\s+(?:as|via|on|in|argument|command|with|provided|specified)"
    r"|[.,:;(]|$)",
    re.IGNORECASE,
)
_ARTICLES: Final = frozenset({"a", "an", "the", "your", "valid", "allowed", "one"})
_PRONOUNS: Final = frozenset({"it", "one", "that", "them", "this"})
_USAGE: Final = re.compile(
    r"^(?:\[?\w{1,12}\]?:? ){0,2}\W{0,4}usage:?\s+(?P<rest>\S[^\n]{0,300})", re.IGNORECASE | re.MULTILINE
)
_SAID_ERROR: Final = re.compile(r"^Error: (?P<what>[^\n]{1,300})", re.MULTILINE)
_OF_CALLING: Final = re.compile(
    r"\b(?:arg(?:ument)?s?|flags?|options?|parameters?|require[ds]?|missing|commands?|accepts|expects?|usage"
    r"|specif(?:y|ied)|provided?|giv(?:e|en)|suppl(?:y|ied)|pass(?:ed)?|too (?:few|many)|not enough|empty|must"
    r"|needs?)\b",
    re.IGNORECASE,
)
_UNKNOWN_OPTION: Final = re.compile(
    r"(?:unrecognized arguments?|unknown (?:option|argument|flag|command)s?|no such (?:option|command)|unexpected "
    r"argument|invalid (?:option|choice)|got unexpected extra argument|too many (?:positional )?arguments"
    r"|flag provided but not defined)[:\s(]*(?P<rest>[^\n]{0,160})",
    re.IGNORECASE,
)


def missing_variables(words: LastWords, text: str) -> Cause | None:
    """Return the cause when ``text`` (a part of ``words``) says that environment variables are not given."""
    names = _from_key_error(words, text) or _from_settings(words, text) or _from_zod(text) or _from_prose(text)
    names = names or tuple(name for said, name in _SAID_OF_LIBRARIES.items() if said in text)
    if not names:
        return None
    secret = any(names_secret(name) for name in names)
    given = " ".join(f"--secret {name}" if names_secret(name) else f"--env {name}=…" for name in names[:6])
    where = "; --secret asks for the value without showing it" if secret else ""
    word = "variable" if len(names) == 1 else "variables"
    return Cause(
        code="missing_env",
        message=f"the server needs the environment {word} {', '.join(names)}, which nobody gave",
        hint=f"give {given}{where}" + (_either(names, text)),
        inputs=names,
    )


def _either(names: tuple[str, ...], text: str) -> str:
    if len(names) > 1 and re.search(r"\b(?:either|or|one of|at least one)\b", text, re.IGNORECASE):
        return " (one of them may be enough)"
    return ""


def _from_key_error(words: LastWords, text: str) -> tuple[str, ...]:
    """Python: ``KeyError: 'X'`` out of ``os.environ``, or of a name that can only be a variable's."""
    if words.type != "KeyError":
        return ()
    found = _KEY_ERROR.match(words.message)
    if not found or found["name"] not in text:
        return ()
    last = words.frames[-1] if words.frames else None
    environ = bool((last and last.file == "<frozen os>") or (last and last.file.endswith("/os.py")))
    name = found["name"]
    if environ or re.search(r"environ\s*\[|getenv", words.text) or re.fullmatch(_NAME, name):
        return (name,)
    return ()


def _from_settings(words: LastWords, text: str) -> tuple[str, ...]:
    """pydantic-settings: the fields without a value, by the upper-case names they are read from."""
    model = _PYDANTIC_MODEL.search(text)
    if model is None or model["name"].endswith(("Request", "Notification", "Message", "Arguments", "Params")):
        return ()
    wrapped = _PYDANTIC_MODEL.search(words.message) is not None  # raised again by the server, with the whole text
    if not wrapped and words.type not in {"ValidationError", "SettingsError", ""}:
        return ()
    fields = [match["field"].rpartition(".")[2] for match in _PYDANTIC_FIELD.finditer(text, model.end())]
    return _distinct([name.upper() for name in fields])


def _from_zod(text: str) -> tuple[str, ...]:
    if not _ZOD.search(text):
        return ()
    names: list[str] = []
    for match in _ZOD_PATH.finditer(text):
        parts = re.findall(r"[\"']([A-Za-z_][\w.-]{0,80})[\"']", match["path"])
        if parts:
            names.append(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", parts[-1]).replace("-", "_").upper())
    return _distinct(names)


def _from_prose(text: str) -> tuple[str, ...]:
    names: list[str] = []
    listing = False
    for line in text.split("\n"):
        if line.lstrip().startswith(("at ", "File ")) or _EXAMPLE.search(line) or _OF_A_HELP.match(line):
            continue
        if listing and (_LIST_ITEM.match(line) or _BULLET.match(line)):
            item = _LIST_ITEM.match(line)
            names += [item["name"]] if item else _names_in(line)
            continue
        listing = False
        if not _WANTED.search(line):
            continue
        names += _names_in(line)
        listing = line.rstrip().endswith((":", "{", "[")) or (not _names_in(line) and bool(_ENVIRONMENT.search(line)))
    return _distinct([name for name in names if not _NO_VARIABLES.fullmatch(name)])


def _names_in(line: str) -> list[str]:
    found = _NAMES.findall(line)
    found += [match["name"] or match["before"] for match in _ONE_WORD.finditer(line)]
    if not found and _ENVIRONMENT.search(line):
        found = [name for name in _SHOUTED.findall(line) if name not in _PLAIN_CAPITALS]
    return found


_PLAIN_CAPITALS: Final = frozenset(
    [
        "API",
        "URL",
        "URI",
        "HTTP",
        "HTTPS",
        "JSON",
        "MCP",
        "ERROR",
        "FATAL",
        "INFO",
        "WARN",
        "WARNING",
        "DEBUG",
        "SQL",
        "AWS",
        "GCP",
        "SSH",
        "SSL",
        "TLS",
        "CLI",
        "ENV",
        "SDK",
        "OS",
        "ID",
        "IDE",
        "LLM",
        "AI",
        "NPM",
        "NOT",
        "AND",
        "ALL",
        "ANY",
        "THE",
        "MUST",
        "PORT",
        "HOST",
        "STDIO",
        "SSE",
        "REST",
        "DNS",
        "TCP",
        "UTF",
        "NODE",
        "REQUIRED",
        "MISSING",
        "USAGE",
    ]
)


def _distinct(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))[:12]


def missing_arguments(_words: LastWords, text: str) -> Cause | None:
    """Return the cause when ``text`` says that arguments are not given."""
    names = _argument_names(text)
    if names is None:
        return None
    flags = [name for name in names if name.startswith("-")]
    shown = ", ".join(names) or "an argument"
    given = " ".join(f"--arg={name} --arg VALUE" for name in flags[:4]) or "--arg VALUE"
    usage = _USAGE.search(text)
    hint = f"give {given}" + (f"; its usage: {mask(usage['rest'].strip())[:200]}" if usage else "")
    return Cause(
        code="missing_arg",
        message=f"the server needs {shown} on its command line, which nobody gave",
        hint=hint,
        inputs=tuple(names),
        remedies=ways.by_switch(text),
    )


def _argument_names(text: str) -> list[str] | None:
    found = _PYTHON_REQUIRED.search(text)
    if found:
        return [part.strip().split("/")[0].split(" ")[0] for part in found["names"].split(",") if part.strip()][:6]
    found = _CLAP_REQUIRED.search(text)
    if found:
        return [_first_name(line) for line in found["names"].splitlines() if line.strip()][:6]
    found = _OPTION_MISSING.search(text)
    if found:
        name = _first_name(found[0], found["rest"]) if found["rest"].strip() or _FLAG.search(found[0]) else ""
        return [name] if name else [_usage_name(text)] if _usage_name(text) else []
    if _PROSE_ARGUMENT.search(text):
        said = _PROSE_OBJECT.search(text)
        return [said["name"].strip()] if said and said["name"].strip().lower() not in _PRONOUNS else []
    name = "" if _other_error(text) else _usage_name(text)
    return [name] if name else None


def _other_error(text: str) -> bool:
    """Whether a text has an error that is not about how it is called: some print their usage with any."""
    said = _SAID_ERROR.search(text)
    return said is not None and not _OF_CALLING.search(said["what"])


def _first_name(text: str, rest: str = "") -> str:
    """Return the flag, placeholder or quoted name in a text; else the first word that names something, of its rest."""
    for pattern in (_FLAG, _PLACEHOLDER, _QUOTED):
        found = pattern.search(text)
        if found:
            return (found.groupdict().get("name") or found.groupdict().get("optional") or found[0]).strip()
    words = re.findall(r"[A-Za-z][\w-]*", (rest or text).rpartition(":")[2])
    return next((word for word in words if word.lower() not in _ARTICLES), "")


def _usage_name(text: str) -> str:
    """Return the first argument in a usage line that stands outside of an optional flag."""
    usage = _USAGE.search(text)
    rest = re.sub(r"\[-[^\]]*\]", "", usage["rest"]) if usage else ""
    found = _PLACEHOLDER.search(rest)
    if found:
        return (found["name"] or found["optional"] or "").strip()
    wanted = _WANTED_FLAG.search(rest)
    return wanted["name"] if wanted else ""


def unknown_arguments(_words: LastWords, text: str) -> Cause | None:
    """Return the cause when ``text`` says that an argument given is not one the server knows."""
    found = _UNKNOWN_OPTION.search(text)
    if not found:
        return None
    usage = _USAGE.search(text)
    return Cause(
        code="bad_arg",
        message=f"the server does not accept an argument it was given: {mask(found[0].strip())[:160]}",
        hint="mend or drop that --arg" + (f"; its usage: {mask(usage['rest'].strip())[:200]}" if usage else ""),
    )
