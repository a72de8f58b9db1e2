"""What no cloud-config of the fleet may say: what cloud-init would ignore or refuse, and what is the daemon's. Pure."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import Document, Findings, Location
from iluvatar_pxe.layers.ainur.fragments import FILES, Fragment, fragments_of, parse_fragment
from iluvatar_pxe.layers.ainur.schema import CloudConfigSchema

MOST_CHECKED = 256
"""Results that are remembered: from one commit to the next most fragments stay as they are."""
Schema = Callable[[], CloudConfigSchema]
_Fault = tuple[Location, str]

_NAME = "a machine has the name of its file, so that no two have the same; remove it, or rename the file in machines"
_USERS = "write 'users' in the layer's file"
_DISK = (
    "the daemon lays out disks, and spares what is on them; write 'root' in the layer's or the machine's file"
)
_MERGED = "the daemon merges what the fleet says; remove it"
_IMAGE = "without it the daemon's own part may not be carried out; remove it"
_RESERVED: Mapping[str, str] = {
    **dict.fromkeys(("hostname", "fqdn", "preserve_hostname", "prefer_fqdn_over_hostname"), _NAME),
    **dict.fromkeys(("users", "user", "password", "chpasswd", "ssh_authorized_keys"), _USERS),
    **dict.fromkeys(("disk_setup", "fs_setup", "device_aliases", "growpart", "resize_rootfs"), _DISK),
    **dict.fromkeys(("merge_how", "merge_type", "vendor_data", "launch-index"), _MERGED),
    **dict.fromkeys(
        ("cloud_init_modules", "cloud_config_modules", "cloud_final_modules", "system_info"), _IMAGE
    ),
    "phone_home": "the daemon hears by it how far the machine is; remove it, and add to 'reporting'",
}
"""By key, why no fragment may have it."""
_FOLDERS = (
    "etc/iluvatar",
    "etc/rancher/node",
    "usr/local/lib/iluvatar",
    "var/lib/iluvatar",
    "var/lib/rancher/k3s/server/tls",
)
_FILES: Mapping[str, str] = {
    "etc/rancher/k3s/config.yaml": "write 'k3s.config' in the layer's file",
    "etc/rancher/k3s/registries.yaml": "write 'registries' in fleet.yaml",
    **dict.fromkeys(
        [
            *(
                "etc/rancher/k3s/config.yaml.d/50-join.yaml",
                "etc/rancher/k3s/token",
                "etc/rancher/k3s/agent-token",
            ),
            *("etc/systemd/system/k3s.service", "etc/systemd/system/k3s-agent.service", "usr/local/bin/k3s"),
            "etc/systemd/system/k3s.service.d/10-iluvatar.conf",
            "etc/systemd/system/k3s-agent.service.d/10-iluvatar.conf",
        ],
        "the file is the daemon's; remove it",
    ),
}
"""By path, what to do instead of writing it."""
_OF_SEALED = frozenset(["path", "content", "permissions"])
_MODE = frozenset("01234567")


def check_fragments(fleet: Fleet, schema: Schema) -> list[str]:
    """Return one line for each fault of the fleet's cloud-configs, with file and line; those that are sealed are not read."""
    findings = Findings()
    for fragment in dict.fromkeys(_all_of(fleet)):
        for line, text in () if is_sealed(fragment.text) else _found(fragment, schema):
            findings.add(fragment.path, line, text)
    return findings.lines


def _all_of(fleet: Fleet) -> Iterator[Fragment]:
    for name in fleet.layers:
        if layer := fleet.k3s(name):
            yield from (one for role in layer.roles for one in fragments_of(layer, role, None, fleet))
    for machine in fleet.listed:
        if layer := fleet.k3s(machine.layer):
            yield from fragments_of(layer, layer.roles[0], machine.file, fleet)


@lru_cache(maxsize=MOST_CHECKED)
def _found(fragment: Fragment, schema: Schema) -> tuple[tuple[int, str], ...]:
    try:
        document = parse_fragment(fragment.text)
    except DocumentError as error:
        return ((error.line, error.text),)
    faults = (*schema().findings(document.value), *_reserved(document))
    if fragment.is_sealed and not faults:
        faults = tuple(_of_sealed(document))
    return tuple((document.line_of(place), f"{document.spelled(place)}: {text}") for place, text in faults)


def _reserved(document: Document) -> Iterator[_Fault]:
    for key in document.value:
        if why := _RESERVED.get(key):
            yield (key,), f"no fragment may say this: {why}"
    reporting = document.value.get("reporting")
    if isinstance(reporting, Mapping) and "iluvatar" in reporting:
        yield (
            ("reporting", "iluvatar"),
            "no fragment may say this: the daemon hears by it; choose another name",
        )
    files = document.value.get(FILES)
    for index, file in enumerate(files if isinstance(files, tuple) else ()):
        path = file.get("path") if isinstance(file, Mapping) else None
        if isinstance(path, str) and (why := _taken(path)):
            yield (FILES, index, "path"), why


def _taken(path: str) -> str:
    """Return why no fragment may write a file; empty where it may."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not path.startswith("/") or ".." in parts:
        return "write a path from the root on, without '..'"
    plain = "/".join(parts)
    if any(plain.startswith(f"{folder}/") for folder in _FOLDERS):
        return "no fragment may write this: the folder is the daemon's; choose another one"
    return f"no fragment may write this: {_FILES[plain]}" if plain in _FILES else ""


def _of_sealed(document: Document) -> Iterator[_Fault]:
    """What is sealed must not get onto a disk before the machine is trusted, so it comes with the secret files."""
    for key in document.value:
        if key != FILES:
            yield (key,), f"a sealed fragment may only have {FILES}; write it into another one, or unseal it"
    for index, file in enumerate(document.value.get(FILES, ())):
        if unknown := sorted(file.keys() - _OF_SEALED):
            yield (
                (FILES, index, unknown[0]),
                f"files of a sealed fragment have {', '.join(sorted(_OF_SEALED))} only; remove it",
            )
        mode: Any = file.get("permissions", "0")
        if not set(mode) <= _MODE:
            yield (FILES, index, "permissions"), "write octal digits in quotes, such as '0600'"
