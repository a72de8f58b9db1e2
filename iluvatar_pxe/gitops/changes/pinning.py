"""The commit that pins downloaded boot files, for every daemon of the fleet. Pure."""

import json
from collections.abc import Mapping

from iluvatar_pxe.catalogue.lock import STABLE, AssetsLock, Channels, Pin
from iluvatar_pxe.fleet.source import LOCK_FILE
from iluvatar_pxe.gitops.repository.bare import Changes

_HEAD = """\
# yaml-language-server: $schema=schemas/assets.lock.schema.json
# Written by iluvatar-pxe: checksums of the boot files that were downloaded, and the versions that were chosen.
# A file whose line is removed is pinned again by its next download, and "stable" is chosen again.
"""


def pin(known: AssetsLock, files: Mapping[str, Pin], stable: Mapping[str, str]) -> Changes | None:
    """Return the commit that adds checksums by logical name, and by entry what ``stable`` means; None if it adds none.

    What is pinned already stays, also where another checksum is brought: who brings it has to give way.
    """
    new_files = {name: pinned for name, pinned in files.items() if name not in known.files}
    new_stable = _unknown(known, stable)
    if not new_files and not new_stable:
        return None
    lock = with_pins(known, new_files, new_stable)
    return Changes(_message(new_files, new_stable), {LOCK_FILE: (_HEAD + _text(lock)).encode()})


def with_pins(known: AssetsLock, files: Mapping[str, Pin], stable: Mapping[str, str]) -> AssetsLock:
    """Return a lock with more in it; what it has already stays."""
    versions = {entry: Channels(stable=version) for entry, version in _unknown(known, stable).items()}
    return AssetsLock(files={**files, **known.files}, versions={**known.versions, **versions})


def _unknown(known: AssetsLock, stable: Mapping[str, str]) -> dict[str, str]:
    """Return the versions of entries of which ``known`` says none: it may have an entry without a version."""
    return {entry: version for entry, version in stable.items() if known.resolved(entry, STABLE) is None}


def _text(lock: AssetsLock) -> str:
    told = lock.model_dump(mode="json", by_alias=True, exclude_none=True)
    lines = []
    for part in ("versions", "files"):
        if told[part]:
            lines.append(f"{part}:\n")
            lines += [f"  {json.dumps(name)}: {_flow(told[part][name])}\n" for name in sorted(told[part])]
    return "".join(lines)


def _flow(values: Mapping[str, str | int]) -> str:
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in values.items()) + "}"


def _message(files: Mapping[str, Pin], stable: Mapping[str, str]) -> str:
    told = [f"{entry} stable is {version}" for entry, version in sorted(stable.items())]
    names = sorted(files)
    if names:
        told.append(f"{names[0]} is pinned" if len(names) == 1 else f"{len(names)} boot files are pinned")
    body = "".join(f"{name}: sha256 {files[name].sha256}, {files[name].size} bytes\n" for name in names)
    return f"{', '.join(told)}\n\n{body}"
