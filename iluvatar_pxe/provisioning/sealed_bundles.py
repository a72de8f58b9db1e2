"""Opens the sealed secrets of clusters, and remembers what they hold in memory."""

import asyncio
from pathlib import Path

from pyrage.x25519 import Identity

from iluvatar_pxe.errors import BundleError, SealError
from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.fleet.source import cluster_file, cluster_secrets
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.sealing import known_key, unseal
from iluvatar_pxe.provisioning.bundle_kinds import AnyBundle, kind_of, load_secrets


class SealedBundles:
    """Opens each sealed file once, with this host's key."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file
        self._opened: dict[str, tuple[str, AnyBundle]] = {}
        """By layer, what is sealed and what it holds; of the clusters that the last commit has."""

    async def open(self, revision: Revision, layer: str) -> AnyBundle:
        """Return the secrets that a commit has of a cluster; raises SealError and BundleError."""
        clusters = revision.fleet.clusters
        sealed = revision.tree.texts[cluster_secrets(layer)]
        known = self._opened.get(layer)
        if known is None or known[0] != sealed:
            bundle = await asyncio.to_thread(_opened, self._key_file, cluster_secrets(layer), sealed)
            if kind_of(bundle).fingerprint(bundle) != clusters[layer].ca_fingerprint:
                raise BundleError(
                    f"{cluster_secrets(layer)}: is not of the CA that {cluster_file(layer)} names; restore both from "
                    "the same commit"
                )
            known = sealed, bundle
        self._opened = {name: one for name, one in self._opened.items() if name in clusters} | {layer: known}
        return known[1]


def check_recipient(recipients: RecipientsFile, own: Identity | None) -> None:
    """Raise SealError where a host with this key could not open what it seals."""
    if own is None or str(own.to_public()) not in recipients.keys:
        raise SealError(
            "recipients.yaml does not list this host's key, so it could not open the secrets that it makes; "
            "run: iluvatar-pxe fleet init"
        )


def _opened(key_file: Path, path: str, sealed: str) -> AnyBundle:
    """Return the secrets in a sealed text; blocks, raises SealError and BundleError."""
    key = known_key(key_file)
    if key is None:
        raise SealError(
            f"{key_file}: this host has no key to open {path}; run: iluvatar-pxe fleet recover --key FILE"
        )
    try:
        bundle = load_secrets(unseal(path, sealed.encode(), [key]).decode())
        kind_of(bundle).check_form(bundle)
    except (BundleError, UnicodeDecodeError) as error:
        why = error if isinstance(error, BundleError) else "is not UTF-8 text; restore it from the history"
        raise BundleError(f"{path}: {why}") from error
    return bundle
