"""The API's description: OpenAPI 3.1, made of the models of requests and answers."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.declared.docstrings import docstrings
from iluvatar_pxe.events import EventKind
from iluvatar_pxe.web.api import events
from iluvatar_pxe.web.api.answers import ANSWERS, Answer, Event, Problem
from iluvatar_pxe.web.api.served import PAGE, SERVED, has_query, is_in_path

Schema = dict[str, Any]
_REFERENCE = "#/components/schemas/{model}"
_ABOUT = (
    "Everything that the page shows and does. Reading is free for the networks that may ask; changing needs a write "
    "token or a login, and TLS."
)


@cache
def document() -> str:
    """Return the description as JSON; always the same text."""
    return json.dumps(description(), indent=1, ensure_ascii=False) + "\n"


def description() -> Schema:
    """Return the description."""
    models: set[type[Answer]] = {Problem, Event, *(ANSWERS[kind] for kind in SERVED)}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, made = models_json_schema(
        [(model, "serialization") for model in ordered],
        schema_generator=_Generator,
        ref_template=_REFERENCE,
    )
    schemas: Schema = made["$defs"]
    paths: Schema = {}
    for kind in SERVED:
        paths.setdefault(kind.route, {})[kind.method.lower()] = _operation(kind, schemas)
    paths[events.ROUTE] = {"get": _events()}
    described: Schema = _plain(
        {
            "openapi": "3.1.0",
            "info": {"title": "iluvatar-pxe", "version": version("iluvatar-pxe"), "description": _ABOUT},
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": dict(sorted(schemas.items())),
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )
    return described


def _operation(kind: type[Command], schemas: Schema) -> Schema:
    fields = kind.model_json_schema(schema_generator=_Generator, ref_template=_REFERENCE)
    schemas |= fields.get("$defs", {})
    properties: Schema = {name: _unnamed(one) for name, one in fields.get("properties", {}).items()}
    required = fields.get("required", [])
    defaults = PAGE.get(kind, {})
    for name, default in defaults.items():
        properties[name]["default"] = default
    inside = {name: one for name, one in properties.items() if not is_in_path(kind, name)}
    parameters = [*_parameters(properties, inside, required, in_query=has_query(kind))]
    operation: Schema = {
        "operationId": kind.__name__,
        "tags": [kind.route.split("/")[3]],
        "summary": _summary(kind),
        "parameters": parameters,
        "responses": _responses(ANSWERS[kind].__name__),
    }
    if kind.method != "GET":
        operation["security"] = [{"token": []}]
    if inside and not has_query(kind):
        body = {"type": "object", "properties": inside, "additionalProperties": False}
        body |= {"required": needed} if (needed := [one for one in required if one in inside]) else {}
        content = {"application/json": {"schema": body}}
        operation["requestBody"] = {"required": bool(needed), "content": content}
    return operation


def _parameters(
    properties: Schema, inside: Schema, required: list[str], *, in_query: bool
) -> Iterator[Schema]:
    for name, schema in properties.items():
        if name not in inside:
            yield _parameter(name, "path", schema, required=True)
        elif in_query:
            yield _parameter(name, "query", schema, required=name in required)


def _parameter(name: str, place: str, schema: Schema, *, required: bool) -> Schema:
    told = {"description": schema["description"]} if "description" in schema else {}
    kept = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": place, "required": required, "schema": kept, **told}


def _events() -> Schema:
    kinds = {"type": "array", "items": {"type": "string", "enum": [*EventKind]}}
    return {
        "operationId": "FollowEvents",
        "tags": ["events"],
        "summary": "Follows what happens, as Server-Sent Events; the data of each is an Event",
        "parameters": [
            _parameter("kind", "query", kinds, required=False),
            _parameter("machine", "query", {"type": "string", "maxLength": 100}, required=False),
            _parameter("Last-Event-ID", "header", {"type": "string"}, required=False),
        ],
        "responses": _responses("Event", "text/event-stream"),
    }


def _responses(model: str, kind: str = "application/json") -> Schema:
    schema = {"type": "string"} if kind == "text/event-stream" else _reference(model)
    problem = {"application/problem+json": {"schema": _reference(Problem.__name__)}}
    return {
        "200": {"description": "Done", "content": {kind: {"schema": schema}}},
        "4XX": {"description": "Refused", "content": problem},
        "5XX": {"description": "Not now", "content": problem},
    }


def _reference(name: str) -> Schema:
    return {"$ref": _REFERENCE.format(model=name)}


def _summary(kind: type[Command]) -> str:
    """Return what the docstring of a command's request says it does."""
    request = next(one for one in kind.__mro__ if one.__module__.startswith("iluvatar_pxe.admin.requests."))
    first = cleandoc(request.__doc__ or "").partition("\n")[0]
    told = first.removesuffix(".").rpartition("``: ")[2].replace("``", "`")
    return told[:1].upper() + told[1:]


def _unnamed(schema: Schema) -> Schema:
    """Return a field's schema without the title that Pydantic makes of its name, and without null, which stands for it missing."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        schema = {key: value for key, value in schema.items() if key != "anyOf"} | choices[0]
    return {
        key: value for key, value in schema.items() if key != "title" and (key, value) != ("default", None)
    }


def _plain(part: Any) -> Any:
    """Return a part with its descriptions as plain text."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _plain(value) for key, value in part.items()}
    if isinstance(told := kept.get("description"), str):
        kept["description"] = " ".join(told.replace("``", "`").split())
    return kept


class _Generator(GenerateJsonSchema):
    """Says of each field what the source says of it."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Describe a model."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, told in docstrings(model).items():
            if name in made.get("properties", {}):
                made["properties"][name]["description"] = told
        return made
