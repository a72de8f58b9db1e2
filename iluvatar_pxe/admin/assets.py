"""Commands on the boot files that the fleet wants. None of them waits: how far each file is, ``AssetsStatus`` tells."""

from collections.abc import Iterable, Sequence

from iluvatar_pxe.admin.command import AssetsAdmin, Command, CommandContext, of_daemon
from iluvatar_pxe.admin.data import Data, utc
from iluvatar_pxe.admin.requests import assets as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.assets.fetcher import UNCHECKED
from iluvatar_pxe.assets.status import AssetStatus, Leftover
from iluvatar_pxe.catalogue.choosing import line
from iluvatar_pxe.catalogue.download import Download, FirstUse, SumsFile, checked_by
from iluvatar_pxe.catalogue.lock import STABLE
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.suggest import meant_by
from iluvatar_pxe.values import replace


class AssetsStatus(requests.AssetsStatus, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        assets = of_daemon(context.assets)
        return {"files": [asset_data(one) for one in _rows(assets)]}


class AssetsFetch(requests.AssetsFetch, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        assets = of_daemon(context.assets)
        missing = [one.download.name for one in _chosen(self.names, assets) if not is_there(one)]
        await assets.begun()
        assets.fetch(missing)
        return {"message": f"{_files(len(missing))} to fetch", "names": missing}


class AssetsVerify(requests.AssetsVerify, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        assets = of_daemon(context.assets)
        there = [
            one.download.name
            for one in _chosen(self.names, assets)
            if is_there(one) or one.source == UNCHECKED
        ]
        await assets.begun()
        assets.verify(there)
        return {"message": f"{_files(len(there))} to verify", "names": there}


class AssetsImport(requests.AssetsImport, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        assets = of_daemon(context.assets)
        if self.name not in {one.download.name for one in assets.files()}:
            raise _unknown(self.name, ())
        await assets.begun()
        assets.take(self.name, self.file, trust=self.trust)
        return {"message": f"the check of {self.name} has begun"}


class AssetsLeftovers(requests.AssetsLeftovers, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        found = await of_daemon(context.assets).leftovers()
        return {"files": [_leftover_data(one, self.names) for one in _named(found, self.names)]}


class AssetsGc(requests.AssetsGc, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        assets = of_daemon(context.assets)
        found = _named(await assets.leftovers(), self.names)
        gone = [one for one in found if _goes(one, self.names)]
        await assets.remove(gone)
        return {
            "message": f"{_files(len(gone))} removed",
            "files": [_leftover_data(one, self.names) for one in found],
        }


def _chosen(words: Sequence[str], assets: AssetsAdmin) -> list[AssetStatus]:
    files = _rows(assets)
    names = chosen(words, [one.download.name for one in files])
    return [one for one in files if one.download.name in names]


def _named(found: Sequence[Leftover], words: Sequence[str]) -> list[Leftover]:
    names = chosen(words, [one.name for one in found])
    return [one for one in found if one.name in names]


def _goes(leftover: Leftover, words: Sequence[str]) -> bool:
    return not leftover.kept_for and (bool(words) or not leftover.only_named)


def is_there(status: AssetStatus) -> bool:
    """Say whether a file can be served; one that is being read again can."""
    return status.progress.state is State.READY or (
        status.progress.state is State.VERIFYING and status.checked_at is not None
    )


def _rows(assets: AssetsAdmin) -> list[AssetStatus]:
    """Return the wanted files, and what stands for those that are not known yet."""
    return [*assets.files(), *(_unresolved(entry, one) for entry, one in assets.unresolved().items())]


def _unresolved(entry: str, progress: Progress) -> AssetStatus:
    """Return what stands for the files of an entry while nobody knows their version."""
    return AssetStatus(
        download=Download(name=entry, version=STABLE, urls=(), check=FirstUse()),
        progress=replace(progress, trouble=line(entry, progress)),
        failures=0 if progress.is_under_way else 1,
    )


def chosen(wanted: Sequence[str], names: Sequence[str]) -> frozenset[str]:
    """Return the names that people mean by parts of them, such as ``talos`` or ``kernel-amd64``; all if nothing is wanted.

    Raises OperationError for a word that fits none.
    """
    for word in wanted:
        if not any(_fits(word, name) for name in names):
            raise _unknown(word, names)
    return frozenset(name for name in names if not wanted or any(_fits(word, name) for word in wanted))


def _fits(word: str, name: str) -> bool:
    return f"/{word.strip('/')}/" in f"/{name}/"


def _unknown(word: str, names: Iterable[str]) -> OperationError:
    parts = {part for name in names for part in (name, *name.split("/"))}
    meant = meant_by(word, sorted(parts))
    advice = f"did you mean {meant}?" if meant else "to see all: iluvatar-pxe assets status"
    return OperationError(f"{word}: there is no such file; {advice}")


def asset_data(status: AssetStatus) -> Data:
    """Return a wanted file as plain data, for JSON; times are UTC, ISO 8601, and what is not known is null."""
    download, progress = status.download, status.progress
    sums = download.check if isinstance(download.check, SumsFile) else None
    return {
        "name": download.name,
        "version": download.version,
        "wanted_by": list(download.wanted_by),
        "ready": is_there(status),
        "state": progress.state.value,
        "before": progress.before,
        "bytes": progress.done,
        "size": progress.size,
        "percent": progress.percent,
        "rate": round(progress.rate),
        "seconds_left": progress.seconds_left,
        "trouble": progress.trouble or None,
        "failures": status.failures,
        "source": status.source or None,
        "check": checked_by(download.check),
        "unpack": download.unpack.value,
        "checked_at": utc(status.checked_at) if status.checked_at else None,
        "fault": status.fault or None,
        "urls": list(download.urls),
        "sums_urls": [*sums.urls, *sums.signatures] if sums else [],
    }


def _leftover_data(leftover: Leftover, words: Sequence[str]) -> Data:
    unnamed = "its publisher may not offer it any more; it is removed if you name it"
    return {
        "name": leftover.name,
        "part": leftover.part or None,
        "version": leftover.version,
        "size": leftover.size,
        "goes": _goes(leftover, words),
        "kept_for": leftover.kept_for or (unnamed if not _goes(leftover, words) else None),
    }


def _files(count: int) -> str:
    return f"{count} {'file' if count == 1 else 'files'}"
