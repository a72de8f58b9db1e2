"""What is told of a boot file that is not there: how far its download is, or what to do about it."""

from pathlib import PurePosixPath

from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.plan import Lack
from iluvatar_pxe.boot.words import shortened
from iluvatar_pxe.catalogue.coming import find, words
from iluvatar_pxe.catalogue.progress import State

_FETCH = "run 'iluvatar-pxe assets fetch', or 'iluvatar-pxe assets import PATH' where there is no internet"
_IMPORT = "bring the file by 'iluvatar-pxe assets import PATH'"
_NAME = "give its address in assets.entries of fleet.yaml, or copy it into the assets directory"
"""Of a file that no entry of the catalogue gives: only those are downloaded, and imported."""


def lack_of(name: str, context: Context) -> Lack:
    """Say of a boot file that it is behind a link that is not served, or coming, or neither."""
    path = PurePosixPath(name)
    parts = (str(one) for one in (path, *path.parents))
    broken = next((context.links[part] for part in parts if part in context.links), "")
    if broken:
        trouble, _, remedy = broken.rpartition("; ")
        return Lack(trouble, remedy, name)
    found = find(name, context.coming)
    if found is None:
        return Lack(f"the file {name} is missing", _NAME, name)
    told, progress = found
    if progress.is_under_way:
        return Lack(words(shortened(told), progress), "no action is needed", name, under_way=True)
    text = words(told, progress)
    if progress.state is State.MISSING:
        return Lack(text, _FETCH, name)
    trouble, separator, remedy = text.rpartition("; ")
    return Lack(
        trouble if separator else text, f"{remedy if separator else 'correct that'}, or {_IMPORT}", name
    )
