"""Talos' secrets bundle, the file of ``talosctl gen secrets``: read and written. Pure."""

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml
from yaml import YAMLError
from yaml.events import Event, MappingEndEvent, MappingStartEvent, ScalarEvent

from iluvatar_pxe.errors import BundleError
from iluvatar_pxe.layers.key_pair import KeyPair, encode

LARGEST = 64 * 1024
"""Characters of a bundle; those of Talos have about 9,000."""

_REMEDY = "give a file as talosctl gen secrets writes it"
_OLD = ("secrets", "aescbcencryptionsecret")
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Bundle:
    """All secrets of one cluster. Its ``repr`` shows none of them."""

    cluster_id: str
    cluster_secret: str
    """Base64 of 32 bytes, as ``secretbox_key`` is."""
    bootstrap_token: str
    """As ``trustd_token``: 6 and 16 of 0-9 and a-z, with a dot between them."""
    secretbox_key: str
    trustd_token: str
    etcd: KeyPair
    kubernetes: KeyPair
    aggregator: KeyPair
    service_account_key: str
    """A private key in PEM: RSA in bundles made since Talos 1.7, before that on an elliptic curve."""
    os: KeyPair
    """The CA of Talos' own API."""


def load_bundle(text: str) -> Bundle:
    """Return the bundle that a text holds; raises BundleError, which shows no secret."""
    found = _values(text)
    if found.pop(_OLD, ""):
        raise BundleError(
            f"{'.'.join(_OLD)}: is of Talos before 1.3, which is not supported; give a newer cluster's"
        )
    bundle = Bundle(
        cluster_id=_text(found, "cluster", "id"),
        cluster_secret=_text(found, "cluster", "secret"),
        bootstrap_token=_text(found, "secrets", "bootstraptoken"),
        secretbox_key=_text(found, "secrets", "secretboxencryptionsecret"),
        trustd_token=_text(found, "trustdinfo", "token"),
        etcd=_pair(found, "etcd"),
        kubernetes=_pair(found, "k8s"),
        aggregator=_pair(found, "k8saggregator"),
        service_account_key=_pem(found, "certs", "k8sserviceaccount", "key"),
        os=_pair(found, "os"),
    )
    if found:
        raise BundleError(f"{_words(min(found))}: is not known in a secrets bundle; remove it")
    return bundle


def dump_bundle(bundle: Bundle) -> str:
    """Return a bundle as ``talosctl gen secrets`` writes it, with the same keys in the same order."""
    layout = {
        "cluster": {"id": bundle.cluster_id, "secret": bundle.cluster_secret},
        "secrets": {
            "bootstraptoken": bundle.bootstrap_token,
            "secretboxencryptionsecret": bundle.secretbox_key,
        },
        "trustdinfo": {"token": bundle.trustd_token},
        "certs": {
            "etcd": _encoded(bundle.etcd),
            "k8s": _encoded(bundle.kubernetes),
            "k8saggregator": _encoded(bundle.aggregator),
            "k8sserviceaccount": {"key": encode(bundle.service_account_key)},
            "os": _encoded(bundle.os),
        },
    }
    text: str = yaml.safe_dump(layout, sort_keys=False, indent=4, width=LARGEST)
    return text


def _encoded(pair: KeyPair) -> Mapping[str, str]:
    return {"crt": encode(pair.crt), "key": encode(pair.key)}


def _values(text: str) -> dict[_Path, str]:
    """Return the scalars of a YAML text by their path, as they are written: a token of digits is no number."""
    if len(text) > LARGEST:
        raise BundleError(f"has more than {LARGEST} characters; {_REMEDY}")
    found: dict[_Path, str] = {}
    try:
        events = (event for event in yaml.parse(text, yaml.CSafeLoader) if not _is_frame(event))
        if not isinstance(next(events, None), MappingStartEvent):
            raise BundleError(f"is no mapping; {_REMEDY}")
        for path, value in _inside(events, ()):
            if path in found:
                raise BundleError(f"{_words(path)}: is given twice; remove one of them")
            found[path] = value
        if next(events, None):
            raise BundleError(f"holds a second document; {_REMEDY}")
    except (YAMLError, UnicodeError) as error:  # whose text may quote a secret
        raise BundleError(f"is not valid YAML; {_REMEDY}") from error
    return found


def _is_frame(event: Event) -> bool:
    """Say whether an event opens or closes the stream or a document."""
    return type(event).__name__.startswith(("Stream", "Document"))


def _inside(events: Iterator[Event], above: _Path) -> Iterator[tuple[_Path, str]]:
    while not isinstance(event := next(events), MappingEndEvent):
        if not isinstance(event, ScalarEvent):
            raise BundleError(f"{_words(above)}: has a key that is no text; {_REMEDY}")
        path = (*above, event.value)
        value = next(events)
        if isinstance(value, ScalarEvent):
            yield path, value.value
        elif isinstance(value, MappingStartEvent) and len(path) < 3:
            yield from _inside(events, path)
        else:
            raise BundleError(f"{_words(path)}: must be text; {_REMEDY}")


def _words(path: _Path) -> str:
    """Return a path for people. Keys may hold anything."""
    return ascii(".".join(path)[:80])[1:-1] if path else "the bundle"


def _text(found: dict[_Path, str], *path: str) -> str:
    if value := found.pop(path, ""):
        return value
    raise BundleError(f"{_words(path)}: is missing; {_REMEDY}")


def _pem(found: dict[_Path, str], *path: str) -> str:
    try:
        return b64decode(_text(found, *path), validate=True).decode("ascii")
    except (binascii.Error, UnicodeError) as error:
        raise BundleError(f"{_words(path)}: is not base64 of PEM; {_REMEDY}") from error


def _pair(found: dict[_Path, str], name: str) -> KeyPair:
    return KeyPair(crt=_pem(found, "certs", name, "crt"), key=_pem(found, "certs", name, "key"))
