"""A daemon whose fleet has a k3s and a Talos cluster that are founded, with stand-ins for their API servers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.ainur import bundle_of as k3s_bundle
from support.fleets import ARDA
from support.following import central_in, daemon
from support.founding import QUICK, secrets_of
from support.objects_api import ObjectsApi
from support.repositories import Person, git
from support.secrets_of import bundle_of
from support.talos.site import loopback_addresses

from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.gitops.follower import Follower
from iluvatar_pxe.gitops.secrets.recipients import recipients_text
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key
from iluvatar_pxe.layers.arda.clock import BUILT
from iluvatar_pxe.provisioning.cluster_context import ClusterContext
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository
from iluvatar_pxe.provisioning.delivering import Delivery, FoundedLayers
from iluvatar_pxe.provisioning.layer_tasks import LayerTasks

AINUR = "kind: k3s\nimage: ubuntu\nservers: 1\nroot: {kind: memory, data: {label: data}}\n"
TALOS = bundle_of("arda", BUILT)
_FOUNDED = 'founder: "{}-01"\nfounded: "2026-11-29T02:00:00Z"\n'


@dataclass
class FoundedClusters:
    """What a test sees of them."""

    directory: Path
    central: Path
    context: ClusterContext
    ainur: ObjectsApi
    arda: ObjectsApi
    follower: Follower
    deliveries: LayerTasks[Delivery]
    _people: list[Person] = field(default_factory=list)

    async def push(self, files: dict[str, str | None]) -> None:
        """Have a person push files, or their removal, and the daemon apply them."""
        person = Person(self.directory / f"person{len(self._people)}", str(self.central))
        self._people.append(person)
        person.commit(files)
        person.push()
        await self.follower.refresh()

    def line(self, layer: str) -> str:
        """Return why a cluster does not have everything."""
        found = self.deliveries.by_layer.get(layer)
        return (found and found.line) or ""

    @asynccontextmanager
    async def arda_on(self) -> AsyncIterator[None]:
        """Have the Talos cluster answer."""
        async with self.arda.serving(TALOS.kubernetes, TALOS.kubernetes):
            yield


@asynccontextmanager
async def founded_clusters(
    directory: Path, fleet: str = "domain: home.arpa\n", **files: str
) -> AsyncIterator[FoundedClusters]:
    """Serve both, and have the daemon look after them; ``arda`` is off until it is served."""
    addresses = loopback_addresses()
    ainur, arda = ObjectsApi(next(addresses), {"argocd"}), ObjectsApi(next(addresses))
    key = directory / "one.key"
    listed = {"one": str(daemon_key(key).to_public())}
    recipients = recipients_text(RecipientsFile(recovery=str(new_key().to_public()), daemons=listed))
    machine = "match: {{macs: ['2c:cf:67:00:00:{}']}}\nrole: {}\nlayer: {}\naddress: {}\n"
    pushed: dict[str, str | None] = {
        "fleet.yaml": fleet,
        "layers/ainur.yaml": AINUR,
        "layers/arda.yaml": ARDA,
        "machines/ainur-01.yaml": machine.format("01", "server", "ainur", ainur.address),
        "machines/arda-01.yaml": machine.format("02", "controlplane", "arda", arda.address),
        "recipients.yaml": recipients.decode(),
        **files,
    }
    central = central_in(directory, pushed)
    async with daemon(directory / "one", central) as follows:
        follower = follows.follower
        repository = ClusterRepository(lambda: follower.in_force, follower.commit)
        secrets = secrets_of(follows, repository, key)
        await secrets.take("ainur", k3s_bundle())
        await secrets.take("arda", TALOS)
        context = ClusterContext(
            fleet=lambda: follows.applied.fleet,
            snapshot=lambda: follows.inventory.snapshot,
            secrets=secrets,
            repository=repository,
            changed=follows.changed,
            fleet_problem=lambda: follower.problem,
            pace=QUICK,
        )
        deliveries = LayerTasks(FoundedLayers(context), lambda layer: Delivery(layer, context))
        site = FoundedClusters(directory, central, context, ainur, arda, follower, deliveries)
        records = {
            f"clusters/{name}.yaml": git(central, "show", f"main:clusters/{name}.yaml")
            for name in ("ainur", "arda")
        }
        await site.push({path: text + _FOUNDED.format(Path(path).stem) for path, text in records.items()})
        bundle = k3s_bundle()
        async with ainur.serving(bundle.server, bundle.client):
            task = asyncio.create_task(deliveries.run())
            try:
                yield site
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
