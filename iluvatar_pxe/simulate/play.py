"""What the parts of one boot share."""

import asyncio
import secrets

from msgspec import Struct

from iluvatar_pxe.simulate.downloads import HttpClient
from iluvatar_pxe.simulate.link.attachment import Attachment
from iluvatar_pxe.simulate.machine import Machine
from iluvatar_pxe.simulate.stages import Stages


class Play(Struct, frozen=True):
    """One machine on the network, and the stages of its boot."""

    machine: Machine
    attachment: Attachment
    stages: Stages
    http: HttpClient

    async def wait(self, seconds: float) -> None:
        """Let time pass, as a stage of its own."""
        with self.stages.stage("pause"):
            await asyncio.sleep(seconds)


def new_xid() -> int:
    """Return a transaction number."""
    return secrets.randbits(32)
