"""``recipients.yaml``: who can decrypt the sealed files. Pure."""

import json
import re

from msgspec import Struct

from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.fleet.source import RECIPIENTS_FILE
from iluvatar_pxe.gitops.repository.bare import Changes

_HEAD = """\
# yaml-language-server: $schema=schemas/recipients.schema.json
# The public keys that files of this repository are sealed to. Write access to this file decides who can read what is sealed next.
"""


class Enlisting(Struct, frozen=True):
    """A daemon, by host name and public key, and the owner's new recovery key where that is made."""

    host: str
    daemon: str
    recovery: str | None = None

    def recipients(self, known: RecipientsFile) -> RecipientsFile:
        """Return them among the others. A recovery key that is there stays."""
        changed: dict[str, object] = {}
        if self.daemon not in known.daemons.values():
            changed["daemons"] = {**known.daemons, self._free_name(known): self.daemon}
        if self.recovery and not known.recovery:
            changed["recovery"] = self.recovery
        return known.model_copy(update=changed)

    def changes(self, known: RecipientsFile) -> Changes | None:
        """Return the commit that makes them recipients, or None where they are."""
        wanted = self.recipients(known)
        if wanted == known:
            return None
        return Changes(f"{self.host} may open sealed files\n", {RECIPIENTS_FILE: recipients_text(wanted)})

    def _free_name(self, known: RecipientsFile) -> str:
        """Many a Pi is called raspberrypi."""
        name = re.sub("[^a-z0-9]+", "-", self.host.lower()).strip("-")[:50] or "daemon"
        number = 2
        free = name
        while free in known.daemons:
            free, number = f"{name}-{number}", number + 1
        return free


def recipients_text(recipients: RecipientsFile) -> bytes:
    """Return the file; its values are plain words, which are YAML as JSON writes them."""
    lines = [f"recovery: {recipients.recovery}\n"] if recipients.recovery else []
    lines += ["daemons:\n"] if recipients.daemons else []
    lines += [f"  {json.dumps(name)}: {key}\n" for name, key in recipients.daemons.items()]
    return (_HEAD + "".join(lines)).encode()
