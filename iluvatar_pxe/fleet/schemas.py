"""JSON Schemas of the fleet's files, for completion and checks in editors.

Everything the daemon accepts is valid by them. They check single keys only: conflicts between keys or files
are found by ``parse`` alone.
"""

import json
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from iluvatar_pxe.catalogue.lock import AssetsLock
from iluvatar_pxe.declared.docstrings import docstrings
from iluvatar_pxe.fleet.daemon_files import ClusterFile, EnrolmentFile, RecipientsFile
from iluvatar_pxe.fleet.layer_files import MODELS
from iluvatar_pxe.fleet.models import FleetFile, Layer, MachineFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_HEX = "[0-9A-Fa-f]"
_UUID = rf"^(?:urn:uuid:|\{{)?{_HEX}{{8}}(?:-?{_HEX}{{4}}){{3}}-?{_HEX}{{12}}\}}?$"
_NULL: Mapping[str, str] = {"type": "null"}


class Described(NamedTuple):
    """Files of the fleet that a schema describes: a pattern for their paths, and the model of each.

    The model ``Layer`` stands for that of the layer's kind.
    """

    files: str
    model: type[BaseModel]


DESCRIBED: Mapping[str, Described] = MappingProxyType(
    {
        "fleet.schema.json": Described("fleet.yaml", FleetFile),
        "layer.schema.json": Described("layers/*.yaml", Layer),
        "machine.schema.json": Described("machines/*.yaml", MachineFile),
        "cluster.schema.json": Described("clusters/*.yaml", ClusterFile),
        "recipients.schema.json": Described("recipients.yaml", RecipientsFile),
        "enrolment.schema.json": Described("enrolment.yaml", EnrolmentFile),
        "assets.lock.schema.json": Described("assets.lock.yaml", AssetsLock),
    }
)
"""By the schema's file name."""


@cache
def schemas() -> Mapping[str, str]:
    """Return every schema as JSON, by its file name; always the same text."""
    return MappingProxyType({name: _schema(name, described) for name, described in DESCRIBED.items()})


def _schema(name: str, described: Described) -> str:
    is_layer = described.model is Layer
    made = _of_layers() if is_layer else described.model.model_json_schema(schema_generator=_ForEditors)
    if "required" not in made:
        made["type"] = [made["type"], "null"]  # an empty file
    head = {"$schema": DIALECT, "$id": name, "title": described.files}
    return json.dumps(head | _plain(made), indent=2, ensure_ascii=False) + "\n"


def _of_layers() -> dict[str, Any]:
    """Return the schema of all layers: which keys a file may have depends on its kind."""
    references, made = models_json_schema(
        [(model, "validation") for model in MODELS.values()], schema_generator=_ForEditors
    )
    known = {"description": docstrings(Layer)["kind"], "enum": [*MODELS]}
    choices = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": references[model, "validation"],
        }
        for kind, model in MODELS.items()
    ]
    return {
        "description": Layer.__doc__,
        "type": "object",
        "required": ["kind"],
        "allOf": [{"properties": {"kind": known}}, *choices],
        "$defs": made["$defs"],
    }


def _plain(part: Any) -> Any:
    """Return a part of a schema without classes' names, and with its descriptions as plain text."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _plain(value) for key, value in part.items() if key != "title" or not isinstance(value, str)}
    if isinstance(told := kept.get("description"), str):
        kept["description"] = " ".join(told.replace("``", "`").split())
    return kept


class _ForEditors(GenerateJsonSchema):
    """Lets null stand for what may be left out (``Model``), and leaves out defaults that are not one word."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """None is what a key has that is not there."""
        return self.generate_inner(schema["schema"])

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Say of each key what the source says of it."""
        made = super().model_schema(schema)
        told = docstrings(schema["cls"])
        for name, field in schema["cls"].model_fields.items():
            if name in told:
                made["properties"][field.alias or name]["description"] = told[name]
        return made

    def model_field_schema(self, schema: core_schema.ModelField) -> JsonSchemaValue:
        """Describe a key of a file."""
        made = super().model_field_schema(schema)
        if self.field_is_required(schema, total=True):
            return made
        default = made.pop("default", None)
        choices = made["anyOf"] if made.keys() == {"anyOf"} else [made]
        telling = {"default": default} if isinstance(default, str | int) else {}
        return {"anyOf": [*choices, _NULL], **telling}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """List the keys, so that an editor offers them, or say what they look like; all others are refused."""
        key, value = (self.generate_inner(schema[part]) for part in ("keys_schema", "values_schema"))
        named = dict.fromkeys(key.get("enum", ()), value)
        shaped = {} if named else {"patternProperties": {key["pattern"]: value}}
        return {"type": "object", "properties": named, **shaped, "additionalProperties": False}

    def uuid_schema(self, schema: core_schema.UuidSchema) -> JsonSchemaValue:
        """Editors know no format of this name."""
        del schema
        return {
            "type": "string",
            "pattern": _UUID,
            "patternErrorMessage": "write a UUID as reported by SMBIOS",
        }
