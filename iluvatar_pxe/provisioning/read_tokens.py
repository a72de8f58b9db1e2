"""The tokens that clusters' Argo CDs read the hosted fleet with: made of the clusters' secrets, and known to this host by their hashes."""

import asyncio
import logging

from iluvatar_pxe.changed import Changed, Subscription
from iluvatar_pxe.errors import IluvatarError, RepositoryError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.gitops.secrets.tokens import OWN, Tokens
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.argocd import read_token
from iluvatar_pxe.provisioning.cluster_secrets import ClusterSecrets
from iluvatar_pxe.ratelimit import complain


class ReadTokens:
    """Keeps one for each cluster whose configurations the daemon makes; after each commit it looks which these are."""

    def __init__(self, tokens: Tokens, applied: Applied, secrets: ClusterSecrets, changed: Changed) -> None:
        self._tokens = tokens
        self._applied = applied
        self._secrets = secrets
        self._changed = changed

    async def run(self) -> None:
        """Keep them, until cancelled."""
        with Subscription(self._changed) as news:
            while True:
                await news.wait()
                await self.keep()

    async def keep(self) -> None:
        """Have the tokens of today's clusters; that of a cluster whose secrets cannot be opened now stays as it is."""
        given = {_name(layer): await self._token(layer) for layer in _clusters(self._applied.fleet)}
        try:
            await asyncio.to_thread(self._tokens.keep_own, given)
        except RepositoryError as error:
            complain("argocd.token", logging.ERROR, why=str(error))

    async def _token(self, layer: str) -> str | None:
        try:
            return read_token(await self._secrets.any_known(layer))
        except IluvatarError as error:
            complain("argocd.token", layer=layer, why=str(error))
            return None


def _clusters(fleet: Fleet) -> list[str]:
    return [name for name in fleet.clusters if _is_configured(name, fleet)]


def _is_configured(name: str, fleet: Fleet) -> bool:
    talos, k3s = fleet.talos(name), fleet.k3s(name)
    return bool(talos and not talos.config) or bool(k3s and not k3s.configures_itself)


def _name(layer: str) -> str:
    return f"argocd{OWN}{layer}"
