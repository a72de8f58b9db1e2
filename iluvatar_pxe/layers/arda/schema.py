"""What the documents of a machine configuration may hold, by Talos' JSON Schemas, where these say what Talos does. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.layers.arda.documents import Contract, Document, Unquoted
from iluvatar_pxe.suggest import meant_by

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Finding = tuple[Location, str]
"""Where in a document, and what is wrong there; what to do."""

_LEGACY = "v1alpha1.Config"
_OTHER_KINDS: Mapping[str, str] = {
    "KubeSpanEndpoints": "KubeSpanEndpointsConfig",
    "UnattendedInstall": "UnattendedInstallConfig",
}
"""Kinds by the names that the schemas have for them, and those that Talos reads."""
_VERIFICATION = {
    "type": "object",
    "properties": {
        "apiVersion": {"enum": ["v1alpha1"]},
        "kind": {"enum": ["ImageVerificationConfig"]},
        "rules": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": False,
    "required": ["apiVersion", "kind"],
}
"""A kind that the schemas lack."""
_OPTIONAL: Mapping[str, str] = {
    "BridgeConfig": "links",
    "KubeInlineManifestConfig": "manifest",
    "PCIDriverRebindConfig": "targetDriver",
    "VRFConfig": "links",
}
"""Keys that the schemas require, and Talos does not."""
_LISTS = (("v1alpha1.MachineConfig", "acceptedCAs"), ("v1alpha1.ClusterConfig", "acceptedCAs"))
"""Lists of which the schemas describe only an item."""
_TEXTS = (("v1alpha1.LoggingDestination", "endpoint"), ("network.RoutingRuleConfigV1Alpha1", "action"))
"""Texts that the schemas describe as something else."""


class Schema:
    """What documents may hold in one version of Talos."""

    def __init__(self, contract: Contract, text: str, unlisted: str) -> None:
        """``text`` is that version's JSON Schema, and ``unlisted`` what the schemas of all versions lack, by kind."""
        from iluvatar_pxe.layers.arda.strict import Strict  # noqa: PLC0415 - jsonschema, and few fleets have patches

        self.contract = contract
        self._validator = Strict
        self._parts: dict[str, Any] = json.loads(text)["$defs"]
        self._unlisted: Mapping[str, Any] = json.loads(unlisted)

    @cached_property
    def _kinds(self) -> Mapping[str, Any]:
        kinds = {"": self._parts[_LEGACY], "ImageVerificationConfig": _VERIFICATION}
        for part in self._parts.values():
            kind = part.get("properties", {}).get("kind", {})
            for name in kind.get("enum", ()):
                kind["enum"] = [_OTHER_KINDS.get(name, name)]
                kinds[kind["enum"][0]] = part
        self._mend_types()
        for name in self._unlisted.keys() & kinds.keys():
            self._complete(kinds[name], self._unlisted[name])
        for name, key in _OPTIONAL.items():
            if name in kinds:
                kinds[name]["required"] = [one for one in kinds[name]["required"] if one != key]
        return kinds

    def _mend_types(self) -> None:
        for part, key in _LISTS:
            known = self._parts[part]["properties"]
            if known.get(key, {}).get("type") == "object":
                known[key] = {"type": "array", "items": known[key]}
        for part, key in _TEXTS:
            self._parts[part]["properties"][key] = {"type": "string"}

    def unknown_key(self, kind: str, location: Location) -> Finding | None:
        """Return the first key on the way to a part that documents of a kind do not have; None where they have all."""
        part = self._kinds.get(kind)
        for depth, key in enumerate(location):
            part = self._referred(part) or {}
            known = part.get("properties")
            if known and key not in known:
                return location[: depth + 1], _no_such(str(key), known)
            part = known[key] if known else part.get("items")
        return None

    def _referred(self, part: Any) -> Any:
        while part and "$ref" in part:
            part = self._parts[part["$ref"].rpartition("/")[2]]
        return part

    def _complete(self, part: Any, lacking: Mapping[str, Any]) -> None:
        """Add properties to a part of the schema, and to the parts that it refers to."""
        known = self._referred(part).setdefault("properties", {})
        for key, more in lacking["properties"].items():
            if key not in known:
                known[key] = more
            elif "properties" in more:
                self._complete(known[key], more)

    def has_name(self, kind: str) -> bool:
        """Say whether documents of a kind have names."""
        return "name" in self._kinds.get(kind, {}).get("properties", {})

    def findings(self, document: Document, *, is_part: bool = False) -> Iterator[Finding]:
        """Yield what Talos would refuse of a document by itself, because of its kind, its keys or their values.

        ``is_part``: of a patch, which may lack what its document needs.
        """
        kind = str(document.get("kind") or "")
        if kind not in self._kinds:
            meant = meant_by(kind, self._kinds)
            remedy = f"did you mean {meant}?" if meant else "correct it, or remove the document"
            yield ("kind",), f"Talos {self.contract} has no {kind}; {remedy}"
            return
        validator = self._validator({**self._kinds[kind], "$defs": self._parts})
        for error in validator.iter_errors(_told(document)):
            if not is_part or error.validator != "required":
                yield from _explained(error)


def _told(value: Any) -> Any:
    """Return a value without the keys that say nothing: to Talos they are as if they were not there."""
    if isinstance(value, Mapping):
        return {key: _told(part) for key, part in value.items() if part is not None}
    return [_told(part) for part in value] if isinstance(value, list | tuple) else value


def _explained(error: "ValidationError") -> Iterator[Finding]:
    """Say it without the value, which may be a secret, but for words that had to be chosen from a list."""
    location: Location = tuple(error.absolute_path)
    wanted: Any = error.validator_value
    value: Any = error.instance
    if error.validator == "additionalProperties":
        yield from (((*location, key), text) for key, text in _unknown(error))
    elif error.validator == "required":
        yield (*location, error.message.split("'")[1]), "is missing; add it"
    elif error.validator == "type":
        yield location, f"is {_kind_of(value)}; write {_KINDS.get(str(wanted), str(wanted))}"
    elif error.validator == "enum":
        meant = meant_by(str(value), map(str, wanted))
        remedy = f"did you mean {meant}?" if meant else f"write {' or '.join(map(str, wanted))}"
        yield location, f"{str(value)[:40]} is not known; {remedy}"
    elif error.validator == "pattern":
        yield location, f"has not the form {wanted}; correct it"
    else:
        yield location, f"is {_kind_of(value)} that is not allowed here; correct it"


def _unknown(error: "ValidationError") -> Iterator[tuple[str, str]]:
    known = error.schema.get("properties", {}) if isinstance(error.schema, Mapping) else {}
    value: Any = error.instance
    yield from ((key, _no_such(key, known)) for key in value if key not in known)


def _no_such(key: str, known: Iterable[str]) -> str:
    meant = meant_by(key, known)
    return f"no such key; {f'did you mean {meant}?' if meant else 'remove it or correct its name'}"


_KINDS: Mapping[str, str] = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list: '- item' lines below it, or [item, item]",
    "object": "'key: value' lines below it",
}


def _kind_of(value: object) -> str:
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true or false"
    return "a number" if isinstance(value, int | float | Unquoted) else "a text"
