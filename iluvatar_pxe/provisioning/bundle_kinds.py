"""The secrets of clusters, by the kind of layer: what both kinds can do."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

from msgspec import Struct

from iluvatar_pxe.layers.ainur import bundle_check as k3s
from iluvatar_pxe.layers.ainur.bundle import K3sBundle, dump_k3s_bundle, is_k3s_bundle, load_k3s_bundle
from iluvatar_pxe.layers.ainur.keys import load_chain
from iluvatar_pxe.layers.arda import bundle_check as talos
from iluvatar_pxe.layers.arda.bundle import Bundle, dump_bundle, load_bundle
from iluvatar_pxe.layers.keys import load_certificate
from iluvatar_pxe.machines.states import LayerKind
from iluvatar_pxe.tls.pem import fingerprint

AnyBundle = Bundle | K3sBundle
BundleT = TypeVar("BundleT", Bundle, K3sBundle)


class BundleKind(Struct, Generic[BundleT], frozen=True):
    """How secrets of one kind are read, written and checked; all of these raise BundleError."""

    layer: LayerKind
    bundle: type[BundleT]
    load: Callable[[str], BundleT]
    dump: Callable[[BundleT], str]
    check: Callable[[BundleT, datetime], None]
    check_form: Callable[[BundleT], None]
    """As ``check``, except for what time alone makes wrong."""
    unshared: Callable[[BundleT], Mapping[str, bytes]]
    """Returns, by name, what no other cluster may have."""
    fingerprint: Callable[[BundleT], str]
    """Returns what a cluster is known by in ``clusters/NAME.yaml``."""


TALOS = BundleKind(
    layer=LayerKind.TALOS,
    bundle=Bundle,
    load=load_bundle,
    dump=dump_bundle,
    check=talos.check_bundle,
    check_form=talos.check_form,
    unshared=talos.unshared,
    fingerprint=lambda bundle: fingerprint(load_certificate(bundle.os.crt)),
)
"""Known by the CA of its machines' API."""
K3S = BundleKind(
    layer=LayerKind.K3S,
    bundle=K3sBundle,
    load=load_k3s_bundle,
    dump=dump_k3s_bundle,
    check=k3s.check_k3s_bundle,
    check_form=k3s.check_k3s_form,
    unshared=k3s.unshared,
    fingerprint=lambda bundle: fingerprint(load_chain(bundle.server.crt)[-1]),
)
"""Known by its root, or by the CA of its servers where that has signed itself."""


def load_secrets(text: str) -> AnyBundle:
    """Return the secrets of either kind that a text holds; raises BundleError."""
    return load_k3s_bundle(text) if is_k3s_bundle(text) else load_bundle(text)


def kind_of(bundle: AnyBundle) -> BundleKind[Any]:
    """Return of which kind secrets are."""
    return K3S if isinstance(bundle, K3sBundle) else TALOS
