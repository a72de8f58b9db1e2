"""One wanted download as the fetcher keeps it: its state, and the work that is done for it now."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from iluvatar_pxe.assets.job import UNWANTED, Job
from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.values import replace


@dataclass(slots=True)
class WantedFile:
    """``source`` is where it came from, or is fetched from; ``fault`` is what was found at the last verification."""

    download: Download
    progress: Progress = field(default_factory=lambda: Progress(state=State.MISSING))
    source: str = ""
    fault: str = ""
    job: Job | None = None
    """Who fetches it."""
    work: asyncio.Task[None] | None = None
    """What is done for it now: it is fetched, verified or imported."""

    @property
    def told(self) -> Progress:
        """The state as people are told it."""
        if self.job is None or self.progress.state is not State.QUEUED:
            return self.progress
        return replace(self.progress, before=self.job.before)

    def begin(
        self, group: asyncio.TaskGroup, work: Callable[[], Awaitable[object]], job: Job | None
    ) -> asyncio.Task[None]:
        """Do something for it, once what is done for it now has been given up."""
        self.work = group.create_task(_after(self.work, work))
        self._change_job(job)
        return self.work

    async def give_up(self) -> None:
        """End what is done for it; what is there of a download stays for the next one."""
        await _end(self.work)
        self._change_job(None)
        self.work = None

    def _change_job(self, job: Job | None) -> None:
        """Let another job fetch it, or none: who waits for the one before hears of that, also if it never began."""
        if self.job:
            self.job.arrival.fail(UNWANTED)
        self.job = job


async def _after(task: asyncio.Task[None] | None, work: Callable[[], Awaitable[object]]) -> None:
    await _end(task)
    await work()


async def _end(task: asyncio.Task[None] | None) -> None:
    if task:
        task.cancel()
        await asyncio.wait([task])
