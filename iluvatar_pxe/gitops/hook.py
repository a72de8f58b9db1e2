"""The pre-receive hook of the fleet's repository, which ``pre_receive`` runs; see githooks(5).

With the further argument ``ask-factory`` Image Factory is asked for the names of extensions.

Git runs it in the repository, with the objects of the push in a place of their own, and keeps them only when it
exits 0. What it writes to standard error is shown to the person who pushes. ``checker`` comes to the same verdict, by the
same ``judge`` and ``conclude``, without reading again what it knows.
"""

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from msgspec import Struct, field

from iluvatar_pxe.assets.names import Names, check_names
from iluvatar_pxe.boot.preview.differences import leavers, replaced
from iluvatar_pxe.errors import FleetError, RepositoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.notification_checks import secrets_in_clear
from iluvatar_pxe.fleet.talos_checks import vips_among
from iluvatar_pxe.gitops.repository.bare import Commit, Repository
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.revision import Revisions
from iluvatar_pxe.host.network import read_network
from iluvatar_pxe.layers.effects import effects_on_listed
from iluvatar_pxe.printable import printable

ASK_FACTORY = "ask-factory"
"""The argument that lets it ask Image Factory."""
_REFUSED = "iluvatar-pxe.refused"
"""The file in the repository that says why the last push was refused."""
REFUSED = "push rejected; correct the faults and push again"
_AHEAD = timedelta(days=1)
"""A commit may be dated so long after this host's clock: the clocks of two hosts differ."""
HISTORY = "push accepted; Git keeps those secrets in its history, so replace them as well"


class Verdict(Struct, frozen=True):
    """Lines for the person who pushes: faults, for which the push is refused, and warnings.

    ``secrets`` are warnings of secrets in clear, ``warnings`` all others, and ``effects`` what becomes of machines that
    have joined.
    """

    faults: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)


Ask = Callable[[Fleet, Fleet | None], Names]
"""Asks Image Factory for the names in a fleet that the one before has not; blocks."""


def ask_with_patience(fleet: Fleet, before: Fleet | None) -> Names:
    """Ask, and tell the person who pushes where that takes a while."""
    return check_names(fleet, before, lambda line: sys.stderr.write(f"{line}\n"))


async def judge(
    repository: Repository,
    updates: Iterable[str],
    *,
    ask_factory: bool = False,
    revisions: Revisions | None = None,
    ask: Ask = ask_with_patience,
) -> Verdict:
    """Judge updates (lines ``old new ref``) of the branch; other refs are not looked at. Raises RepositoryError.

    ``revisions`` are those read before. ``ask`` asks Image Factory, where ``ask_factory`` permits it.
    """
    known = revisions or Revisions()
    for update in updates:
        old, new, ref = update.rstrip("\n").split(" ", 2)
        if ref != repository.ref:
            continue
        if not new.strip("0"):
            return Verdict([f"{repository.branch}: holds the fleet and cannot be deleted"])
        try:
            revision = await known.read(repository, new)
        except FleetError as error:
            return Verdict(error.findings)
        before = await _fleet_before(repository, old, known)
        names = await asyncio.to_thread(ask, revision.fleet, before) if ask_factory else Names()
        return Verdict(
            faults=[
                *names.faults,
                *vips_among(revision.fleet, await asyncio.to_thread(_own_addresses)),
                *(replaced(before, revision.fleet) if before else ()),
            ],
            secrets=secrets_in_clear(revision.fleet),
            warnings=[*names.warnings, *_misdated(revision.commit)],
            effects=await _effects(before, revision.fleet),
        )
    return Verdict()


def _misdated(commit: Commit) -> list[str]:
    """Warn of a commit whose date keeps certificates from being signed."""
    now = datetime.now(UTC)
    if commit.time is not None and commit.time <= now + _AHEAD:
        return []
    what = "is no time" if commit.time is None else f"is after this host's clock, {now:%Y-%m-%d %H:%M} UTC"
    line = (
        f"commit {commit.id[:8]} is of {commit.at}, which {what}; no certificate is signed meanwhile; set the clock "
        "that is wrong, and push another commit: git commit --allow-empty"
    )
    return [line]


def _own_addresses() -> frozenset[IPv4Address]:
    """Return this host's addresses; none where it cannot be asked, as everything is checked again at its use. Blocks."""
    with suppress(OSError):
        return frozenset(one.interface.ip for one in read_network().addresses)
    return frozenset()


async def _fleet_before(repository: Repository, old: str, known: Revisions) -> Fleet | None:
    """Return the fleet that the branch had; None if that was none, or not valid."""
    try:
        return (await known.read(repository, old)).fleet if old.strip("0") else None
    except FleetError:
        return None


async def _effects(before: Fleet | None, fleet: Fleet) -> list[str]:
    """Return one line for the machines of which the same becomes; none if there was no valid fleet before."""
    if before is None:
        return []
    machines: dict[str, list[str]] = {}
    changed = await asyncio.to_thread(effects_on_listed, before, fleet)
    for one in (*leavers(before, fleet), *changed):
        machines.setdefault(one.text, []).append(one.machine)
    return [f"{', '.join(names)}: as far as it has joined, {text}" for text, names in machines.items()]


def refused_push(repository: Path) -> str | None:
    """Return why the last push to the fleet's branch was refused, in one line; None if it was accepted. Blocks."""
    try:
        return (repository / _REFUSED).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def refusal_mark(repository: Path) -> int:
    """Return what differs once another push to the fleet's branch was judged; 0 before the first. Blocks."""
    try:
        return (repository / _REFUSED).stat().st_mtime_ns
    except OSError:
        return 0


def _note(repository: Path, faults: list[str]) -> None:
    """Keep why a push is refused, for those who have not pushed it; until one is accepted."""
    more = f" (and {len(faults) - 1} more)" if faults[1:] else ""
    told = f"a push was refused: {printable(faults[0])}{more}; correct it and push again\n" if faults else ""
    with suppress(OSError):  # whoever pushes is told all the same
        (repository / _REFUSED).write_text(told, encoding="utf-8")


def conclude(repository: Repository, updates: Sequence[str], verdict: Verdict) -> tuple[int, str]:
    """Return the hook's exit status and the text for the person who pushes, after keeping why it is refused. Blocks."""
    if any(update.endswith(f" {repository.ref}") for update in updates):
        _note(repository.path, verdict.faults)
    warnings = [f"warning: {line}" for line in (*verdict.secrets, *verdict.warnings)]
    history = [HISTORY] if verdict.secrets and not verdict.faults else []
    lines = [*verdict.faults, *warnings, *history, *([] if verdict.faults else verdict.effects)]
    shown = [*map(printable, lines), *([REFUSED] if verdict.faults else [])]
    return int(bool(verdict.faults)), "".join(f"{line}\n" for line in shown)


def updates_of(text: str) -> list[str]:
    """Return the lines that git gives to the hook."""
    return [line for line in text.split("\n") if line]


def check(arguments: Sequence[str], told: str) -> None:
    """Check a push, of which git has ``told``; exits 1 when it is not to be accepted, also when that cannot be told."""
    updates = updates_of(told)
    repository = Repository(Git(Path.cwd()), arguments[0])
    try:
        verdict = asyncio.run(judge(repository, updates, ask_factory=ASK_FACTORY in arguments[1:]))
    except RepositoryError as error:
        verdict = Verdict([str(error)])
    except Exception as error:  # noqa: BLE001 - the last resort: what was not checked is not accepted
        verdict = Verdict([f"the check itself failed: {error!r}"])
    status, text = conclude(repository, updates, verdict)
    sys.stderr.write(text)
    sys.exit(status)
