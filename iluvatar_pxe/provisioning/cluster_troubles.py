"""What is wrong around clusters, gathered from whoever has found it, for ``machines show`` and ``cluster status``."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from iluvatar_pxe.provisioning.refusals import Refusals


class ClusterTroubles(Struct, frozen=True):
    """Who has found what."""

    refusals: Refusals
    """Machines whose configuration cannot be made."""
    refused_fleet: Callable[[], Awaitable[str | None]]
    """Returns why a push or a commit of the fleet was refused, None if the newest is applied."""
    doubts: Callable[[str], list[str]]
    """Returns which machines of a layer are not believed, one line each."""

    async def of(self, layer: str) -> list[str]:
        """Return what concerns a layer as a whole, one line each."""
        fleet = await self.refused_fleet()
        return [*([f"the fleet stays as it is: {fleet}"] if fleet else []), *self.doubts(layer)]
