"""What Talos requires of disks and volumes: read from v1.13.9 and v1.14.1. Pure."""

from collections.abc import Iterator
from typing import Any

from iluvatar_pxe.layers.arda.checks import formats as form
from iluvatar_pxe.layers.arda.checks.expressions import is_expression
from iluvatar_pxe.layers.arda.checks.rule import (
    Check,
    Rules,
    at,
    both,
    is_a,
    lasts,
    needs,
    needs_one_of,
    not_true,
    nothing_in,
    number,
    says,
    unique,
    where,
    words,
)
from iluvatar_pxe.layers.arda.checks.variables import DISK, MEMBER, VOLUME
from iluvatar_pxe.layers.arda.schema import Finding

_UNITS: dict[str, float] = {"": 1.0, **{unit: 1_000.0**power for power, unit in enumerate("kmgtpe", 1)}}
_BINARY_UNITS: dict[str, float] = {f"{unit}i": 1_024.0**power for power, unit in enumerate("kmgtpe", 1)}


def _bytes(text: str) -> float | None:
    """Return how many bytes a size has; None for a percentage, and for what is no size."""
    amount = text.rstrip("kKmMgGtTpPeEiIbB ")
    unit = text[len(amount) :].strip().lower().removesuffix("b")
    try:
        return float(amount.replace(",", "")) * (_UNITS | _BINARY_UNITS)[unit]
    except (KeyError, ValueError):
        return None


def _are_in_order(value: Any) -> Iterator[Finding]:
    least, most = (
        _bytes(str(value.get(key) or "")) if isinstance(value, dict) else None
        for key in ("minSize", "maxSize")
    )
    if least is not None and least < 0:
        yield ("minSize",), "is negative; write a size such as 10GB"
    if least is not None and most is not None and 0 <= most < least:
        yield ("minSize",), "is more than maxSize; write the smaller of the two there"


def _type_is(*types: str) -> Any:
    return lambda volume: (
        str(volume.get("volumeType") or "partition") in types if isinstance(volume, dict) else False
    )


def _named(*names: str) -> Any:
    return lambda volume: volume.get("name") in names if isinstance(volume, dict) else False


def _name(characters: str, longest: int) -> Check:
    what = f"a name of 1 to {longest} letters, digits and hyphens" + " or underscores" * ("_" in characters)
    return at("name", is_a(form.matches(rf"[{characters}]{{1,{longest}}}", what, "data")))


_ASCII, _WITH_LINES = "a-zA-Z0-9-", "a-zA-Z0-9_-"
_KEYS = both(
    unique("slot", 0),
    at("[]", needs_one_of("nodeID", "static", "kms", "tpm")),
)
_ENCRYPTION = where(
    says, needs("provider", "keys"), at("keys", _KEYS), at("keys[].tpm.options.pcrs[]", number(0, 23))
)
_SIZES = both(
    at("minSize", is_a(form.SIZE)),
    at("maxSize", is_a(form.SIZE_OR_SHARE)),
    _are_in_order,
)
_SELECTED = at("diskSelector.match", is_expression(DISK))
_SIZED = both(
    at("provisioning", both(_SIZES, needs_one_of("minSize", "maxSize"))), at("provisioning", _SELECTED)
)
_UPKEEP = both(at("trim.interval", lasts(0, "1s or more")), at("scrub.interval", lasts(10, "10s or more")))
_ONLY_XFS = where(
    lambda system: str(system.get("type") or "xfs") != "xfs" if isinstance(system, dict) else False,
    nothing_in("xfs", because="in another file system than xfs"),
    not_true("projectQuotaSupport", because="in another file system than xfs"),
)
_LEGACY_ENCRYPTION = both(needs("keys"), at("keys", _KEYS))
_SELECTOR_SIZE = form.matches(
    r"\s*(?:[<>]=?|==)?\s*[0-9][0-9.,]*\s*(?:[kmgtpeKMGTPE]?[iI]?[bB]?)",
    "a size to compare with",
    "'>= 100GB'",
)

RULES: Rules = {
    "": (
        ("machine.systemDiskEncryption.*", _LEGACY_ENCRYPTION),
        ("machine.install.diskSelector.size", is_a(_SELECTOR_SIZE)),
        ("machine.install.extensions", unique("image")),
    ),
    "ExistingVolumeConfig": (
        ("", _name(_ASCII, 1_000)),
        ("discovery.volumeSelector.match", is_expression(VOLUME)),
        ("", _UPKEEP),
    ),
    "ExternalVolumeConfig": (
        ("", _name(_ASCII, 34)),
        ("", needs("filesystemType")),
        ("filesystemType", words("virtiofs")),
        ("", needs("mount")),
        ("mount", needs("virtiofs")),
        ("mount.virtiofs", needs("tag")),
    ),
    "FilesystemScrubConfig": (("interval", lasts(10, "10s or more")),),
    "FilesystemTrimConfig": (("interval", lasts(0, "1s or more")),),
    "LVMLogicalVolumeConfig": (
        ("", _name(_WITH_LINES, 63)),
        ("", needs("provisioning")),
        ("provisioning", both(_SIZES, needs("volumeGroup", "maxSize"))),
    ),
    "LVMVolumeGroupConfig": (
        ("", _name(_WITH_LINES, 63)),
        ("provisioning.volumeSelector.match", is_expression(MEMBER)),
    ),
    "RAIDArrayConfig": (
        ("", _name(_WITH_LINES, 32)),
        ("provisioning.volumeSelector.match", is_expression(MEMBER)),
    ),
    "RawVolumeConfig": (("", _name(_ASCII, 34)), ("", _SIZED), ("encryption", _ENCRYPTION)),
    "SwapVolumeConfig": (("", _name(_ASCII, 34)), ("", _SIZED), ("encryption", _ENCRYPTION)),
    "UnattendedInstallConfig": (("provisioning", _SELECTED),),
    "UserVolumeConfig": (
        ("", _name(_ASCII, 34)),
        ("", where(_type_is("partition"), _SIZED)),
        (
            "",
            where(
                _type_is("disk"),
                at("provisioning", _SELECTED),
                at("provisioning", nothing_in("minSize", "maxSize", "grow", because="for a whole disk")),
            ),
        ),
        (
            "",
            where(
                _type_is("directory"),
                nothing_in("provisioning", "encryption", "filesystem", because="for a directory"),
                at("mount", nothing_in("disableAccessTime", because="for a directory")),
            ),
        ),
        ("volumeType", words("directory", "disk", "partition")),
        ("encryption", _ENCRYPTION),
        ("filesystem", _ONLY_XFS),
        ("", _UPKEEP),
    ),
    "VolumeConfig": (
        ("provisioning", both(_SIZES, _SELECTED)),
        ("encryption", _ENCRYPTION),
        ("", where(_named("STATE"), nothing_in("provisioning", because="for STATE"))),
        ("", where(_named("STATE"), at("encryption.keys[]", not_true("lockToState", because="for STATE")))),
        ("", _UPKEEP),
    ),
}
"""By kind; also of kinds that only one of the versions has."""
IN_1_14: Rules = {
    "VolumeConfig": (
        ("", where(_named("STATE"), nothing_in("mount", because="for STATE"))),
        ("", where(_named("IMAGECACHE"), nothing_in("mount", "filesystem", because="for IMAGECACHE"))),
        (
            "",
            where(
                lambda volume: (
                    _named("ETCD", "CRI", "KUBELET", "LOG")(volume) and not says(volume.get("provisioning"))
                ),
                nothing_in("mount", because="without provisioning"),
            ),
        ),
    ),
}
