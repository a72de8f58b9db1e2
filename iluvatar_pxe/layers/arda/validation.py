"""What Talos would refuse of a machine configuration. Pure.

Certificates are not looked into, nor the types of CEL expressions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.layers.arda.checks.every import value_faults
from iluvatar_pxe.layers.arda.documents import Contract, Document
from iluvatar_pxe.layers.arda.patching.patch import Identity, identity_of
from iluvatar_pxe.layers.arda.patching.tables import RESET
from iluvatar_pxe.layers.arda.rules import (
    NEEDED,
    ONE_NAME,
    ONLY_ON_CONTROL_PLANES,
    SECTIONS,
    SYSTEM_VOLUMES,
    VALUES,
)
from iluvatar_pxe.layers.arda.schema import Schema
from iluvatar_pxe.machines.states import Role

_LEGACY = Identity("", "")


class Fault(Struct, frozen=True):
    """What Talos would refuse; it shows no secret."""

    document: Identity
    location: Location
    text: str

    def is_within(self, other: "Fault") -> bool:
        """Say whether it is of the same part as another fault, or of a part of that."""
        return self.document == other.document and self.location[: len(other.location)] == other.location

    def __str__(self) -> str:
        """Return it in one line: document, path, what is wrong, and what to do."""
        path = ".".join(str(part + 1) if isinstance(part, int) else part for part in self.location)
        return ": ".join(
            part for part in (self.document.kind and str(self.document), path, self.text) if part
        )


def faults(documents: Iterable[Document], schema: Schema, role: Role) -> tuple[Fault, ...]:
    """Return what Talos would refuse of the whole configuration of a machine of this role."""
    every = tuple(documents)
    whole = _Whole({identity_of(document): document for document in every}, role, schema.contract)
    return (
        *document_faults(every, schema),
        *_repeated(every),
        *(one for check in _CHECKS for one in check(whole)),
    )


def document_faults(documents: Iterable[Document], schema: Schema) -> Iterator[Fault]:
    """Yield what is wrong with documents by themselves: kinds, keys and values."""
    for document in documents:
        identity = identity_of(document)
        wrong = list(schema.findings(document))
        for location, text in wrong or value_faults(document, schema.contract):
            yield Fault(identity, location, text)
        if schema.has_name(identity.kind) and not identity.name:
            yield Fault(identity, ("name",), "is missing; add it")


class _Whole(Struct, frozen=True):
    documents: Mapping[Identity, Document]
    role: Role
    contract: Contract

    def legacy(self, path: str) -> Any:
        """Return what the document without a kind has at a path, or None."""
        return self.part(_LEGACY, path)

    def part(self, identity: Identity, path: str) -> Any:
        """Return what a document has at a path, or None."""
        value: Any = self.documents.get(identity)
        for key in path.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def kinds(self, kinds: Iterable[str]) -> Iterator[Identity]:
        """Yield the documents of some kinds."""
        yield from (identity for identity in self.documents if identity.kind in kinds)


def _at(path: str, text: str) -> Fault:
    return Fault(_LEGACY, tuple(path.split(".")), text)


def _repeated(documents: Iterable[Document]) -> Iterator[Fault]:
    seen: set[Identity] = set()
    for identity in map(identity_of, documents):
        if identity in seen:
            yield Fault(identity, (), "is there twice; remove one, or give it another name")
        seen.add(identity)


def _is_whole(whole: _Whole) -> Iterator[Fault]:
    for key in ("machine", "cluster"):
        if whole.legacy(key) is None:
            yield _at(key, "is missing, and Talos refuses a configuration without it; keep it")
    if (found := whole.legacy("machine.type")) not in {None, whole.role.value}:
        yield _at(
            "machine.type", f"is {str(found)[:40]} on a {whole.role}; the fleet decides that, remove it"
        )
    if whole.legacy("persist") is False:
        yield _at("persist", "Talos takes only true; remove it")


def _installs(whole: _Whole) -> Iterator[Fault]:
    install = whole.legacy("machine.install")
    if not isinstance(install, Mapping):
        return
    if not install.get("disk") and not install.get("diskSelector"):
        yield _at("machine.install", "has neither disk nor diskSelector; add one")
    if install.get("extraKernelArgs") and install.get("grubUseUKICmdline"):
        text = "Talos ignores them where grubUseUKICmdline is true; write them as talos.extraKernelArgs of the layer"
        yield _at("machine.install.extraKernelArgs", text)


def _said_twice(whole: _Whole) -> Iterator[Fault]:
    for identity in whole.kinds(SECTIONS.keys() | VALUES.keys()):
        present = [path for path in SECTIONS.get(identity.kind, ()) if whole.legacy(path) is not None]
        telling = [path for path in VALUES.get(identity.kind, ()) if whole.legacy(path)]
        for path in (*present, *telling):
            yield _at(
                path, f"a {identity.kind} says that as well, and Talos allows one of them; write it there"
            )
    yield from _dns_twice(whole)
    yield from _encrypted_twice(whole)


def _dns_twice(whole: _Whole) -> Iterator[Fault]:
    for identity in whole.kinds({"ResolverConfig"}):
        if whole.documents[identity].get("hostDNS") and whole.legacy("machine.features.hostDNS") is not None:
            yield _at("machine.features.hostDNS", "a ResolverConfig says that as well; write it there")


def _encrypted_twice(whole: _Whole) -> Iterator[Fault]:
    for identity in whole.kinds({"VolumeConfig"}):
        path = f"machine.systemDiskEncryption.{identity.name.lower()}"
        if whole.documents[identity].get("encryption") and whole.legacy(path) is not None:
            yield _at(path, f"VolumeConfig {identity.name} says that as well; write it there")


def _on_worker(whole: _Whole) -> Iterator[Fault]:
    """What only control planes may have: their documents, keys, and the address that etcd gives one of them."""
    if whole.role is Role.CONTROLPLANE:
        return
    remedy = "write it in a patch for controlplane alone (rolePatches)"
    for identity in whole.kinds(ONLY_ON_CONTROL_PLANES | {"HCloudVIPConfig", "Layer2VIPConfig"}):
        yield Fault(identity, (), f"is only for control planes; {remedy}")
    access = "machine.features.kubernetesTalosAPIAccess"
    if whole.legacy(f"{access}.enabled") is True:
        yield _at(access, f"is only for control planes; {remedy}")
    for path in ("machine.ca.key", "cluster.ca.key", "cluster.etcd"):
        if whole.legacy(path) not in (None, ""):
            yield _at(path, f"is only for control planes; {remedy}")
    for identity in whole.kinds({"KubeAPIServerCAConfig"}):
        if whole.documents[identity].get("issuingCA"):
            yield Fault(identity, ("issuingCA",), f"is only for control planes; {remedy}")
    for location, device in _devices(whole):
        if device.get("vip"):
            yield Fault(_LEGACY, (*location, "vip"), f"is only for control planes; {remedy}")


def _devices(whole: _Whole) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    base: Location = ("machine", "network", "interfaces")
    for location, device in _items(whole.legacy(".".join(map(str, base))), base):
        yield location, device
        yield from _items(device.get("vlans"), (*location, "vlans"))


def _items(value: Any, location: Location) -> Iterator[tuple[Location, Mapping[str, Any]]]:
    for index, item in enumerate(value if isinstance(value, list | tuple) else ()):
        if isinstance(item, Mapping):
            yield (*location, index), item


def _has_keys(whole: _Whole) -> Iterator[Fault]:
    """What every machine needs, and control planes with the key."""
    ca = whole.legacy("machine.ca")
    has = {part: isinstance(ca, Mapping) and bool(ca.get(part)) for part in ("crt", "key")}
    if not has["crt"] and not whole.legacy("machine.acceptedCAs"):
        yield _at("machine.ca", "has no certificate, and Talos refuses that; keep it")
    if whole.role is Role.CONTROLPLANE and not has["key"]:
        yield _at("machine.ca.key", "is missing, and control planes need it; keep it")


def _is_complete(whole: _Whole) -> Iterator[Fault]:
    for identity in whole.kinds(NEEDED):
        path = NEEDED[identity.kind]
        is_directory = whole.part(identity, "volumeType") == "directory"
        if not is_directory and not whole.part(identity, path):
            patched = f"{identity.kind}:{path}" in RESET
            remedy = "repeat it in each patch of this document, which replaces it" if patched else "add it"
            yield Fault(identity, tuple(path.split(".")), f"is missing; {remedy}")
    for identity in whole.kinds({"VolumeConfig"}):
        if identity.name not in (known := SYSTEM_VOLUMES[whole.contract]):
            text = (
                f"no system volume of Talos {whole.contract}; write {', '.join(known)}, or a UserVolumeConfig"
            )
            yield Fault(identity, ("name",), text)


def _is_named(whole: _Whole) -> Iterator[Fault]:
    for identity in whole.kinds({"HostnameConfig"}):
        found = whole.documents[identity]
        if found.get("hostname") and found.get("auto") not in {None, "", "off"}:
            yield Fault(identity, ("hostname",), "cannot be there together with auto; write auto: off")
        if not found.get("hostname") and not found.get("auto"):
            yield Fault(identity, (), "has neither auto nor hostname; add one")


def _one_of_a_name(whole: _Whole) -> Iterator[Fault]:
    for kinds in ONE_NAME:
        seen: dict[str, Identity] = {}
        for identity in whole.kinds(kinds):
            other = seen.setdefault(identity.name, identity)
            if other != identity:
                yield Fault(identity, (), f"{other} has the same name; remove one of them, or rename it")


def _has_identity(whole: _Whole) -> Iterator[Fault]:
    """What other documents need besides."""
    for needing, needed, path in (
        ("DiscoveryServiceConfig", "DiscoveryIdentityConfig", "cluster.id"),
        ("KubeAPIServerCAConfig", "KubeClusterConfig", "cluster.controlPlane.endpoint"),
    ):
        for identity in whole.kinds({needing}):
            if not any(whole.kinds({needed})) and not whole.legacy(path):
                yield Fault(identity, (), f"needs a {needed}, which is missing; keep it")


def _has_partners(whole: _Whole) -> Iterator[Fault]:
    """What Talos 1.14 asks of documents together."""
    if whole.contract is Contract.V1_13:
        return
    encrypts = whole.legacy("cluster.secretboxEncryptionSecret") or whole.legacy(
        "cluster.aescbcEncryptionSecret"
    )
    if (
        whole.role is Role.CONTROLPLANE
        and not encrypts
        and not any(whole.kinds({"KubeEtcdEncryptionConfig"}))
    ):
        for identity in whole.kinds({"KubeAPIServerCAConfig"}):
            yield Fault(identity, (), "needs a KubeEtcdEncryptionConfig, which is missing; keep it")
    for identity in whole.kinds({"KubeSpanConfig"}):
        if whole.part(identity, "enabled") is True and not any(whole.kinds({"DiscoveryServiceConfig"})):
            yield Fault(identity, (), "needs a DiscoveryServiceConfig, which is missing; keep it")


_CHECKS: tuple[Callable[[_Whole], Iterator[Fault]], ...] = (
    *(
        _is_whole,
        _installs,
        _said_twice,
        _on_worker,
        _has_keys,
        _is_complete,
        _is_named,
        _one_of_a_name,
        _has_identity,
        _has_partners,
    ),
)
