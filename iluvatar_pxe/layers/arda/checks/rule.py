"""Rules of a table: what must hold for a part of a document. Pure."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from iluvatar_pxe.fleet.yaml.document import Location
from iluvatar_pxe.layers.arda.checks.formats import Form
from iluvatar_pxe.layers.arda.schema import Finding

Check = Callable[[Any], Iterator[Finding]]
"""Yields what is wrong with a part that is there, and where below it. It takes any value, also one of a wrong type."""
Rules = Mapping[str, Sequence[tuple[str, Check]]]
"""Checks by the kind of a document (empty: the one with machine and cluster) and by the path of a part there.

``[]`` in a path means each item of a list, ``*`` each value of a map; an empty path is the whole document.
"""


def at(path: str, check: Check) -> Check:
    """Return a check of the parts at a path below."""
    steps = tuple(filter(None, path.replace("[]", ".[]").split(".")))

    def found(value: Any) -> Iterator[Finding]:
        for location, part in _parts(value, steps):
            yield from (((*location, *below), text) for below, text in check(part))

    return found


def _parts(value: Any, steps: tuple[str, ...]) -> Iterator[tuple[Location, Any]]:
    if not steps:
        if value is not None:
            yield (), value
        return
    for key, part in _below(value, steps[0]):
        yield from (((key, *location), found) for location, found in _parts(part, steps[1:]))


def _below(value: Any, step: str) -> Iterator[tuple[str | int, Any]]:
    if step == "[]":
        yield from enumerate(value) if isinstance(value, list | tuple) else ()
    elif isinstance(value, Mapping):
        yield from value.items() if step == "*" else [(step, value[step])] if step in value else ()


def says(value: Any) -> bool:
    """Say whether a part says anything: what is empty is to Talos as if it were not there."""
    if isinstance(value, Mapping):
        return any(map(says, value.values()))
    return value not in (None, "", [], ())


def has(value: Any, key: str) -> bool:
    """Say whether a map has a key with a value; a map that is empty is a value."""
    return isinstance(value, Mapping) and value.get(key) not in (None, "", [], ())


def is_true(value: Any, key: str) -> bool:
    """Say whether a map has a key that is true."""
    return isinstance(value, Mapping) and (
        value.get(key) is True or str(value.get(key)) in {"y", "Y", "yes", "on"}
    )


def is_a(form: Form) -> Check:
    """Texts must have a form."""

    def found(value: Any) -> Iterator[Finding]:
        if isinstance(value, str | int | float) and value != "" and not form.holds(str(value)):
            yield (), str(form)

    return found


def keys_are(form: Form) -> Check:
    """The keys of a map must have a form."""

    def found(value: Any) -> Iterator[Finding]:
        for key in value if isinstance(value, Mapping) else ():
            if not form.holds(str(key)):
                yield (str(key),), f"its name {form}"

    return found


def needs(*keys: str) -> Check:
    """A map must have all of these."""

    def found(value: Any) -> Iterator[Finding]:
        if isinstance(value, Mapping):
            yield from (((key,), "is missing; add it") for key in keys if not has(value, key))

    return found


def needs_one_of(*keys: str) -> Check:
    """A map must have one of these, or more."""

    def found(value: Any) -> Iterator[Finding]:
        if isinstance(value, Mapping) and not any(has(value, key) for key in keys):
            yield (), f"has no {' and no '.join(keys)}; add {'one' if len(keys) > 2 else 'one of the two'}"

    return found


def excludes(*keys: str) -> Check:
    """A map must not have two of these."""

    def found(value: Any) -> Iterator[Finding]:
        present = [key for key in keys if has(value, key)]
        yield from (
            ((key,), f"cannot be there together with {present[0]}; remove one") for key in present[1:]
        )

    return found


def both(*checks: Check) -> Check:
    """All of these checks."""

    def found(value: Any) -> Iterator[Finding]:
        for check in checks:
            yield from check(value)

    return found


def exactly_one_of(*keys: str) -> Check:
    """A map must have one of these, and no other."""
    return both(needs_one_of(*keys), excludes(*keys))


def nothing_in(*keys: str, because: str) -> Check:
    """These parts of a map must not say anything."""

    def found(value: Any) -> Iterator[Finding]:
        for key in keys:
            if isinstance(value, Mapping) and says(value.get(key)):
                yield (key,), f"is not allowed {because}; remove it"

    return found


def not_true(key: str, because: str) -> Check:
    """This part of a map must not be true."""

    def found(value: Any) -> Iterator[Finding]:
        if is_true(value, key):
            yield (key,), f"is not allowed {because}; remove it"

    return found


def unique(key: str, default: Any = None) -> Check:
    """Items of a list must not have the same value there; ``default``: which those have that say none."""

    def found(value: Any) -> Iterator[Finding]:
        seen: set[str] = set()
        for index, item in enumerate(value if isinstance(value, list | tuple) else ()):
            name = item.get(key, default) if isinstance(item, Mapping) else None
            if name is not None and str(name) in seen:
                yield (index, key), "another item of the list has the same; change it"
            seen.add(str(name))

    return found


def number(first: int, last: int) -> Check:
    """A number must be in a range."""

    def found(value: Any) -> Iterator[Finding]:
        if isinstance(value, int) and not isinstance(value, bool) and not first <= value <= last:
            yield (), f"is out of range; write a number from {first} to {last}"

    return found


def words(*known: str) -> Check:
    """A text must be one of these."""
    return is_a(Form(lambda text: text in known, "known", " or ".join(known)))


def where(holds: Callable[[Any], bool], *checks: Check) -> Check:
    """Checks of parts for which something holds."""
    whole = both(*checks)

    def found(value: Any) -> Iterator[Finding]:
        if holds(value):
            yield from whole(value)

    return found


def refused(text: str) -> Check:
    """What must not be there at all."""

    def found(_value: Any) -> Iterator[Finding]:
        yield (), text

    return found


_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3_600}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)")


def lasts(least: float, text: str) -> Check:
    """A duration, such as ``1m30s``, must have at least so many seconds, or be 0."""

    def found(value: Any) -> Iterator[Finding]:
        parts = _DURATION.findall(str(value))
        seconds = sum(float(count) * _UNITS[unit] for count, unit in parts)
        if (str(value).startswith("-") and seconds) or 0 < seconds < least:
            yield (), f"is too short; write {text}"

    return found
