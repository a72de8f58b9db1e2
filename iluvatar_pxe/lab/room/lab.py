"""The private virtual network as a whole: a router, and machines that boot from whatever serves there."""

from types import TracebackType
from typing import Self

from iluvatar_pxe.lab.room.namespace import Namespace
from iluvatar_pxe.lab.room.network import Network
from iluvatar_pxe.lab.room.router import start_router

BOOT_SECONDS = 180.0
"""How long a boot may take under software emulation on a busy machine."""


class Lab:
    """The network and its router while the ``with`` block runs; raises LabError where it cannot be built."""

    def __init__(self, joined: int = 0) -> None:
        """Make nothing yet: entering the block does. ``joined``: a process in the lab of another driver, to use that."""
        self.namespace = Namespace(joined)

    def __enter__(self) -> Self:
        """Build the segment and start the router, where they are not there yet."""
        self.namespace.__enter__()
        try:
            self.network = Network(self.namespace)
            if not self.namespace.is_joined:
                self.router = start_router(self.network)
        except BaseException:
            self.namespace.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything."""
        self.namespace.__exit__(kind, error, trace)
