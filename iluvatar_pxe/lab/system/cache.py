"""Files that are costly to make, kept between runs; safe against interruption and other runs."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def default_cache() -> Path:
    """Return the directory of the lab's files below the user's cache directory."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "iluvatar-pxe" / "lab"


def cached(cache: Path, key: str, build: Callable[[Path], None]) -> Path:
    """Return the directory ``key`` in ``cache``, filled by ``build(directory)`` when it is not there yet.

    One builder at a time; others wait for it. What a killed build left is removed by the next.
    """
    cache.mkdir(parents=True, exist_ok=True)
    ready = cache / key
    with (cache / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.is_dir():
            part = cache / f"{key}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            try:
                build(part)
                part.rename(ready)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return ready
