"""The secrets of clusters: made once, committed sealed, and otherwise in memory only."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from iluvatar_pxe.errors import BundleError, IluvatarError, OperationError, RepositoryError
from iluvatar_pxe.fleet.source import cluster_file, cluster_secrets, layer_file
from iluvatar_pxe.gitops.changes.founding import give_secrets
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.first_keys import KEY_FILE
from iluvatar_pxe.gitops.secrets.sealing import known_key
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.credentials import administrator_credentials, etcd_credentials
from iluvatar_pxe.layers.ainur.generate import generate_k3s_bundle
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.credentials import ApiRole, kubernetes_credentials, talos_credentials
from iluvatar_pxe.layers.arda.generate import SERVICE_ACCOUNT_BITS, generate_bundle
from iluvatar_pxe.layers.certificates import Client
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.keys import dump_key
from iluvatar_pxe.problem import Problem
from iluvatar_pxe.provisioning.bundle_kinds import K3S, TALOS, AnyBundle, BundleKind, BundleT, kind_of
from iluvatar_pxe.provisioning.sealed_bundles import SealedBundles, check_recipient
from iluvatar_pxe.provisioning.signing_clock import SigningClock
from iluvatar_pxe.settings.model import Settings

_NO_REPOSITORY = (
    "the secrets of a cluster are sealed into the fleet's Git repository, and this fleet has none that could be read; "
    "set [fleet] source to hosted or to a repository"
)
_log = structlog.get_logger()


async def _no_file(_path: str) -> str:
    return ""


async def _no_origin() -> None:
    """Nothing is newer."""


class ClusterRepository(Struct, frozen=True):
    """What is read and committed of the fleet's repository."""

    revision: Callable[[], Revision | None]
    """Returns the applied commit; None where the fleet is a plain directory, or nothing was read yet."""
    commit: Callable[[Draw], Awaitable[Revision]] | None = None
    """As ``Follower.commit``; None where this host may not commit."""
    text: Callable[[str], Awaitable[str]] = _no_file
    """Returns a file of the applied commit, also one that is Argo CD's; nothing where there is none."""
    refresh: Callable[[], Awaitable[None]] = _no_origin
    """Applies the newest commit; why it cannot, is the fleet's problem."""


class _Failed(Struct, frozen=True, eq=False):
    """The last attempt to make secrets that has failed."""

    layer: str = ""
    why: str = ""


def service_account_key() -> str:
    """Return a new RSA key; blocks, for seconds on a Raspberry Pi."""
    return dump_key(rsa.generate_private_key(65537, SERVICE_ACCOUNT_BITS))


class ClusterSecrets:
    """Gives the secrets of a layer's cluster, and signs with them.

    Of daemons that make them at the same time, the commit that comes first counts, for all of them.
    """

    def __init__(
        self,
        repository: ClusterRepository,
        key_file: Path,
        clock: SigningClock,
        new_key: Callable[[], str] = service_account_key,
    ) -> None:
        """``key_file`` has this host's own age key; ``new_key`` makes a cluster's RSA key, and may block."""
        self._repository = repository
        self._key_file = key_file
        self._clock = clock
        self._new_key = new_key
        self._making = asyncio.Lock()
        self._failed = _Failed()
        self._spare_key = ""
        """A service account key that is in no commit yet: another one would take seconds."""
        self._bundles = SealedBundles(key_file)
        self._problems: dict[str, Problem] = {}
        """By layer, of those that the fleet has."""

    @classmethod
    def of(cls, settings: Settings, inventory: Inventory, repository: ClusterRepository) -> "ClusterSecrets":
        """Return those of a host."""
        clock = SigningClock(repository.revision, lambda: inventory.snapshot)
        return cls(repository, settings.state_directory / KEY_FILE, clock)

    @property
    def problem(self) -> str | None:
        """Why the secrets of a cluster cannot be made or opened, or None."""
        return next((one.text for one in self._problems.values() if one.text), None)

    async def bundle(self, layer: str) -> Bundle:
        """Return the secrets of a Talos cluster, made and committed now where it has none.

        Raises OperationError, ClockError, SealError, BundleError and RepositoryError.
        """
        return await self._given(TALOS, layer)

    async def k3s(self, layer: str) -> K3sBundle:
        """Return the secrets of a k3s cluster, made and committed now where it has none; raises as ``bundle``."""
        return await self._given(K3S, layer)

    async def known(self, layer: str) -> Bundle:
        """Return the secrets of a Talos cluster that has some.

        Raises OperationError for one that has none, and as ``bundle``.
        """
        return await self._known(TALOS, layer)

    async def known_k3s(self, layer: str) -> K3sBundle:
        """Return the secrets of a k3s cluster that has some; raises as ``known``."""
        return await self._known(K3S, layer)

    async def any_known(self, layer: str) -> AnyBundle:
        """Return the secrets of a cluster that has some, of whatever kind; raises as ``known``."""
        revision = self._with_secrets(layer)
        with self._reported(layer):
            return await self._bundles.open(revision, layer)

    async def take(self, layer: str, bundle: AnyBundle) -> None:
        """Commit the secrets of a cluster that exists elsewhere; raises as ``bundle``, and OperationError where there are others."""
        _check_layer(self._revision(), layer, kind_of(bundle))
        await self.check(layer, bundle)
        async with self._making:
            revision = await self._commit(layer, bundle)
        if await self._bundles.open(revision, layer) != bundle:
            files = f"{cluster_file(layer)} and {cluster_secrets(layer)}"
            raise OperationError(
                f"{layer}: has other secrets already; to give it these, first reset its machines, and remove {files} "
                "in a commit"
            )

    async def check(self, layer: str, bundle: AnyBundle) -> None:
        """Raise BundleError or OperationError where a layer cannot have these secrets, which were made elsewhere."""
        kind = kind_of(bundle)
        kind.check(bundle, self._clock.now())
        await self._check_other_clusters(layer, kind.unshared(bundle))

    async def adopt(
        self, layer: str, bundle: K3sBundle, draw: Callable[[Revision, str], Changes]
    ) -> Revision:
        """Commit what ``draw`` makes of the newest revision and the text of these secrets, which are checked; raises as ``take``."""
        own = await asyncio.to_thread(known_key, self._key_file)
        text = K3S.dump(bundle)

        def drawn(newest: Revision) -> Changes:
            check_recipient(newest.fleet.recipients, own)
            return draw(newest, text)

        async with self._making:
            revision = await self._committing(layer)(drawn)
        _log.info("cluster.adopted", layer=layer, fingerprint=K3S.fingerprint(bundle))
        return revision

    async def _check_other_clusters(self, layer: str, ours: Mapping[str, bytes]) -> None:
        """Raise OperationError where another cluster has one of these CAs: it would accept this one's machines."""
        revision = self._revision()
        for other in revision.fleet.clusters.keys() - {layer}:
            bundle = await self._bundles.open(revision, other)
            theirs = set(kind_of(bundle).unshared(bundle).values())
            if name := next((name for name, value in ours.items() if value in theirs), None):
                raise OperationError(
                    f"{layer}: {name} of these secrets is also in those of {other}, and clusters that share one cannot "
                    f"be told apart; leave {layer} to get secrets of its own"
                )

    async def talos(self, layer: str, roles: Collection[ApiRole], lifetime: timedelta) -> Credentials:
        """Return credentials for Talos' API of a cluster that has secrets; raises as ``known``."""
        bundle = await self.known(layer)
        return talos_credentials(bundle, roles, lifetime, self._clock.now(), secrets.token_bytes)

    async def etcd(self, layer: str, lifetime: timedelta) -> Credentials:
        """Return credentials for the etcd of a k3s cluster that has secrets; raises as ``known``."""
        bundle = await self.known_k3s(layer)
        return etcd_credentials(bundle, lifetime, self._clock.now(), secrets.token_bytes)

    async def kubernetes(self, layer: str, lifetime: timedelta) -> Credentials:
        """Return an administrator's credentials for the Kubernetes API; raises as ``known``."""
        bundle = await self.any_known(layer)
        if isinstance(bundle, K3sBundle):
            return self.administrator(bundle, lifetime)
        return kubernetes_credentials(bundle, lifetime, self._clock.now(), secrets.token_bytes)

    def administrator(self, bundle: K3sBundle, lifetime: timedelta) -> Credentials:
        """Return an administrator's credentials, signed with these secrets; raises BundleError and ClockError."""
        return administrator_credentials(bundle, lifetime, self._clock.now(), secrets.token_bytes)

    async def talos_kubernetes(self, layer: str, client: Client, lifetime: timedelta) -> Credentials:
        """Return a client's credentials for the Kubernetes API of a Talos cluster; raises as ``known``."""
        bundle = await self.known(layer)
        return kubernetes_credentials(bundle, lifetime, self._clock.now(), secrets.token_bytes, client)

    @contextmanager
    def _reported(self, layer: str) -> Iterator[None]:
        """Have what fails be the layer's problem, until it succeeds."""
        if revision := self._repository.revision():
            layers = revision.fleet.layers
            self._problems = {name: one for name, one in self._problems.items() if name in layers}
        problem = self._problems.setdefault(
            layer, Problem(lambda why: _log.error("cluster.secrets", why=why))
        )
        try:
            yield
        except IluvatarError as error:
            problem.set(str(error))
            raise
        problem.clear()

    def _revision(self) -> Revision:
        revision = self._repository.revision()
        if revision is None:
            raise OperationError(_NO_REPOSITORY)
        return revision

    def _with_secrets(self, layer: str, kind: BundleKind[Any] | None = None) -> Revision:
        """Return the applied commit; raises OperationError where it has no secrets of a layer's cluster."""
        revision = self._revision()
        fleet = revision.fleet
        if layer in fleet.layers or layer not in fleet.clusters:
            _check_layer(revision, layer, kind)
        if layer not in fleet.clusters:
            raise OperationError(
                f"{layer}: has no secrets yet; they are made when its first machine asks for its configuration"
            )
        return revision

    async def _known(self, kind: BundleKind[BundleT], layer: str) -> BundleT:
        revision = self._with_secrets(layer, kind)
        with self._reported(layer):
            return await self._open(kind, revision, layer)

    async def _given(self, kind: BundleKind[BundleT], layer: str) -> BundleT:
        with self._reported(layer):
            revision = self._revision()
            if layer not in revision.fleet.clusters:
                revision = await self._make(kind, layer)
            return await self._open(kind, revision, layer)

    async def _open(self, kind: BundleKind[BundleT], revision: Revision, layer: str) -> BundleT:
        bundle = await self._bundles.open(revision, layer)
        if isinstance(bundle, kind.bundle):
            return bundle
        raise BundleError(
            f"{cluster_secrets(layer)}: has the secrets of a cluster that is not of kind {kind.layer}; give the layer "
            "another name, or the kind that it had"
        )

    async def _make(self, kind: BundleKind[Any], layer: str) -> Revision:
        """Give a cluster its secrets, unless it has got some meanwhile; return the commit that counts.

        Those who wait for an attempt that fails, fail with it: many machines ask at once.
        """
        failed = self._failed
        async with self._making:
            if self._failed is not failed and self._failed.layer == layer:
                raise OperationError(self._failed.why)
            try:
                return await self._attempt(kind, layer)
            except IluvatarError as error:
                self._failed = _Failed(layer, str(error))
                raise

    async def _attempt(self, kind: BundleKind[Any], layer: str) -> Revision:
        revision = self._revision()
        if layer in revision.fleet.clusters:
            return revision
        _check_layer(revision, layer, kind)
        now = self._clock.now()
        self._spare_key = self._spare_key or await asyncio.to_thread(self._new_key)
        bundle: AnyBundle
        if kind is K3S:
            bundle = generate_k3s_bundle(secrets.token_bytes, self._spare_key, now)
        else:
            bundle = generate_bundle(secrets.token_bytes, self._spare_key, now)
        revision = await self._commit(layer, bundle)
        self._spare_key = ""
        return revision

    def _committing(self, layer: str) -> Callable[[Draw], Awaitable[Revision]]:
        """Return what commits; raises RepositoryError where this host may not."""
        if self._repository.commit is None:
            raise RepositoryError(
                f"{layer}: has no secrets, and this daemon may not commit any; set [fleet] read_only = false, or have "
                "another daemon make them"
            )
        return self._repository.commit

    async def _commit(self, layer: str, bundle: AnyBundle) -> Revision:
        """Commit a cluster's secrets, where it has none; return the commit that counts."""
        commit = self._committing(layer)
        own = await asyncio.to_thread(known_key, self._key_file)
        kind = kind_of(bundle)
        mark = kind.fingerprint(bundle)

        def draw(newest: Revision) -> Changes | None:
            _check_layer(newest, layer, kind)
            check_recipient(newest.fleet.recipients, own)
            return give_secrets(newest, layer, mark, kind.dump(bundle))

        revision = await commit(draw)
        if revision.fleet.clusters[layer].ca_fingerprint == mark:
            _log.info("cluster.secrets", layer=layer, fingerprint=mark)
        return revision


def _check_layer(revision: Revision, layer: str, kind: BundleKind[Any] | None) -> None:
    """Raise OperationError unless the fleet has this layer; None is any kind."""
    layers = revision.fleet.layers
    known = [name for name, one in layers.items() if kind is None or one.kind is kind.layer]
    if layer not in known:
        wanted = f" and of kind {kind.layer}" if kind else ""
        of = f" of kind {kind.layer}" if kind else ""
        told = f"; its layers{of}: {', '.join(known)}" if known else f"; add {layer_file(layer)}"
        raise OperationError(f"{layer}: the fleet has no layer of this name{wanted}{told}")
