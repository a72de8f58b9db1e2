"""Secrets of a k3s cluster that are none, for documents that are only shown or compared."""

from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.replies.masking import MASK

_CRT = """\
-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUDX7IDEg31NUU7YtYwPTG1tdRcucwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbWFza2VkMCAXDTI2MTEzMDEyNDM1NloYDzIxMjYxMTA2MTI0
MzU2WjARMQ8wDQYDVQQDDAZtYXNrZWQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASRqTnXAFTTM/Ly2d5YEPDnWTvaxOuZR+pZZ9JM6nA3XYuGClEiCJZzAhO3d0X0
g+qwoQ5ro52vW/ljPPpR3s1mo1MwUTAdBgNVHQ4EFgQUB5MovXCy6qbDWTHB5+Rw
PHNyk60wHwYDVR0jBBgwFoAUB5MovXCy6qbDWTHB5+RwPHNyk60wDwYDVR0TAQH/
BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAU45GLl85rxCJL9Fme8jMe/6fzWB6S
kt19aRXAH+0j2QIgJMZjyl9oAMUf9uIC2Hm+P1DKJ17DvK9g0TOvFjdGUYU=
-----END CERTIFICATE-----
"""
"""Documents tell from when on a cluster's CA is valid."""
_PAIR = KeyPair(_CRT, MASK)
STAND_IN = K3sBundle(
    server_token=MASK,
    agent_token=MASK,
    root=None,
    server=_PAIR,
    client=_PAIR,
    request_header=_PAIR,
    etcd_server=_PAIR,
    etcd_peer=_PAIR,
    service_key=MASK,
)


class Sums(dict[str, str]):
    """A checksum for every boot file."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __missing__(self, name: str) -> str:
        return MASK
