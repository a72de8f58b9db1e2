"""Documents of Talos' configurations, and patches of them, at random: by the schema, of few words, so that they meet."""

from random import Random
from typing import Any

from iluvatar_pxe.layers.arda.schema import Schema

DELETE = {"$patch": "delete"}
HEAD = ("apiVersion", "kind", "name", "version")
DEEPEST = 4
BOOLEANS = (False, True)


class RandomPatches:
    """Makes a configuration and a patch of it from a seed."""

    def __init__(self, schema: Schema, seed: int) -> None:
        self._kinds = {
            kind: part for kind, part in schema._kinds.items() if kind != "ImageVerificationConfig"
        }
        self._parts = schema._parts
        self._random = Random(seed)

    def case(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the documents of a configuration, and those of a patch."""
        kind = "" if self._random.random() < 0.5 else self._one(*self._kinds)
        other = self._one(*self._kinds)
        base = [self._document(kind), *([self._document(other)] if other != kind else [])]
        patch = [self._document(kind)]
        if self._random.random() < 0.5:
            patch = [self._with_deletions(patch[0], 0)]
        if self._random.random() < 0.2:
            patch.append(self._with_deletions(self._document(self._one(*self._kinds), "b"), 0))
        return base, patch

    def _one(self, *choices: Any) -> Any:
        return self._random.choice(choices)

    def _document(self, kind: str, name: str = "a") -> dict[str, Any]:
        part = self._kinds[kind]
        head = {"apiVersion": "v1alpha1", "kind": kind} if kind else {"version": "v1alpha1", "machine": {}}
        if kind and "name" in part["properties"]:
            head["name"] = name
        body = self._value(part, "", 0)
        return {**head, **{key: value for key, value in body.items() if key not in HEAD}}

    def _value(self, part: Any, name: str, depth: int) -> Any:
        while "$ref" in part:
            part = self._parts[part["$ref"].rpartition("/")[2]]
        if "enum" in part:
            return self._one(*part["enum"])
        if "oneOf" in part:
            return self._value(self._one(*part["oneOf"]), name, depth)
        if part.get("type") == "array":
            return [self._value(part["items"], name, depth + 1) for _ in range(self._one(0, 1, 1, 2))]
        if part.get("type") == "object" or "type" not in part:
            return self._map(part, name, depth)
        if part["type"] == "string":
            return self._text(name.lower())
        return self._one(*BOOLEANS) if part["type"] == "boolean" else self._one(0, 1, 2, 100)

    def _map(self, part: Any, name: str, depth: int) -> dict[str, Any]:
        if "patternProperties" in part:
            return {key: self._value(part["patternProperties"][".*"], name, depth + 1) for key in "pq"}
        if not part.get("properties"):
            return {self._one(*"xyz"): self._free(depth) for _ in range(2)}
        keys = self._random.sample(list(part["properties"]), min(3, len(part["properties"])))
        few = keys[: self._one(1, 1, 2, 3) if depth < DEEPEST else 1]
        return {key: self._value(part["properties"][key], key, depth + 1) for key in few}

    def _free(self, depth: int) -> Any:
        if depth < DEEPEST and self._random.random() < 0.5:
            below = {self._one(*"xyz"): self._free(depth + 1) for _ in range(2)}
            return self._one(below, [self._free(depth + 2)])
        return self._one("t", "u", "", 0, 5, 1.5, *BOOLEANS)

    def _text(self, name: str) -> Any:
        if name in {"crt", "key"}:
            return self._one("YQ==", "Yg==")
        for words, values in (
            (("url", "endpoint"), ("https://a.b:1/x", "https://c", "http://a/?q=1", "tcp://h:1")),
            (("subnet", "destination", "dst", "src", "address"), ("10.0.0.0/8", "10.1.0.0/16")),
            (("gateway", "source"), ("10.0.0.1", "10.0.0.2")),
            (("size",), ("10GB", "5GiB", "50%", "1MB")),
            (("match", "expression"), ("true", "false")),
            (("mac", "hardware"), ("00:11:22:33:44:55", "00:11:22:33:44:66")),
            (("interval", "timeout", "delay"), ("1m0s", "1h0m0s")),
        ):
            if any(word in name for word in words):
                return self._one(*values)
        return self._one("a", "b", "c", "")

    def _with_deletions(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            return {
                key: part
                if depth == 0 and key in HEAD
                else DELETE
                if self._random.random() < 0.15
                else self._with_deletions(part, depth + 1)
                for key, part in value.items()
            }
        if isinstance(value, list):
            return [
                {**item, **DELETE}
                if isinstance(item, dict) and item and self._random.random() < 0.4
                else self._with_deletions(item, depth + 1)
                for item in value
            ]
        return value
