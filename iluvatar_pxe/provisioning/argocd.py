"""Argo CD in clusters whose configurations the daemon makes: how it gets there, and what it follows the fleet with."""

import asyncio
import hmac
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import urlsplit

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.errors import AssetError, ConfigurationError
from iluvatar_pxe.gitops.secrets.tokens import token_of
from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.node import InstalledArgoCd
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration.facts import Manifest
from iluvatar_pxe.layers.argocd.following import Followed, following
from iluvatar_pxe.layers.argocd.install import installed_objects, manifest
from iluvatar_pxe.layers.argocd.objects import Object
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.around import address_known
from iluvatar_pxe.provisioning.bundle_kinds import AnyBundle
from iluvatar_pxe.ratelimit import complain
from iluvatar_pxe.settings.model import HOSTED, Settings

NAME = "argo-cd"
"""Talos' name for the manifest."""
_OF_A_DAEMON = re.compile(r"/+git/([\w.-]+?)(?:\.git)?/*")
"""The path of a repository that a daemon hosts."""


class ArgoCd:
    """Returns what control planes bring into their cluster."""

    def __init__(
        self,
        settings: Settings,
        applied: Applied,
        store: AssetStore,
        wanted: Callable[[], str | None],
        chart: Callable[[], str | None],
        authority: Callable[[], str],
        peers: Callable[[], Iterable[str]],
    ) -> None:
        """Take what is asked each time.

        ``wanted`` returns the logical name of the release's manifest, ``chart`` that of its Helm chart, ``authority``
        this daemon's CA in PEM, if it has one, ``peers`` the places of the other daemons.
        """
        self._settings = settings
        self._applied = applied
        self._store = store
        self._wanted = wanted
        self._chart = chart
        self._authority = authority
        self._peers = peers
        self._reading = asyncio.Lock()
        self._read: tuple[object, tuple[Object, ...]] = (None, ())

    async def manifests(self, layer: str, bundle: Bundle) -> tuple[Manifest, ...]:
        """Return Argo CD's manifest; none while the release's is not here: a cluster does not wait for it."""
        try:
            installed = await self._installed()
            followed = await self._followed(layer, read_token(bundle))
        except (AssetError, ConfigurationError) as error:
            complain("argocd.missing", layer=layer, why=str(error))
            return ()
        return (Manifest(NAME, manifest(installed, following(followed))),)

    async def installed(self, layer: str, bundle: K3sBundle) -> InstalledArgoCd | None:
        """Return what a k3s cluster installs; None where no layer wants it. Raises ConfigurationError."""
        chart = self._chart()
        return InstalledArgoCd(chart, await self._followed(layer, read_token(bundle))) if chart else None

    async def _installed(self) -> tuple[Object, ...]:
        """Return what the release installs, worked out once for each file; raises AssetError, ConfigurationError."""
        name = self._wanted()
        async with self._reading:
            source = await self._store.open(name) if name else None
            if source is None:
                raise AssetError(
                    f"{name or NAME}: is not there yet; control planes that are configured now get it later"
                )
            try:
                mark = (name, source.size, source.modified)
                if self._read[0] != mark:
                    text = (await source.read(0, source.size)).decode("utf-8", "replace")
                    self._read = mark, await asyncio.to_thread(installed_objects, text)
            finally:
                await source.close()
            return self._read[1]

    async def _followed(self, layer: str, token: str) -> Followed:
        """Return the fleet's repository for a cluster; raises ConfigurationError."""
        fleet, branch = self._settings.fleet, self._settings.fleet.branch
        host = f"git.{self._applied.fleet.settings.domain}"
        if fleet.source == HOSTED:
            url = f"https://{host}:{self._settings.http.tls_port}/git/fleet.git"
            return Followed(layer=layer, url=url, branch=branch, token=token, authority=self._authority())
        source = urlsplit(fleet.source)
        own = _OF_A_DAEMON.fullmatch(source.path)
        if source.scheme != "https" or not own or not await self._is_daemon(source.hostname or ""):
            return Followed(layer=layer, url=fleet.source, branch=branch)
        url = f"https://{host}:{source.port or 443}/git/{own[1]}.git"
        authority = await asyncio.to_thread(_text, fleet.ca_file)
        return Followed(layer=layer, url=url, branch=branch, token=token, authority=authority)

    async def _is_daemon(self, host: str) -> bool:
        """Say whether a host is a daemon of the fleet, by its name or by its address; others are forges."""
        fleet = self._applied.fleet
        domain = fleet.settings.domain or ""
        peers = (place.partition(":")[0] for place in self._peers())
        daemons = {os.uname().nodename, *fleet.recipients.daemons, *peers}
        if host in {f"git.{domain}", *daemons, *(f"{name}.{domain}" for name in daemons)}:
            return True
        addresses = await asyncio.gather(*(address_known(name, domain) for name in daemons))
        return host in {str(one) for one in addresses if one}


def read_token(bundle: AnyBundle) -> str:
    """Return the token that a cluster's Argo CD reads the fleet with: made of its secrets, so that every daemon knows it.

    It is made of one that workers and agents do not have, and tells nothing of that.
    """
    secret = bundle.server_token if isinstance(bundle, K3sBundle) else bundle.secretbox_key
    key, purpose = secret.encode(), b"iluvatar-pxe: Argo CD reads the fleet"
    return token_of(hmac.digest(key, purpose, "sha256"))


def _text(file: Path | None) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace") if file else ""
    except OSError as error:
        raise ConfigurationError(
            f"[fleet] ca_file {file}: cannot be read: {error.strerror}; correct its permissions"
        ) from error
