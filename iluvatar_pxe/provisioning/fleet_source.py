"""The declared state as one part of the daemon: its source, the assigner, and its listeners."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.changed import Changed
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.gitops.checking import Checking
from iluvatar_pxe.gitops.directory import DirectoryFollower
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.hook import refused_push
from iluvatar_pxe.gitops.mirror import Mirror
from iluvatar_pxe.gitops.origin import HostedOrigin, Origin
from iluvatar_pxe.gitops.prepare import kept_of
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE
from iluvatar_pxe.gitops.secrets.opening import Opener
from iluvatar_pxe.gitops.secrets.sealing import daemon_key
from iluvatar_pxe.gitops.secrets.tokens import Tokens
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.assigner import Assigner, DatabaseAssigner
from iluvatar_pxe.provisioning.boot_meter import BootMeter
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.clusters import Clusters
from iluvatar_pxe.provisioning.enrolment import FleetWindow, OwnWindow, WindowKeeper
from iluvatar_pxe.provisioning.git_assigner import GitAssigner
from iluvatar_pxe.provisioning.journal import Journal
from iluvatar_pxe.provisioning.kept_snapshots import KeptSnapshots
from iluvatar_pxe.provisioning.pi_reports import PiReports
from iluvatar_pxe.provisioning.pins import FleetPins, OwnPins, PinKeeper
from iluvatar_pxe.provisioning.read_tokens import ReadTokens
from iluvatar_pxe.provisioning.renaming import Renamer
from iluvatar_pxe.provisioning.rollout import Rollout
from iluvatar_pxe.settings.model import HOSTED, Settings


class FleetSource:
    """Applies the fleet of a plain directory, or of a repository, which then also decides names and roles."""

    def __init__(
        self,
        settings: Settings,
        origin: Origin | None,
        applied: Applied,
        store: AssetStore,
        inventory: Inventory,
        check: Callable[[str], Awaitable[None]],
        events: EventLog | None = None,
        boots: BootMeter | None = None,
    ) -> None:
        """``check`` raises ConfigurationError where this network keeps a layer's cluster from being founded.

        ``boots`` counts those of Raspberry Pis that report.
        """
        repository_decides = origin is not None and not origin.read_only
        self._rollout = rollout = Rollout(
            applied,
            store,
            inventory,
            Opener(partial(daemon_key, settings.state_directory / KEY_FILE)),
            repository_decides=repository_decides,
            events=events,
        )
        self.assigner: Assigner = DatabaseAssigner(inventory)
        """Who gives machines their names and roles."""
        self.window: WindowKeeper = OwnWindow(inventory)
        """Who opens and closes the enrolment window."""
        self.renamer = Renamer(inventory)
        """Who renames listed machines."""
        self.pins: PinKeeper = OwnPins(applied, settings.state_directory)
        """Where checksums of downloaded boot files are kept."""
        self._assigner: GitAssigner | None = None
        self._mirror: Mirror | None = None
        self._checking = Checking(origin.repository) if isinstance(origin, HostedOrigin) else None
        self._tokens: ReadTokens | None = None
        self.cluster_repository = ClusterRepository(lambda: None)
        """What is read and committed of clusters."""
        self.pi_reports = PiReports(inventory, applied, Journal(inventory, applied, meter=boots))
        """Who takes in what Raspberry Pis report, and what their clusters say of them."""
        self.secrets = ClusterSecrets.of(settings, inventory, self.cluster_repository)
        """Who makes and opens the secrets of clusters."""
        self.clusters = self._clusters(settings, applied, inventory, check)
        """Who has clusters founded."""
        self.was_applied = False
        """Whether this host had applied the fleet before it was started."""
        self._hosted = origin.repository.path if isinstance(origin, HostedOrigin) else None
        self._kept = kept_of(settings)
        if origin is None:
            self._follower: Follower | DirectoryFollower = DirectoryFollower(
                settings.fleet_directory, rollout, self._kept
            )
            return
        self._follower = follower = Follower(origin, rollout)
        self.cluster_repository = ClusterRepository(
            lambda: follower.in_force,
            follower.commit if repository_decides else None,
            follower.text,
            follower.refresh,
        )
        self.secrets = ClusterSecrets.of(settings, inventory, self.cluster_repository)
        self.clusters = self._clusters(settings, applied, inventory, check)
        if repository_decides:
            self._assigner = GitAssigner(inventory, follower, rollout)
            self.assigner = self._assigner
            self.window = FleetWindow(follower.commit)
            self.renamer = Renamer(inventory, follower.commit)
            self.pins = FleetPins(applied, follower.commit)
        if settings.fleet.source == HOSTED:
            tokens = Tokens(settings.repositories)
            self._tokens = ReadTokens(tokens, applied, self.secrets, rollout.changed)
        if settings.fleet.mirror and settings.fleet.source == HOSTED:
            remote = Remote.of(settings.fleet.mirror, settings.fleet, settings.state_directory)
            self._mirror = Mirror(origin.repository.path, remote, rollout.adopted)

    def _clusters(
        self,
        settings: Settings,
        applied: Applied,
        inventory: Inventory,
        check: Callable[[str], Awaitable[None]],
    ) -> Clusters:
        return Clusters(
            ClusterContext(
                fleet=lambda: applied.fleet,
                snapshot=lambda: inventory.snapshot,
                secrets=self.secrets,
                repository=self.cluster_repository,
                changed=self._rollout.changed,
                check=check,
                fleet_problem=lambda: self._follower.problem,
                snapshots=KeptSnapshots.of(settings),
                observes=settings.network.dhcp == "observe",
            ),
            self.pi_reports.see_nodes,
        )

    @property
    def problem(self) -> str | None:
        """Why the newest state is not applied, not all of it, not kept or not mirrored; None when all is well."""
        follower, mirror = self._follower, self._mirror.problem if self._mirror else None
        return follower.problem or self._rollout.problem or follower.unnoted or mirror

    async def refusal(self) -> str | None:
        """Return why the newest commit, or a push to the repository here, is not applied; None if nothing was refused."""
        place = self._hosted
        return self._follower.problem or (await asyncio.to_thread(refused_push, place) if place else None)

    @property
    def changed(self) -> Changed:
        """Notified as soon as machines are served by another fleet."""
        return self._rollout.changed

    async def start(self) -> None:
        """Apply it; raises FleetError where there is no valid state at all."""
        self.was_applied = await asyncio.to_thread(self._kept.path.exists)
        await self._follower.start()

    async def run(self) -> None:
        """Follow it, until cancelled."""
        parts = (
            *(self._follower, self._rollout, self._assigner, self._mirror, self._tokens, self.clusters),
            self._checking,
        )
        async with asyncio.TaskGroup() as group:
            for part in parts:
                if part:
                    group.create_task(part.run())

    @property
    def commit_time(self) -> datetime | None:
        """When the applied commit was made; None where the fleet is a plain directory, or nothing was read yet."""
        revision = self.cluster_repository.revision()
        return revision.commit.time if revision else None

    def wake(self) -> None:
        """Have it looked at now."""
        self._follower.wake()

    async def refresh(self) -> None:
        """Look at it now; what is faulty changes nothing."""
        await self._follower.refresh()
