"""What is known without asking the daemon: the fleet, the inventory and the boot files as they are now."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from iluvatar_pxe.admin.requests.clusters import ShowAwaited
from iluvatar_pxe.admin.requests.coming import ShowComing, coming_of
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.admin.troubles import troubles_of
from iluvatar_pxe.assets.store import SYSTEM_PROGRAMS, Listing, list_assets
from iluvatar_pxe.boot.assign import Reservation
from iluvatar_pxe.boot.case import Context
from iluvatar_pxe.boot.preview.next_boot import Holders, PreviewStep, next_boot
from iluvatar_pxe.catalogue.coming import Coming, missing
from iluvatar_pxe.catalogue.download import Download
from iluvatar_pxe.catalogue.model import parse_catalogue
from iluvatar_pxe.catalogue.packages import packages_of
from iluvatar_pxe.cli.daemon import told
from iluvatar_pxe.cli.remote import check_local
from iluvatar_pxe.errors import FleetError, RepositoryError, SealError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.reading import fleet_in_force
from iluvatar_pxe.gitops.secrets.opening import with_opened
from iluvatar_pxe.host.packages import installed_versions
from iluvatar_pxe.inventory.database.queries import Stored
from iluvatar_pxe.inventory.database.read_only import read_only, retired_names
from iluvatar_pxe.inventory.database.store import Store
from iluvatar_pxe.inventory.window import seconds_left
from iluvatar_pxe.layers.arda.install import held_words
from iluvatar_pxe.machines.model import Machine, Snapshot
from iluvatar_pxe.machines.sighting import Sighting
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.wants import Wants
from iluvatar_pxe.resources import read_catalogue
from iluvatar_pxe.settings.model import Settings


@dataclass(frozen=True)
class State:
    """The state of one moment; ``stored`` is None where no daemon has run yet. Nothing is written."""

    settings: Settings
    fleet: Fleet
    stored: Stored | None
    now: datetime
    fleet_problem: str = ""
    """Why the fleet counts as empty, in one line; empty where it was read."""

    @classmethod
    def read(cls, settings: Settings) -> "State":
        """Read the applied fleet and the inventory.

        Raises FleetError, RepositoryError, SealError and InventoryError, and UsageError if the daemon is another host's.
        """
        check_local("this command")
        fleet = _applied_fleet(settings)
        return cls(settings, fleet, _stored(settings.database_url), datetime.now(UTC))

    @classmethod
    def read_recorded(cls, settings: Settings) -> "State":
        """Read the inventory, which has to be there, and the applied fleet; raises InventoryError.

        A fleet that is not valid counts as empty, with a line to standard error.
        """
        check_local("this command")
        stored = read_only(settings.database_url)
        fleet, problem = Fleet(), ""
        try:
            fleet = _applied_fleet(settings)
        except (FleetError, RepositoryError, SealError) as error:
            problem = str(error).partition("\n")[0]
            print(f"iluvatar-pxe: {problem}; ignoring the fleet", file=sys.stderr)  # noqa: T201
        return cls(settings, fleet, stored, datetime.now(UTC), problem)

    @property
    def snapshot(self) -> Snapshot:
        """All machines."""
        return self.stored.snapshot if self.stored else Snapshot()

    @cached_property
    def retired(self) -> list[Reservation]:
        """Names without a machine that stay reserved; raises InventoryError."""
        return retired_names(self.settings.database_url) if self.stored else []

    @cached_property
    def holders(self) -> Holders:
        """Who holds which place; raises InventoryError."""
        return Holders(self.snapshot, self.fleet, self.retired)

    @cached_property
    def assets(self) -> Listing:
        """The boot files that can be served."""
        return list_assets(self.settings.assets_directory, SYSTEM_PROGRAMS, self.settings.state_directory)

    @cached_property
    def coming(self) -> Coming:
        """The wanted boot files that are not here yet; none where a daemon does not tell."""
        answer = told(self.settings, ShowComing())
        if answer is None:
            return missing(self._downloads(), self.assets.names)
        return coming_of(answer) if answer else {}

    def _downloads(self) -> Sequence[Download]:
        """Return what the fleet wants, as a daemon would work it out."""
        catalogue = parse_catalogue(read_catalogue())
        wants = Wants(Applied(self.fleet), catalogue, lambda: self.fleet.lock)
        wants.installed = installed_versions(packages_of(catalogue))
        return wants.downloads

    @property
    def awaited(self) -> Mapping[str, str]:
        """By the names of the machines that a cluster waits for, why; none where no daemon tells."""
        awaited: Mapping[str, str] = self._clusters.get("awaited", {})
        return awaited

    @property
    def changing(self) -> Mapping[str, Sequence[str]]:
        """By the names of machines, what is to be changed of what they run with; none where no daemon tells."""
        changing: Mapping[str, Sequence[str]] = self._clusters.get("changes", {})
        return changing

    def troubles(self, machine: Machine) -> Sequence[str]:
        """Return what keeps a machine, or its cluster, from what the fleet wants; nothing where no daemon tells."""
        return troubles_of(machine, self.fleet, self._clusters)

    @cached_property
    def _clusters(self) -> CommandResult:
        return told(self.settings, ShowAwaited()) or {}

    @property
    def window_seconds(self) -> float:
        """Seconds for which the enrolment window stays open."""
        return seconds_left(self.stored.window if self.stored else None, self.now)

    @cached_property
    def context(self) -> Context:
        """What a decision needs besides, for a request that comes from the machine itself."""
        return Context(
            ready=self.assets.names,
            links=self.assets.links,
            coming=self.coming,
            window_open=self.window_seconds > 0,
            no_disk=held_words,
        )

    def next_boot(self, asker: Sighting) -> tuple[PreviewStep, ...]:
        """Return every decision of a machine's next boot; see ``boot.preview.next_boot``."""
        return next_boot(asker, self.snapshot, self.fleet, self.context, self.holders)


def _applied_fleet(settings: Settings) -> Fleet:
    return with_opened(asyncio.run(fleet_in_force(settings)), settings)


def _stored(url: str) -> Stored | None:
    return None if _is_missing(Store(url).path) else read_only(url)


def _is_missing(path: Path) -> bool:
    """Say whether a path leads nowhere; one that is closed to this user is for its reader to complain about."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False
