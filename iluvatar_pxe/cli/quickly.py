"""Imports of much at once, in less time."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_UNUSED = ("rich", "greenlet")
"""structlog loads them where they are installed: to show exceptions with colours, and to keep greenlets apart."""
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""aiohttp reads them all when it is imported, for clients that say nothing of whom they trust: here all do."""


@contextmanager
def quickly() -> Iterator[None]:
    """Import without what takes longest, and is of no use."""
    gc.disable()  # modules stay: looking for garbage among them, now or later, took a fifth of the time
    missing = [name for name in _UNUSED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(missing))  # type: ignore[arg-type] # as if they were not installed
    environment = {name: os.environ.get(name) for name in _AUTHORITIES}
    os.environ.update(dict.fromkeys(_AUTHORITIES, os.devnull))
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        for name in missing:
            del sys.modules[name]
        for name, value in environment.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
