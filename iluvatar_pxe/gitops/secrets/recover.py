"""Adds a new host to the recipients of sealed files: decrypts with the recovery key and seals again for all."""

from pyrage.x25519 import Identity

from iluvatar_pxe.errors import SealError
from iluvatar_pxe.fleet.sealed import sealed_paths
from iluvatar_pxe.gitops.repository.bare import Changes
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.recipients import Enlisting
from iluvatar_pxe.gitops.secrets.sealing import seal, unseal


def recovery(revision: Revision, enlisting: Enlisting, own: Identity, key: Identity) -> Changes | None:
    """Return what lets this host, by its ``own`` key, open every sealed file; None where it can already.

    ``key`` is the recovery key; raises SealError where it is another fleet's, or neither opens a file. What this host can open stays as it is:
    sealing is never twice the same.
    """
    known = revision.fleet.recipients
    if known.recovery and str(key.to_public()) not in known.keys:
        raise SealError(
            "this key is not of this fleet: recipients.yaml does not list it; use the fleet's recovery key"
        )
    recipients = enlisting.recipients(revision.fleet.recipients)
    files: dict[str, bytes | None] = {
        path: seal(unseal(path, revision.tree.texts[path].encode(), [key]), recipients.keys)
        for path in sealed_paths(revision.tree.texts)
        if not _opens(path, revision.tree.texts[path], own)
    }
    enlisted = enlisting.changes(revision.fleet.recipients)
    if enlisted:
        files |= enlisted.files
    return Changes(f"{enlisting.host} may open what is sealed here\n", files) if files else None


def _opens(path: str, text: str, key: Identity) -> bool:
    try:
        unseal(path, text.encode(), [key])
    except SealError:
        return False
    return True
