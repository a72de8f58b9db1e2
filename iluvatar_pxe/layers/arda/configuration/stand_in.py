"""Secrets that are none, for configurations that are only shown."""

from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.replies.masking import MASK

_PAIR = KeyPair(MASK, MASK)
STAND_IN = Bundle(
    cluster_id=MASK,
    cluster_secret=MASK,
    bootstrap_token=MASK,
    secretbox_key=MASK,
    trustd_token=MASK,
    etcd=_PAIR,
    kubernetes=_PAIR,
    aggregator=_PAIR,
    service_account_key=MASK,
    os=_PAIR,
)
"""Previews and simulations are made of this: what does not get there cannot be shown."""
