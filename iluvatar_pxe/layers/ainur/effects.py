"""What a commit changes of the documents of Raspberry Pis that run, and when they get them. Pure."""

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.layers import K3sLayer
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.root import RootKind
from iluvatar_pxe.layers.ainur.fragments import Fragment, fragments_of
from iluvatar_pxe.layers.place import Place

_WHEN = {
    RootKind.MEMORY: "at its next start",
    RootKind.DISK: "on its disk they stay as they are until machines reinstall",
}
_SEALED = "sealed patches"
_NODE = "/etc/iluvatar/node.json"
"""It has k3s' version."""
_SHOWN = 8


class PiEffects:
    """Compares each kind of place once: a fleet has many machines, and few kinds."""

    def __init__(self, old: Fleet, new: Fleet) -> None:
        self._old, self._new = old, new
        self._known: dict[object, str] = {}

    def told(self, name: str, place: Place) -> str:
        """Return what becomes of a machine, in words; nothing where nothing changes, or it gets no documents of ours."""
        old, new = self._old.k3s(place.layer), self._new.k3s(place.layer)
        if old is None or new is None or old.configures_itself or new.configures_itself:
            return ""
        before = fragments_of(old, place.role, place.old, self._old)
        after = fragments_of(new, place.role, place.new, self._new)
        root = place.new.root if place.new and place.new.root else new.root
        key = (place.layer, place.role, root, place.old and place.old.root, before, after)
        if key not in self._known:
            fields = self._fields(name, place) if self._may_differ(old, new, place) or before != after else []
            sealed = [_SEALED] if _sealed(before) != _sealed(after) else []
            self._known[key] = _words([*fields, *sealed], old, new, root.kind)
        return self._known[key]

    def _may_differ(self, old: K3sLayer, new: K3sLayer, place: Place) -> bool:
        was, will = self._old.settings, self._new.settings
        roots = (place.old.root if place.old else None, place.new.root if place.new else None)
        return (old, was.domain, was.registries, roots[0]) != (new, will.domain, will.registries, roots[1])

    def _fields(self, name: str, place: Place) -> list[str]:
        from iluvatar_pxe.layers.ainur.shown import (  # noqa: PLC0415 - needs cryptography, and most pushes do not
            compared_config,
        )

        try:
            was = compared_config(name, place.layer, place.role, self._old)
            will = compared_config(name, place.layer, place.role, self._new)
        except ConfigurationError:  # such as a version that is not chosen yet
            return []
        return [key for key in (*was, *(will.keys() - was.keys())) if was.get(key) != will.get(key)]


def _sealed(fragments: tuple[Fragment, ...]) -> list[Fragment]:
    return [one for one in fragments if one.is_sealed]


def _words(fields: list[str], old: K3sLayer, new: K3sLayer, kind: RootKind) -> str:
    """Return what changes; k3s' version is told by itself, since a node gets it without being installed again."""
    versions = (old.k3s.version, new.k3s.version)
    is_other = versions[0] != versions[1]
    upgrade = [f"k3s {' → '.join(versions)} by cluster upgrade"] if is_other else []
    rest = [one for one in fields if not (is_other and one == _NODE)]
    more = f" and {len(rest) - _SHOWN} more" if len(rest) > _SHOWN else ""
    documents = [f"its documents change: {', '.join(rest[:_SHOWN])}{more}; {_WHEN[kind]}"] if rest else []
    return "; ".join((*upgrade, *documents))
