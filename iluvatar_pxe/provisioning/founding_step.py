"""What is next for one layer's cluster: told in one line, logged when it changes, and committed where a commit does it."""

import structlog

from iluvatar_pxe.errors import RepositoryError
from iluvatar_pxe.fleet.daemon_files import ClusterFile
from iluvatar_pxe.gitops.changes.founding import found_again, name_founder, note_founded
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.inventory.memory import wall_clock
from iluvatar_pxe.layers.founding import (
    FoundAgain,
    Founded,
    NameFounder,
    NoteFounded,
    Refuse,
    Step,
    Wait,
    words,
)
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository

_log = structlog.get_logger()


class FoundingStep:
    """Of one layer's cluster."""

    def __init__(self, layer: str, repository: ClusterRepository) -> None:
        self._layer = layer
        self._repository = repository
        self.now: Step = Wait("it has not been looked at yet")
        self._told = Problem(self._tell)

    @property
    def line(self) -> str | None:
        """What the cluster waits for, in one line; None once it is founded."""
        return None if isinstance(self.now, Founded) else f"{self._layer}: {words(self.now)}"

    def show(self, step: Step) -> None:
        """Take in what is next now."""
        self.now = step
        self._told.set(self.line if isinstance(step, Wait | Refuse) else None)

    def _tell(self, line: str) -> None:
        if isinstance(self.now, Refuse):
            _log.error("cluster.refused", why=line)
        else:
            _log.info("cluster.waits", why=line)

    async def commit(self, cluster: ClusterFile) -> bool:
        """Make the commit that is next, and say whether one is; raises RepositoryError, also where none may be made."""
        layer = self._layer
        match self.now:
            case NameFounder(founder, why):
                _log.info("cluster.founder", layer=layer, founder=founder, why=why)
                await self.make(lambda newest: name_founder(newest, layer, founder))
            case FoundAgain(why):
                _log.warning("cluster.founded_again", layer=layer, why=why)
                await self.make(lambda newest: found_again(newest, layer, cluster.generation))
            case NoteFounded(why):
                _log.info("cluster.founded", layer=layer, why=why)
                now = wall_clock()
                await self.make(lambda newest: note_founded(newest, layer, cluster.generation, now))
            case _:
                return False
        return True

    async def make(self, draw: Draw) -> None:
        """Make a commit on the cluster; raises RepositoryError where this daemon may make none."""
        if self._repository.commit is None:
            raise RepositoryError(
                f"{words(self.now)}, but this daemon may commit nothing; set [fleet] read_only = false, or have another "
                "daemon do it"
            )
        await self._repository.commit(draw)
