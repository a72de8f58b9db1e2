"""What is told of ``stable`` while nobody has said which version that is. Pure."""

from collections.abc import Iterator

from iluvatar_pxe.catalogue.coming import Coming
from iluvatar_pxe.catalogue.lock import STABLE
from iluvatar_pxe.catalogue.progress import Progress

_END = f" {STABLE}"


def key_of(entry: str) -> str:
    """Return under which name it is known how far the choice of an entry's version is; no file has such a name."""
    return f"{entry}{_END}"


def choices(coming: Coming) -> Iterator[tuple[str, Progress]]:
    """Return the entries whose version is not chosen yet, and how far that is."""
    return ((name.removesuffix(_END), one) for name, one in coming.items() if name.endswith(_END))


def told(progress: Progress | None, place: str) -> tuple[str, str]:
    """Return why no version is chosen, empty while its publisher is asked, and what to do.

    ``place`` is where a person may write one. Without ``progress`` nothing is known of it.
    """
    write = f"write a version into {place}"
    if progress is None or not progress.trouble:
        return "", f"wait while its publisher is asked, or {write}"
    why, separator, remedy = progress.trouble.rpartition("; ")
    return (why, f"{remedy}, or {write}") if separator else (progress.trouble, write)


def line(entry: str, progress: Progress) -> str:
    """Return all of it in one line."""
    why, remedy = told(progress, "the layer's file")
    return f"which version of {entry} is {STABLE} is not known yet{': ' if why else ''}{why}; {remedy}"
