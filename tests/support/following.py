"""What of a daemon follows a repository and commits to it: the enrolment window, and the pins of boot files."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from support.repositories import Person, bare

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.origin import FollowedOrigin
from iluvatar_pxe.gitops.repository.remote import Remote
from iluvatar_pxe.gitops.secrets.opening import Opener
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.inventory.window import Window
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.enrolment import FleetWindow
from iluvatar_pxe.provisioning.pins import FleetPins, Pins
from iluvatar_pxe.provisioning.rollout import Rollout


def central_in(directory: Path, files: Mapping[str, str | None]) -> Path:
    """Make the repository that daemons follow."""
    repository = bare(directory / "central.git")
    person = Person(directory / "clone", str(repository.path))
    person.commit(files)
    person.push()
    return repository.path


class Daemon:
    """What of a daemon follows a repository, has a window and pins."""

    def __init__(self, directory: Path, central: Path, *, read_only: bool) -> None:
        directory.mkdir()
        self.inventory = Inventory(f"sqlite:///{directory}.db")
        self.applied = applied = Applied()
        rollout = Rollout(
            applied,
            AssetStore(directory),
            self.inventory,
            Opener(lambda: None),
            repository_decides=not read_only,
        )
        remote = Remote(f"file://{central}", directory / "hosts")
        copy = bare(directory / "followed.git")
        self.follower = Follower(FollowedOrigin(copy, remote, poll=60, read_only=read_only), rollout)
        self.changed = rollout.changed
        self.keeper = FleetWindow(self.follower.commit)
        self.pins = Pins(FleetPins(applied, self.follower.commit))

    @property
    def window(self) -> Window:
        return self.inventory.window


@asynccontextmanager
async def daemon(directory: Path, central: Path, *, read_only: bool = False) -> AsyncIterator[Daemon]:
    made = Daemon(directory, central, read_only=read_only)
    await made.inventory.open()
    await made.follower.start()
    yield made
    await made.inventory.close()
