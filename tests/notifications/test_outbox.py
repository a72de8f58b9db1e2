"""What one recipient is told while messages fail."""

import asyncio

from iluvatar_pxe.fleet.notifications import NewsKind
from iluvatar_pxe.notifications.digest import Message
from iluvatar_pxe.notifications.news import News
from iluvatar_pxe.notifications.outbox import Outbox
from iluvatar_pxe.notifications.outcome import Outcome
from iluvatar_pxe.notifications.pace import Pace

QUICK = Pace(calm=0.0, longest=5.0, between=0.0, rarest=0.0, retries=(0.0, 0.0))


async def test_what_happens_while_a_message_fails_joins_it() -> None:
    sent: list[str] = []
    is_over = asyncio.Event()

    async def send(message: Message) -> Outcome:
        outbox.add(News(NewsKind.JOINED, "m", "m"))
        sent.append(message.title)
        if len(sent) == 4:
            is_over.set()
        return Outcome("answers 500" if len(sent) < 3 else "")

    outbox = Outbox("phone", send, lambda: "lab", QUICK)
    outbox.add(News(NewsKind.JOINED, "m", "m"))
    task = asyncio.create_task(outbox.run())
    async with asyncio.timeout(60):
        await is_over.wait()
    task.cancel()
    await asyncio.wait([task])
    assert sent[:3] == ["lab: 1 machine joined", "lab: 2 machines joined", "lab: 3 machines joined"]
    assert sent[3:] == ["lab: 1 machine joined"], "what was told is not told again"
