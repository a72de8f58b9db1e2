"""What differs between the configuration that a machine runs with and the one that it should have. Pure."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from iluvatar_pxe.layers.arda.change_tables import (
    INSTALL,
    INSTALLER,
    KINDS,
    NEW_LIVE,
    WHOLE_LIVE,
    ChangeKind,
    Path,
    Place,
    place,
)
from iluvatar_pxe.layers.arda.documents import Contract, Document, changeable
from iluvatar_pxe.layers.arda.patching.tables import UNNAMED

_VERSION = re.compile(r":(v\d+\.\d+\.\d+)")
_EMPTY: tuple[object, ...] = (None, "", {}, [])
"""What Talos leaves out when it writes a configuration itself."""
_HEAD = (("apiVersion",), ("kind",), ("name",))
"""Fields that say which document it is."""
_WAITS = (ChangeKind.REINSTALL, ChangeKind.UPGRADE)
_Key = tuple[str, str]
"""A document's kind, and its name where there may be several of that kind."""
_Documents = dict[_Key, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Changes:
    """``fields`` are names by what they take, and never values, which may be secret."""

    fields: Mapping[ChangeKind, tuple[str, ...]] = field(default_factory=dict)
    documents: tuple[Document, ...] = field(default=(), repr=False)
    """What the machine may be given now: of what waits for a person it has what is there."""

    @property
    def kind(self) -> ChangeKind:
        """What is to be done without a person."""
        kinds = (ChangeKind.RESTART, ChangeKind.LIVE)
        return next((kind for kind in kinds if self.fields.get(kind)), ChangeKind.NONE)


_WORDS = {
    ChangeKind.LIVE: "without a restart",
    ChangeKind.RESTART: "with a restart",
    ChangeKind.UPGRADE: "only by talosctl upgrade-k8s",
    ChangeKind.REINSTALL: "only by machines reinstall",
}
_STORED = "what is staged for the next start"
MOST_NAMES = 6
"""Fields that are named of each kind."""


def words(fields: Mapping[ChangeKind, tuple[str, ...]]) -> str:
    """Return which fields change, and what each takes, in one line; empty where nothing changes."""
    return "; ".join(f"{_WORDS[kind]}: {_listed(fields[kind])}" for kind in _WORDS if fields.get(kind))


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown} and {len(names) - MOST_NAMES} more"


class _Difference(NamedTuple):
    key: _Key
    path: Path
    """Empty where the whole document has come or gone."""
    old: Any
    new: Any
    """None where it is not there."""


def changes(
    live: tuple[Document, ...],
    wanted: tuple[Document, ...],
    running: str,
    version: str,
    keeps: Collection[str] = (),
) -> Changes:
    """Return what differs; ``keeps`` are entries of fields that the machine keeps as they are.

    ``running`` is the version of Talos on it, ``version`` the one that it should have.
    """
    contract = Contract.of(running)
    if contract is not Contract.of(version):
        return Changes({ChangeKind.REINSTALL: (f"Talos {running} → {version}",)}, live)
    if (was := _shape(live)) != (will := _shape(wanted)):
        why = "machine.type" if was[0] != will[0] else "the documents of another minor version of Talos"
        return Changes({ChangeKind.REINSTALL: (why,)}, live)
    before, after = _by_key(live), _by_key(wanted)
    kept = [place(entry) for entry in keeps]
    fields: dict[ChangeKind, list[str]] = {}
    found = list(_differences(before, after))
    stays = [one for one in found if _is_left_out(one) or any(_is_in(one, entry) for entry in kept)]
    for one, kind in _sorted_out([one for one in found if one not in stays], contract, running):
        fields.setdefault(kind, []).append(_name(one))
        if kind in _WAITS:
            stays.append(one)
    for one in stays:
        _take_back(after, one, before)
    return Changes({kind: tuple(names) for kind, names in fields.items()}, tuple(after.values()))


def with_stored(found: Changes, stored: tuple[Document, ...], running: str) -> Changes:
    """Return it with what the machine has stored for its next start, where that is not what it should have.

    A change that was staged, and taken back since, would come with the next start.
    """
    if found.kind is not ChangeKind.NONE or not changes(stored, found.documents, running, running).fields:
        return found
    return Changes({**found.fields, ChangeKind.LIVE: (_STORED,)}, found.documents)


def _shape(documents: tuple[Document, ...]) -> tuple[object, bool]:
    """Return the role, and whether Kubernetes has documents of its own: what makes two configurations alike."""
    found = _by_key(documents)
    machine = found.get(("", ""), {}).get("machine") or {}
    return machine.get("type"), ("KubeClusterConfig", "") in found


def _by_key(documents: tuple[Document, ...]) -> _Documents:
    """Return copies of documents by what tells them apart."""
    return {_key(one): changeable(one) for one in documents}


def _key(document: Document) -> _Key:
    kind = str(document.get("kind", ""))
    return kind, "" if kind in UNNAMED else str(document.get("name", ""))


def _sorted_out(
    found: list[_Difference], contract: Contract, running: str
) -> list[tuple[_Difference, ChangeKind]]:
    """Return what each difference takes: beneath an entry that waits, all that differs does."""
    told = [_of(one, contract, running) for one in found]
    held = [
        (one.key, entry, kind)
        for one, (kind, entry) in zip(found, told, strict=True)
        if kind in _WAITS and one.path
    ]
    return [
        (
            one,
            next((each for key, entry, each in held if key == one.key and _is_in(one, entry)), kind),
        )
        for one, (kind, _) in zip(found, told, strict=True)
    ]


def _differences(before: _Documents, after: _Documents) -> Iterator[_Difference]:
    for key in dict.fromkeys((*after, *before)):
        old, new = before.get(key), after.get(key)
        if old is None or new is None:
            yield _Difference(key, (), old, new)
        else:
            yield from _inside(key, (), _plain(old), _plain(new))


def _inside(key: _Key, path: Path, old: Any, new: Any) -> Iterator[_Difference]:
    """Yield what differs beneath a field, down to what is no mapping; lists differ as a whole."""
    if old == new:
        return
    parts = [one for one in (old, new) if isinstance(one, Mapping)]
    if not parts or any(one is not None and not isinstance(one, Mapping) for one in (old, new)):
        yield _Difference(key, path, old, new)
        return
    was, will = (one if isinstance(one, Mapping) else {} for one in (old, new))
    for name in dict.fromkeys((*was, *will)):
        yield from _inside(key, (*path, name), was.get(name), will.get(name))


def _plain(value: Any) -> Any:
    """Return a value without what Talos leaves out."""
    if isinstance(value, Mapping):
        parts = {key: _plain(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part not in _EMPTY}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _of(one: _Difference, contract: Contract, running: str) -> tuple[ChangeKind, Place]:
    """Return what a difference takes, and the entry that says so."""
    kind, _ = one.key
    if one.path:
        entry = _entry(kind, one.path, contract)
        return _kind(one, entry, contract, running), entry
    if kind in WHOLE_LIVE or (kind in NEW_LIVE and one.old is None):
        return ChangeKind.LIVE, (kind, ())
    paths = (leaf.path for leaf in _inside(one.key, (), _plain(one.old or {}), _plain(one.new or {})))
    entries = (_entry(kind, path, contract) for path in paths if path not in _HEAD)
    takes = (KINDS[contract].get(entry, ChangeKind.LIVE) for entry in entries)
    return max(takes, key=lambda each: each.value, default=ChangeKind.LIVE), (kind, ())


def _entry(kind: str, path: Path, contract: Contract) -> Place:
    """Return the longest entry that a field begins with; one that names nothing where there is none."""
    beginnings = ((kind, path[:length]) for length in range(len(path), -1, -1))
    return next((one for one in beginnings if one in KINDS[contract]), (kind, ()))


def _kind(one: _Difference, entry: Place, contract: Contract, running: str) -> ChangeKind:
    kind = KINDS[contract].get(entry, ChangeKind.LIVE)
    old, new = (_VERSION.search(str(each)) for each in (one.old, one.new))
    if kind is ChangeKind.UPGRADE and old and new and old[1] == new[1]:
        return ChangeKind.LIVE
    if (one.key[0], one.path) in INSTALLER and _is_only_noted(one, running):
        return ChangeKind.LIVE
    return kind


def _is_only_noted(one: _Difference, running: str) -> bool:
    """Say whether Talos runs already in the version of an installer's image: somebody has upgraded it."""
    old, new = str(one.old).rpartition(":"), str(one.new).rpartition(":")
    return old[0] == new[0] and new[2] == running


def _is_left_out(one: _Difference) -> bool:
    """Say whether Talos has left out that something is not to be done when it is installed."""
    return one.old is None and one.new is False and any(_is_in(one, entry) for entry in INSTALL)


def _is_in(one: _Difference, entry: Place) -> bool:
    kind, path = entry
    return one.key[0] == kind and one.path[: len(path)] == path


def _take_back(after: _Documents, one: _Difference, before: _Documents) -> None:
    """Have there what was there."""
    if not one.path:
        if one.old is None:
            del after[one.key]
        else:
            after[one.key] = before[one.key]
        return
    *way, last = one.path
    old, new = before[one.key], after[one.key]
    for name in way:
        old, new = old.get(name) or {}, new.setdefault(name, {})
    if last in old:
        new[last] = old[last]
    else:
        new.pop(last, None)


def _name(one: _Difference) -> str:
    """Return the name of what differs; of images also their versions, which are no secret."""
    kind, name = one.key
    document = f"{kind}({name})" if name else kind
    title = ".".join(filter(None, (document, *one.path)))
    old, new = (
        _VERSION.search(str(each)) if one.path[-1:] == ("image",) else None for each in (one.old, one.new)
    )
    return f"{title} {old[1]} → {new[1]}" if old and new and old[1] != new[1] else title
