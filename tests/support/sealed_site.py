"""A repository with one layer of each kind, and daemons that seal secrets into it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from support.fleets import ARDA
from support.following import Daemon, central_in, daemon
from support.repositories import Person, git
from support.secrets_of import first_key

from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.gitops.secrets.recipients import recipients_text
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.signing_clock import SigningClock

NAMES = ("one", "two")
AINUR = "kind: k3s\n"


def now() -> datetime:
    return datetime.now(UTC)


class SealedSite:
    """A repository, and the keys of two hosts to what is sealed in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keys = {name: directory / f"{name}.key" for name in NAMES}
        daemons = {name: str(daemon_key(file).to_public()) for name, file in self.keys.items()}
        recipients = recipients_text(RecipientsFile(recovery=str(new_key().to_public()), daemons=daemons))
        files = {
            "fleet.yaml": "",
            "layers/arda.yaml": ARDA,
            "layers/ainur.yaml": AINUR,
            "recipients.yaml": recipients.decode(),
        }
        self.central = central_in(directory, files)
        self.person = Person(directory / "person", str(self.central))

    def secrets(
        self, of: Daemon, key: str = "one", clock: Callable[[], datetime] = now, *, may_commit: bool = True
    ) -> ClusterSecrets:
        repository = ClusterRepository(
            lambda: of.follower.in_force, of.follower.commit if may_commit else None
        )
        signing = SigningClock(repository.revision, lambda: of.inventory.snapshot, clock)
        return ClusterSecrets(repository, self.keys.get(key, self.directory / key), signing, first_key)

    def change(self, path: str, change: Callable[[str], str]) -> None:
        """Have a person push another text of a file."""
        self.person.pull()
        text = (self.person.directory / path).read_text()
        self.person.commit({path: change(text)})
        self.person.push()

    def log(self) -> list[str]:
        return git(self.central, "log", "--format=%s", "--reverse", "main").splitlines()


@asynccontextmanager
async def followed(site: SealedSite, *names: str) -> AsyncIterator[list[Daemon]]:
    async with daemon(site.directory / names[0], site.central) as first:
        if not names[1:]:
            yield [first]
            return
        async with followed(site, *names[1:]) as others:
            yield [first, *others]
