"""Every error raised on purpose, in one tree.

::

    VsmError
    ├── UsageError              the caller asked for something malformed (exit code 2)
    │   ├── BadReference        a REF that cannot be read
    │   ├── BadArgument         an option or tool argument that cannot be read
    │   └── MissingValue        a server needs a value (argument, variable, secret) that nobody gave
    ├── ConfigError             vsm-mcp.toml or the environment holds something unusable (exit code 2)
    ├── Refused                 policy or vetting said no (exit code 3)
    │   ├── PolicyDenied
    │   ├── ApprovalNeeded      policy wants a person to agree first
    │   ├── VettingRejected
    │   ├── ItemFrozen          it differs from what was approved, and nobody has approved it as it is now
    │   ├── LockMismatch        what was installed, or what it offers, is not what was locked
    │   └── SandboxUnavailable  the isolation the policy asks for cannot be had here
    ├── NotFound                nothing matches (exit code 4)
    │   ├── NothingFound        no candidate meets the need
    │   ├── UnknownPackage      the registry does not know the package or the version
    │   ├── UnknownServer       no server of that name in the catalogue
    │   ├── NoEarlierVersion    no version of it is kept to go back to
    │   ├── UnknownTool         no tool of that name
    │   ├── UnknownProfile      no profile of that name
    │   ├── UnknownPermissions  no permission profile of that name
    │   ├── UnknownKey          no key of access of that name
    │   └── UnknownKit          no kit of that name
    ├── Unreachable             something that should answer does not (exit code 5)
    │   ├── RegistryUnavailable
    │   ├── SourceUnavailable   a source of candidates does not answer, or answers rubbish
    │   ├── TransportError      a connection to a server broke or never came up
    │   │   ├── HttpRefused     an HTTP server answered with a status that will not change by trying again
    │   │   │   └── LoginNeeded a server wants a person to agree that we call it
    │   │   └── Throttled       an HTTP server wants to be asked less often
    │   ├── RequestTimeout      a server did not answer one request in time
    │   ├── ServerDown          a server is not running, and why
    │   └── Overloaded          everything that could answer is busy
    ├── ProtocolError           a server said something that is not MCP
    │   └── RpcError            a server answered with a JSON-RPC error
    ├── TaskFailed              a task at a server ended without a result, or was lost
    ├── InstallFailed           an installation could not be made
    ├── TrialFailed             a server did not pass its trial
    ├── Unsuited                none of the tools of a server plainly does what is needed
    ├── HomeError               the home directory cannot be used (not writable, disk full)
    │   └── HomeBusy            another process works on this home
    └── StoreError              the database cannot be read or written

Each carries ``code`` (stable, machine-readable), ``retryable`` (whether the same request may succeed later) and
``hint`` (what the reader can do about it). Errors of libraries are mapped into this tree once, at the edge that
meets the world, and out of it once, at each front (command line, MCP, control API).
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple


class VsmError(Exception):
    """Root of all errors raised on purpose.

    ``message`` says what happened; ``hint`` what to do about it: the one given, else the class's ``remedy``. Neither
    ever holds a secret. ``unsent`` says of a failed request that nothing of it can have reached the server.
    """

    code: ClassVar[str] = "error"
    remedy: ClassVar[str] = "vsm-mcp doctor looks at this machine, vsm-mcp journal at what was done"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1
    unsent: bool = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.remedy


class UsageError(VsmError):
    """The caller asked for something malformed."""

    code = "usage"
    remedy = "vsm-mcp --help and docs/reference/commands.md show what is accepted"
    exit_code = 2


class BadReference(UsageError):
    """A reference to a server (REF) that cannot be read."""

    code = "bad_reference"
    remedy = 'write npm:NAME[@VERSION], pypi:NAME[==VERSION], https://HOST/PATH (wss://, tcp://) or cmd:"PROGRAM ARGS"'


class BadArgument(UsageError):
    """An option or a tool argument that cannot be read."""

    code = "bad_argument"
    remedy = "vsm-mcp tools NAME shows a tool; arguments are key=value or --args JSON"


class MissingInput(NamedTuple):
    """One value a server needs: ``kind`` is ``arg``, ``env`` or ``secret``; ``purpose`` says what it is for."""

    kind: str
    name: str
    purpose: str


class MissingValue(UsageError):
    """A server needs values that nobody gave; ``values`` names them."""

    code = "missing_value"
    remedy = "give it with --arg, --env or --secret"

    def __init__(self, message: str, hint: str = "", values: tuple[MissingInput, ...] = ()) -> None:
        super().__init__(message, hint)
        self.values = values


class ConfigError(VsmError):
    """The settings hold something unusable; the message names the field."""

    code = "config"
    remedy = "docs/reference/settings.md lists every setting; mend it in vsm-mcp.toml or the environment"
    exit_code = 2


class Refused(VsmError):
    """Policy or vetting said no."""

    code = "refused"
    remedy = "vsm-mcp evidence and vsm-mcp journal say what was seen and by which rule"
    exit_code = 3


class PolicyDenied(Refused):
    """A rule of the policy forbids it; the message names the rule."""

    code = "policy_denied"
    remedy = "the rule is in [policy] of vsm-mcp.toml"


class ApprovalNeeded(Refused):
    """The policy wants a person to agree first, or the server ``ref`` (of a need) to get ``values`` from one."""

    code = "approval_needed"
    remedy = "agree with --yes, or set [policy] autonomy"
    ref = ""
    values: tuple[MissingInput, ...] = ()


class VettingRejected(Refused):
    """A check found something that blocks admission."""

    code = "vetting_rejected"
    remedy = "vsm-mcp evidence shows what each check saw"


class ItemFrozen(Refused):
    """A tool, prompt or resource differs from what was approved, and nobody has approved it as it is now."""

    code = "item_frozen"
    remedy = "look at it: vsm-mcp inspect NAME; then vsm-mcp approve NAME, rollback NAME or remove NAME"


class LockMismatch(Refused):
    """What was installed, or what it offers, is not what the lock holds."""

    code = "lock_mismatch"
    remedy = "look at the difference; if it is wanted, add the server by hand and write a new lock"


class SandboxUnavailable(Refused):
    """The isolation that the policy asks for cannot be had on this machine."""

    code = "sandbox_unavailable"
    remedy = "vsm-mcp doctor says what is missing; --allow-unsandboxed does without any isolation"


class NotFound(VsmError):
    """Nothing matches."""

    code = "not_found"
    remedy = "look at the spelling; vsm-mcp list, tools and search show what there is"
    exit_code = 4


class NothingFound(NotFound):
    """No candidate meets the need."""

    code = "nothing_found"
    remedy = "say it in other words, or name one: vsm-mcp add REF"


class UnknownPackage(NotFound):
    """The registry does not know the package, or not that version of it."""

    code = "unknown_package"
    remedy = "look at the spelling and the version; vsm-mcp search finds packages by what they do"


class UnknownServer(NotFound):
    """No server of that name is in the catalogue."""

    code = "unknown_server"
    remedy = "vsm-mcp list shows the servers"


class NoEarlierVersion(NotFound):
    """No version of a server is kept that it could go back to."""

    code = "no_earlier_version"
    remedy = "vsm-mcp upgrade NAME --to VERSION installs another one"


class UnknownTool(NotFound):
    """No tool of that name is served."""

    code = "unknown_tool"
    remedy = "vsm-mcp tools shows the tools"


class UnknownProfile(NotFound):
    """No profile of that name is in the settings."""

    code = "unknown_profile"
    remedy = "vsm-mcp status shows the profiles; [profiles.NAME] in vsm-mcp.toml makes one"


class UnknownPermissions(NotFound):
    """No permission profile of that name is built in or in the settings."""

    code = "unknown_permissions"
    remedy = "none, read-only, project and browser are built in; [permissions.NAME] in vsm-mcp.toml makes another"


class UnknownKey(NotFound):
    """No key of access has that name."""

    code = "unknown_key"
    remedy = "vsm-mcp key list shows the keys"


class UnknownKit(NotFound):
    """No kit of that name."""

    code = "unknown_kit"
    remedy = "vsm-mcp kit list shows the kits"


class Unreachable(VsmError):
    """Something that should answer does not."""

    code = "unreachable"
    remedy = "try again in a while"
    retryable = True
    exit_code = 5


class RegistryUnavailable(Unreachable):
    """A package registry does not answer, or answers rubbish."""

    code = "registry_unavailable"
    remedy = "look at the network and the registry settings of npm, pip and uv; then try again"


class SourceUnavailable(Unreachable):
    """A source of candidates does not answer, or answers rubbish."""

    code = "source_unavailable"
    remedy = "vsm-mcp doctor asks every source; the others go on without it"


class TransportError(Unreachable):
    """A connection to a server broke or never came up."""

    code = "transport"
    remedy = "vsm-mcp inspect NAME shows its state and last words; try again"


class HttpRefused(TransportError):
    """An HTTP server answered with ``status`` (4xx) instead of a message; trying again will not change it."""

    code = "http_refused"
    remedy = "look at the address and at the key it wants"
    retryable = False

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.status = status


class LoginNeeded(HttpRefused):
    """A server wants a person to authorize what we do there, by OAuth."""

    code = "login_needed"
    remedy = "vsm-mcp login NAME"


class Throttled(TransportError):
    """An HTTP server wants to be asked less often (429), ``after`` so many seconds, where it said so (else 0)."""

    code = "throttled"
    remedy = "wait before you ask again"
    after: float = 0.0


class RequestTimeout(Unreachable):
    """A server did not answer one request in time."""

    code = "timeout"
    remedy = "try again, or raise [runtime] request_timeout_seconds"


class ServerDown(Unreachable):
    """A server is not running; the message says why, ``cause`` (a :class:`vsm_mcp.model.trial.Cause`) where known."""

    code = "server_down"
    remedy = "vsm-mcp inspect NAME shows its last words; vsm-mcp restart NAME starts it again"

    def __init__(self, message: str, hint: str = "", cause: Any = None) -> None:
        super().__init__(message, hint)
        self.cause = cause


class Overloaded(Unreachable):
    """Everything that could answer is busy; the message says what, and how much of it there is."""

    code = "overload"
    remedy = "try again in a while"


class ProtocolError(VsmError):
    """A server said something that is not MCP."""

    code = "protocol"
    remedy = "the server is at fault; another version of it may do better"


class RpcError(ProtocolError):
    """A server answered a request with a JSON-RPC error.

    ``rpc_code`` and ``data`` (raw JSON bytes, or ``None``) are the server's own; see JSON-RPC 2.0, section 5.1.
    """

    code = "rpc"
    remedy = "the server refused it; its message says why"

    def __init__(self, rpc_code: int, message: str, data: bytes | None = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.data = data


class TaskFailed(VsmError):
    """A task at a server ended without a result, or its server lost it."""

    code = "task_failed"
    remedy = "it may have been carried out in part: look before you call it again"


class InstallFailed(VsmError):
    """An installation could not be made."""

    code = "install_failed"
    remedy = "try another version, or the next candidate of vsm-mcp search"


class TrialFailed(VsmError):
    """A server did not pass its trial."""

    code = "trial_failed"
    remedy = "vsm-mcp evidence shows every probe"


class Unsuited(VsmError):
    """None of the tools that a server showed in its trial plainly does what is needed."""

    code = "unsuited"
    remedy = "vsm-mcp search NEED shows the candidates; vsm-mcp add REF takes one all the same"


class HomeError(VsmError):
    """The home directory cannot be used."""

    code = "home"
    remedy = "look at the owner and the free space of the folder, or set VSM_MCP_HOME to another one"


class HomeBusy(HomeError):
    """Another process of ours works on this home."""

    code = "home_busy"
    remedy = "wait for it to finish, stop it, or use another VSM_MCP_HOME"
    retryable = True


class StoreError(VsmError):
    """The database cannot be read or written."""

    code = "store"
    remedy = "another program may hold the database; try again"
