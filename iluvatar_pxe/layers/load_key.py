"""How the daemon shows who it is in TLS, by a key that is never on a disk."""

import os
import ssl

from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.layers.keys import standard_pem


def load_key(context: ssl.SSLContext, credentials: Credentials) -> None:
    """Load certificate and key from memory: ``ssl`` takes files only, and the key is never on a disk."""
    with os.fdopen(os.memfd_create("credentials"), "w") as file:
        file.write(f"{credentials.crt}\n{standard_pem(credentials.key)}")
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
