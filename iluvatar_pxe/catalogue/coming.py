"""Which wanted assets are still coming, and how far each is, in words."""

from collections.abc import Collection, Iterable, Mapping

from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.progress import Progress, State

Coming = Mapping[str, Progress]
"""The state of the download of each asset that is not there yet; a name that ends with ``/`` is all of that folder.

Also that of each choice of a version, by ``choosing.key_of`` its entry.
"""


def coming(downloads: Iterable[Download], progress: Mapping[str, Progress]) -> dict[str, Progress]:
    """Return what is coming; ``progress`` has the state of each download by its name."""
    states = ((one, progress[one.name]) for one in downloads)
    return {asset: how for one, how in states if how.state is not State.READY for asset in one.assets}


def missing(downloads: Iterable[Download], ready: Collection[str]) -> dict[str, Progress]:
    """Return what is not there, where nothing fetches it."""
    return {
        asset: Progress(state=State.MISSING)
        for one in downloads
        for asset in one.assets
        if not (any(name.startswith(asset) for name in ready) if asset.endswith("/") else asset in ready)
    }


def find(asset: str, known: Coming) -> tuple[str, Progress] | None:
    """Return by which name an asset is coming, its own or its folder's, and how far that is; None if it is not."""
    parts = asset.split("/")
    names = (asset, *("/".join(parts[:end]) + "/" for end in range(len(parts) - 1, 0, -1)))
    return next(((name.rstrip("/"), known[name]) for name in names if name in known), None)


def words(name: str, progress: Progress) -> str:
    """Say how far a file is, in a clause that begins with its name."""
    why = progress.trouble.removeprefix(f"{name}: ")
    waits = f"is missing, and its download waits for another attempt: {why}"
    return (
        f"{name} "
        + {
            State.MISSING: "is missing, and nothing fetches it",
            State.QUEUED: f"is queued for download{behind(progress.before)}",
            State.BUILDING: "is not here yet: the image factory is building it, which takes up to 20 minutes",
            State.LOADING: _loading(progress),
            State.VERIFYING: "is being verified",
            State.UNPACKING: "is being unpacked" + _details(_percent(progress)),
            State.WAITING: waits,
            State.READY: "has arrived",
        }[progress.state]
    )


def behind(count: int) -> str:
    """Say how many files come before one that is queued."""
    return f" behind {count} other file{'s' if count > 1 else ''}" if count else ""


def _loading(progress: Progress) -> str:
    rate = _rate(progress.rate)
    if progress.size is None:
        return "is on its way" + _details(f"{_megabytes(progress.done)} MB so far", rate)
    amount = f"{_megabytes(progress.done)} of {_megabytes(progress.size)} MB"
    return f"is {_percent(progress)} here" + _details(amount, rate, _left(progress.seconds_left))


def _percent(progress: Progress) -> str:
    return "" if progress.percent is None else f"{progress.percent} %"


def _left(seconds: int | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds} s left" if seconds < 120 else f"{seconds // 60} min left"


def _megabytes(octets: int) -> str:
    return f"{octets // 1_000_000}" if octets >= 10_000_000 else f"{octets / 1e6:.1f}"


def _rate(rate: float) -> str:
    if not rate:
        return ""
    return f"{rate / 1e6:.1f} MB/s" if rate >= 1e6 else f"{rate / 1e3:.0f} kB/s"


def _details(*parts: str) -> str:
    told = ", ".join(filter(None, parts))
    return f" ({told})" if told else ""
