"""Replaces the owner's recovery key, with what this host's own key opens. Pure but for sealing."""

from pyrage.x25519 import Identity

from iluvatar_pxe.fleet.sealed import sealed_paths
from iluvatar_pxe.fleet.source import RECIPIENTS_FILE
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.recipients import recipients_text
from iluvatar_pxe.gitops.secrets.sealing import seal, unseal


def renewal(revision: Revision, host: str, own: Identity, recovery: str) -> Changes:
    """Return the commit that seals every file anew, to the public key ``recovery`` in place of the former one.

    Raises SealError if ``own``, this host's key, does not open one of them.
    """
    recipients = revision.fleet.recipients.model_copy(update={"recovery": recovery})
    files: dict[str, bytes | None] = {
        path: seal(unseal(path, revision.tree.texts[path].encode(), [own]), recipients.keys)
        for path in sealed_paths(revision.tree.texts)
    }
    files[RECIPIENTS_FILE] = recipients_text(recipients)
    return Changes(f"{host} renews the recovery key\n", files)
