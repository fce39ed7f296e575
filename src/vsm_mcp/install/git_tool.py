"""git as this program runs it: with no settings, keys, hooks, filters, helpers or prompts of anybody's, in the sandbox.

What is fetched is kept below ``cache/git`` of the home, one bare repository for each address.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from vsm_mcp.errors import HomeError, InstallFailed, RegistryUnavailable, UnknownPackage, VsmError
from vsm_mcp.install.enclosure import Work
from vsm_mcp.install.files import home_errors
from vsm_mcp.install.installer import Bench
from vsm_mcp.install.tools import run_tool, tail
from vsm_mcp.sandbox.confinement import Completed

COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_PAUSE: Final = 0.1
_OWN: Final = "vsm-mcp.settings"
_SETTINGS: Final = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "safe.directory": "*",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "http.followRedirects": "initial",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
}
_MISSING: Final = re.compile(
    r"couldn't find remote ref|not our ref|no such remote ref|unadvertised object|nonexistent object|single revision",
    re.IGNORECASE,
)
_NO_REPOSITORY: Final = re.compile(
    r"repository .*not found|does not appear to be a git repository|access denied or repository not exported|"
    r"returned error: 404|could not read Username|Authentication failed|returned error: 40[13]",
    re.IGNORECASE,
)
_NETWORK: Final = re.compile(
    r"Could not resolve|unable to connect|Connection refused|Failed to connect|timed out|returned error: 5\d\d|"
    r"SSL|unable to look up|Connection reset|hung up|early EOF|unable to access",
    re.IGNORECASE,
)


class Git:
    """git for the repository at one address."""

    def __init__(self, bench: Bench, url: str) -> None:
        self._bench = bench
        self._url = url
        parts = urlsplit(url)
        self._scheme = parts.scheme
        self._local = unquote(parts.path) if self._scheme == "file" else ""
        name = hashlib.sha256(url.encode()).hexdigest()[:32]
        self.repository = bench.config.home / "cache" / "git" / f"{name}.git"

    async def fetch(self, rev: str) -> str:
        """Fetch ``rev`` and return its commit: a branch, a tag or a whole commit; "" is the repository's own choice.

        Raises :class:`UnknownPackage`, :class:`RegistryUnavailable` or :class:`InstallFailed`.
        """
        if COMMIT.match(rev) and await self._has(rev):
            return rev
        mark = f"refs/vsm-mcp/{secrets.token_hex(8)}"
        with home_errors(self.repository):
            (self.repository / _OWN).write_text("[safe]\n\tdirectory = *\n", "utf-8")
        await self._run("init", "--quiet", "--bare", "--template=", str(self.repository))
        try:
            flags = ("--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--force")
            await self._fetched(flags, rev, mark)
            done = await self._run("rev-parse", "--verify", f"{mark}^{{commit}}", rev=rev)
        finally:
            with contextlib.suppress(VsmError):
                await self._run("update-ref", "-d", mark)
        commit = done.stdout.decode("ascii", "replace").strip()
        if COMMIT.match(rev) and commit != rev:
            raise InstallFailed(f"{self._url} has something else under {rev}", "do not trust it")
        return commit

    async def _fetched(self, flags: tuple[str, ...], rev: str, mark: str) -> None:
        try:
            await self._run("fetch", *flags, "--end-of-options", self._url, f"{rev or 'HEAD'}:{mark}", rev=rev)
        except UnknownPackage:
            if not COMMIT.match(rev):
                raise
            # an old server hands out only what bears a name: all of that, then
            every = [each for each in flags if not each.startswith("--depth")]
            names = (f"refs/{kind}/*:refs/vsm-mcp-all/{kind}/*" for kind in ("heads", "tags"))
            await self._run("fetch", *every, "--end-of-options", self._url, *names, rev=rev)
            await self._run("update-ref", mark, rev, rev=rev)

    async def size(self, commit: str) -> tuple[int, int]:
        """Return the bytes and the number of the files of a commit."""
        done = await self._run("ls-tree", "-r", "-l", "--full-tree", commit)
        if done.truncated:
            return 0, 1 << 40
        sizes = [line.split(b"\t", 1)[0].split()[-1] for line in done.stdout.splitlines()]
        return sum(int(size) for size in sizes if size.isdigit()), len(sizes)

    async def check_out(self, commit: str, folder: Path) -> None:
        """Write the files of a commit into the empty ``folder``."""
        tree, index = ("--work-tree", str(folder)), {"GIT_INDEX_FILE": str(folder / ".git-index")}
        await self._run(*tree, "read-tree", commit, folder=folder, extra=index)
        await self._run(*tree, "checkout-index", "--all", "--force", "--quiet", folder=folder, extra=index)
        with home_errors(folder):
            (folder / ".git-index").unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold the repository for oneself; the lock dies with its holder. Raises :class:`HomeError` after a while."""
        with home_errors(self.repository):
            self.repository.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.repository.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            await self._waited(lock)
            yield
        finally:
            os.close(lock)

    async def _waited(self, lock: int) -> None:
        try:
            async with asyncio.timeout(self._bench.config.install.resolve_timeout_seconds):
                while not _locked(lock):  # noqa: ASYNC110 - the kernel tells nobody
                    await asyncio.sleep(_PAUSE)
        except TimeoutError as error:
            raise HomeError(f"another process works on {self.repository}", "try again when it is done") from error

    async def _has(self, commit: str) -> bool:
        if not (self.repository / "HEAD").is_file():
            return False
        try:
            await self._run("cat-file", "-e", f"{commit}^{{tree}}")
            await self._run("rev-list", "--objects", "--quiet", "--max-count=1", commit)
        except VsmError:
            return False
        return True

    async def _run(
        self, *words: str, rev: str = "", folder: Path | None = None, extra: dict[str, str] | None = None
    ) -> Completed:
        program = shutil.which("git", path=self._bench.registries.addresses.environ.get("PATH"))
        if program is None:
            raise InstallFailed("git is not installed on this machine", "install git, or choose another method")
        settings = {**_SETTINGS, f"protocol.{self._scheme}.allow": "always"}
        given = tuple(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        where = () if words[0] == "init" else (f"--git-dir={self.repository}",)
        work = Work(
            tool="git",
            folder=self.repository,
            also=(folder,) if folder else (),
            reads=(self._local,) if self._local and os.path.exists(self._local) else (),  # noqa: ASYNC240, PTH110
            urls=(self._url,),
            bare=True,
        )
        seconds = self._bench.config.install.resolve_timeout_seconds
        env = self._environ() | (extra or {})
        done = await run_tool(self._bench, (program, *given, *where, *words), "/", seconds, env, work)
        if not done.ok:
            raise self._explained(done, rev)
        return done

    def _environ(self) -> dict[str, str]:
        addresses = self._bench.registries.addresses
        env = {
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            # what git starts at the other end of a repository of this machine reads no `-c`
            "GIT_CONFIG_GLOBAL": str(self.repository / _OWN),
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS": "/bin/false",
            "GIT_LFS_SKIP_SMUDGE": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_ALLOW_PROTOCOL": self._scheme,
            "LC_ALL": "C",
        }
        return env | ({"GIT_SSL_CAINFO": addresses.ca_file} if addresses.ca_file else {})

    def _explained(self, done: Completed, rev: str) -> VsmError:
        said = tail(done)
        if _MISSING.search(said):
            return UnknownPackage(
                f"{self._url} has no {rev or 'HEAD'}" + (f" ({said[:200]})" if not rev else ""),
                "name a branch, a tag or a whole commit: git+URL@REV",
            )
        if _NO_REPOSITORY.search(said):
            return UnknownPackage(
                f"there is no repository that may be read at {self._url}",
                "check the address; for one that needs a key: clone it yourself, then add dir:PATH",
            )
        if _NETWORK.search(said):
            return RegistryUnavailable(f"{self._url} cannot be fetched: {said}", "check the network, then try again")
        return InstallFailed(f"git cannot fetch {self._url}: {said}", "see the message of git above")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
