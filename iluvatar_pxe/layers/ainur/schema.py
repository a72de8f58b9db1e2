"""What a cloud-config may hold, by cloud-init's own JSON Schema. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.suggest import meant_by

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_OF_IMAGES = frozenset(["rpi", "enable_ssh"])
"""Keys of Raspberry Pi OS that cloud-init itself does not know."""


class CloudConfigSchema:
    """The schema of one version of cloud-init."""

    def __init__(self, text: str) -> None:
        from jsonschema import Draft4Validator  # noqa: PLC0415 - few fleets have cloud-configs
        from jsonschema.exceptions import best_match  # noqa: PLC0415

        schema = json.loads(text)
        self._best_match = best_match
        self._known: Mapping[str, Any] = schema["properties"]
        self._validator = Draft4Validator(schema)

    def findings(self, values: Mapping[str, Any]) -> Iterator[tuple[Location, str]]:
        """Yield what cloud-init would ignore or refuse: where it is, and what is wrong there; what to do."""
        for key in values:
            if key not in self._known and key not in _OF_IMAGES:
                meant = meant_by(key, self._known)
                remedy = f"did you mean {meant}?" if meant else "remove it"
                yield (key,), f"cloud-init has no such key; {remedy}"
        plain = json.loads(json.dumps({key: one for key, one in values.items() if key in self._known}))
        for error in self._validator.iter_errors(plain):
            deepest = self._best_match([error]) or error
            yield tuple(deepest.absolute_path), _explained(deepest)


def _explained(error: "ValidationError") -> str:
    if error.validator == "type" and error.validator_value == "string":
        return "cloud-init takes a text here; put it in quotes"
    return f"cloud-init would not take it: {error.message}; correct it"
