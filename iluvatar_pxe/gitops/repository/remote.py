"""A remote repository: what git needs to reach it, and what its errors mean."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from iluvatar_pxe.errors import LostRaceError, RefusedPushError, RepositoryError
from iluvatar_pxe.gitops.repository.git import Git, last_line
from iluvatar_pxe.settings.model import FleetSettings

NETWORK_SECONDS = 120.0
"""How long a fetch or push may take; one that moves nothing for 20 s ends by itself."""
MEMORY = 1 << 30
"""Address space of each process that talks to a remote, which may send anything."""
PUSH_SECONDS = 60.0
"""How long one commit may take to arrive, with the check at its origin."""
_FILE_VARIABLE = "ILUVATAR_CREDENTIAL_FILE"
_HELPER = f"""!f() {{ test "$1" = get && printf 'username=iluvatar\\npassword=%s\\n' "$(cat "${_FILE_VARIABLE}")"; }}; f"""
"""A credential helper (gitcredentials(7)): the token goes from its file to git by a pipe, and into no argument."""
_RACE = (
    "stale info",
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to update ref",
    "incorrect old value",
)
_MOVED = ("but expected", "reference already exists")
"""Another process has moved the copy's branch between git's look at it and its lock."""
_MOST_FETCHES = 5
"""Lost races after which a fetch is given up."""
_LOCKED = "File exists"
"""A stale lock of a killed git process; the branch has not moved."""
_FORBIDDEN = (
    "Authentication failed",
    "403",
    "401",
    "Permission denied",
    "could not read Username",
    "not allowed",
)


class Remote(Struct, frozen=True):
    """A Git URL and the files with what it asks for; ``known_hosts`` is kept by ssh, which believes a host at first."""

    url: str
    known_hosts: Path
    token_file: Path | None = None
    ssh_key: Path | None = None
    ca_file: Path | None = None

    @classmethod
    def of(cls, url: str, settings: FleetSettings, state_directory: Path) -> "Remote":
        """Return the remote that the settings name."""
        return cls(
            url, state_directory / "known_hosts", settings.token_file, settings.ssh_key, settings.ca_file
        )

    @property
    def configuration(self) -> Mapping[str, str]:
        """What git is told besides its usual configuration."""
        told = {"http.followRedirects": "false"}  # or the token went to wherever the server says
        told |= {"credential.helper": _HELPER} if self.token_file else {}
        return told | ({"http.sslCAInfo": str(self.ca_file)} if self.ca_file else {})

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables for git's children: the credential helper and ssh."""
        options = [
            *("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=10", "ServerAliveCountMax=2"),
            *("StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={shlex.quote(str(self.known_hosts))}"),
        ]
        key = f" -o IdentitiesOnly=yes -i {shlex.quote(str(self.ssh_key))}" if self.ssh_key else ""
        ssh = "ssh" + "".join(f" -o {option}" for option in options) + key
        return {"GIT_SSH_COMMAND": ssh} | ({_FILE_VARIABLE: str(self.token_file)} if self.token_file else {})

    def git(self, directory: Path) -> Git:
        """Return the git that reaches this remote from a repository."""
        return Git(directory, self.configuration, self.environment, MEMORY)

    async def fetch(self, directory: Path, branch: str, seconds: float = NETWORK_SECONDS) -> None:
        """Put the branch of the repository in ``directory`` where the remote's is; raises RepositoryError.

        A command may do so beside the daemon: whoever comes second asks again.
        """
        ref = f"refs/heads/{branch}"
        arguments = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", self.url, f"+{ref}:{ref}")
        for _ in range(_MOST_FETCHES):
            status, _, complaint = await self.git(directory).attempt(*arguments, seconds=seconds)
            if not status:
                return
            if not any(sign in complaint for sign in _MOVED):
                break
        raise RepositoryError(f"{self.url}: cannot be fetched: {self._explain(complaint, status, branch)}")

    async def push(self, directory: Path, branch: str, old: str, new: str) -> None:
        """Put the remote's branch on ``new`` where it still is on ``old``.

        Raises LostRaceError where it is not, RefusedPushError where this daemon may not write, and RepositoryError
        when it is not known whether the push arrived.
        """
        ref = f"refs/heads/{branch}"
        arguments = ("push", "--porcelain", f"--force-with-lease={ref}:{old}", self.url, f"{new}:{ref}")
        status, output, complaint = await self.git(directory).attempt(*arguments, seconds=PUSH_SECONDS)
        if not status:
            return
        told = output.decode("utf-8", "replace") + complaint
        if any(sign in told for sign in _RACE) and _LOCKED not in told:
            raise LostRaceError(f"{self.url}: {branch} has moved")
        why = self._explain(complaint, status, branch)
        if "[remote rejected]" in told or any(sign in told for sign in _FORBIDDEN):
            remedy = "allow it to push, or set [fleet] read_only"
            raise RefusedPushError(f"{self.url}: rejects this daemon's push: {why}; {remedy}")
        raise RepositoryError(f"{self.url}: cannot be pushed to: {why}")

    async def mirror(self, directory: Path) -> None:
        """Make the remote's branches and tags those of the repository in ``directory``; raises RepositoryError."""
        kinds = ("heads", "tags")
        refspecs = [f"+refs/{kind}/*:refs/{kind}/*" for kind in kinds]
        arguments = ("push", "--quiet", "--prune", self.url, *refspecs)
        status, _, complaint = await self.git(directory).attempt(*arguments, seconds=NETWORK_SECONDS)
        if status:
            raise RepositoryError(f"{self.url}: cannot be mirrored to: {last_line(complaint, status)}")

    def _explain(self, complaint: str, status: int, branch: str) -> str:
        if "couldn't find remote ref" in complaint:
            return f"it has no branch {branch}; push a fleet there, or set [fleet] branch"
        why = last_line(complaint, status)
        if any(sign in complaint for sign in _FORBIDDEN):
            return f"{why}; check [fleet] token_file or ssh_key"
        return why
