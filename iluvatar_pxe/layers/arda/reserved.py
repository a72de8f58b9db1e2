"""What the daemon alone says in the configurations that it makes, and no patch of the fleet may change. Pure.

Configurations are compared, and not patches: so it does not matter how a patch is written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from iluvatar_pxe.layers.arda.documents import Document
from iluvatar_pxe.layers.arda.patching.patch import Identity, identity_of
from iluvatar_pxe.layers.arda.validation import Fault


class Field(NamedTuple):
    """A field that no patch may change, and why; what to do."""

    document: Identity
    path: tuple[str, ...]
    why: str


def _fields(why: str, *names: str) -> tuple[Field, ...]:
    """Return fields as ``KIND:path.to.field`` or ``KIND NAME:path.to.field``; the document without a kind has none.

    What a contract lacks is neither there before a patch nor afterwards.
    """
    found = []
    for name in names:
        head, _, path = name.partition(":")
        kind, _, title = head.partition(" ")
        found.append(Field(Identity(kind, title), tuple(path.split(".")), why))
    return tuple(found)


FIXED = (
    *_fields(
        "the daemon chooses the disk that Talos erases; remove it, and name another disk by 'disk' in machines/NAME.yaml",
        *(":machine.install.disk", ":machine.install.diskSelector"),
        "UnattendedInstallConfig:provisioning.diskSelector",
    ),
    *_fields(
        "without it a ticket stays on the disk; remove it, and write kernel arguments as talos.extraKernelArgs of the layer",
        ":machine.install.grubUseUKICmdline",
    ),
    *_fields(
        "a machine has the name of its file, so that no two have the same; remove it, or rename the file in machines",
        *("HostnameConfig:auto", "HostnameConfig:hostname", ":machine.network.hostname"),
        *(":machine.kubelet.extraArgs.hostname-override", "KubeletConfig:extraArgs.hostname-override"),
    ),
    *_fields(
        "without it the daemon does not hear that the machine is installed; remove it",
        "EventSinkConfig:endpoint",
    ),
    *_fields(
        "the daemon reads the machine's faults there; remove it, and write a KmsgLogConfig of another name",
        "KmsgLogConfig iluvatar-pxe:url",
    ),
    *_fields(
        "the daemon publishes this name; remove it, or set 'vip' of the layer",
        *(":cluster.controlPlane.endpoint", "KubeClusterConfig:endpoint"),
    ),
    *_fields("it is the layer's name; remove it", ":cluster.clusterName", "KubeClusterConfig:clusterName"),
    *_fields("the fleet says that by 'role' of the machine; remove it", ":machine.type"),
    *_fields(
        "the cluster's secrets are the daemon's; remove it (others: iluvatar-pxe cluster secrets import)",
        *(":machine.token", ":machine.ca", ":cluster.id", ":cluster.secret", ":cluster.token", ":cluster.ca"),
        *(":cluster.aggregatorCA", ":cluster.serviceAccount", ":cluster.etcd.ca"),
        *(":cluster.secretboxEncryptionSecret", "DiscoveryIdentityConfig:clusterID"),
        *("DiscoveryIdentityConfig:clusterSecret", "KubeAPIServerCAConfig:issuingCA"),
        *("KubeAggregatorCAConfig:issuingCA", "KubeServiceAccountConfig:issuer.privateKey"),
    ),
)
"""What stays as the daemon made it."""
EXTENDED = _fields(
    "the cluster's secrets are the daemon's; add others beside them",
    *("KubeAPIServerCAConfig:acceptedCAs", "KubeEtcdEncryptionConfig:config"),
)
"""To what is there of these a patch may add."""
_Documents = Mapping[Identity, Document]


def taken_over(made: Iterable[Document], patched: Iterable[Document]) -> tuple[Fault, ...]:
    """Return what of a configuration is the daemon's, and another in the patched one."""
    before, after = ({identity_of(one): one for one in documents} for documents in (made, patched))
    changed = (*_changed(FIXED, _equals, before, after), *_changed(EXTENDED, _keeps, before, after))
    return tuple(Fault(one.document, one.path, f"no patch may change this: {one.why}") for one in changed)


def _changed(
    fields: Iterable[Field], are_same: Callable[[Any, Any], bool], before: _Documents, after: _Documents
) -> Iterator[Field]:
    for field in fields:
        if not are_same(_value(before, field), _value(after, field)):
            yield field


def _value(documents: _Documents, field: Field) -> Any:
    """Return what a field has; None also for what says nothing."""
    value: Any = documents.get(field.document)
    for key in field.path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value or None


def _equals(before: Any, after: Any) -> bool:
    return bool(before == after)


def _keeps(before: Any, after: Any) -> bool:
    """Say whether all of it is still there: keys and items of lists may be new."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return all(_keeps(part, after.get(key)) for key, part in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return all(item in after for item in before)
    return before is None or _equals(before, after)
