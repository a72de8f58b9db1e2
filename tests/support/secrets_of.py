"""Secrets of clusters that are the same in every run."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa

from iluvatar_pxe.layers.ainur.bundle import K3sBundle
from iluvatar_pxe.layers.ainur.generate import generate_k3s_bundle
from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.generate import generate_bundle
from iluvatar_pxe.layers.arda.keys import dump_key
from iluvatar_pxe.provisioning import cluster_secrets

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def seeded(seed: str) -> Callable[[int], bytes]:
    """Return randomness that is the same for the same seed."""
    drawn = 0

    def random(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed} {drawn}".encode()).digest(size)

    return random


@cache
def service_account_key() -> str:
    """Return an RSA key, of 2048 bits: those of 4096 take seconds to make."""
    return dump_key(rsa.generate_private_key(65537, 2048))


@cache
def first_key() -> str:
    """Return an RSA key as daemons make it; the same one in this process, since each takes a second."""
    return cluster_secrets.service_account_key()


@cache
def bundle_of(seed: str, now: datetime = NOW) -> Bundle:
    """Return the secrets of a cluster."""
    return generate_bundle(seeded(seed), service_account_key(), now)


@cache
def k3s_bundle_of(seed: str, now: datetime = NOW) -> K3sBundle:
    """Return the secrets of a k3s cluster."""
    return generate_k3s_bundle(seeded(seed), service_account_key(), now)
