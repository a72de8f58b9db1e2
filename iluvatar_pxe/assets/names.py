"""Whether Image Factory has the names that a fleet's layers use, asked where a fleet is checked. Blocks."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache

from iluvatar_pxe.assets.factory import Factory, addresses_for
from iluvatar_pxe.catalogue.lock import STABLE
from iluvatar_pxe.catalogue.offered import unknown_names
from iluvatar_pxe.catalogue.versions import newest_stable
from iluvatar_pxe.errors import AssetError
from iluvatar_pxe.fleet.layers import Talos
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.suggest import meant_by

SECONDS = 5.0
"""How long a person who pushes waits for the factory; without internet a host's name alone may take longer."""


@dataclass(frozen=True, slots=True)
class Names:
    """``faults``: names that the factory does not have. ``unchecked``: why they could not be checked, if so."""

    faults: tuple[str, ...] = ()
    unchecked: str | None = None


def check_names(fleet: Fleet, seconds: float = SECONDS) -> Names:
    """Ask for the names of extensions and overlays; nobody is asked where no layer has one."""
    layers = {name: layer.talos for name in fleet.layers if (layer := fleet.talos(name))}
    asking = {name: talos for name, talos in layers.items() if talos.extensions or talos.overlay}
    if not asking:
        return Names()
    answer: Future[Names] = Future()
    # Nothing ends the look-up of a host's name, so nobody waits for this thread.
    threading.Thread(target=_answer, args=(answer, fleet, asking, seconds), daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        return _unchecked(f"Image Factory did not answer within {seconds:g} s")


def _answer(answer: Future[Names], fleet: Fleet, asking: Mapping[str, Talos], seconds: float) -> None:
    try:
        factory = Factory(addresses_for(fleet), seconds)
        answer.set_result(Names(tuple(_faults(asking, factory))))
    except (AssetError, OSError) as error:
        answer.set_result(_unchecked(str(error)))


def _unchecked(why: str) -> Names:
    return Names(unchecked=f"the names of extensions and overlays were not checked: {why}")


def _faults(asking: Mapping[str, Talos], factory: Factory) -> Iterator[str]:
    """Raises FactoryError."""
    versions, offered = factory.versions(), cache(factory.offered)
    for layer, talos in asking.items():
        version = talos.version if talos.is_chosen else _newest(versions, factory)
        if version not in versions:
            yield f"{layer_file(layer)}: talos.version: {_unknown(talos.version, versions)}"
        elif talos.composed:
            lines = unknown_names(talos.composed, offered(version))
            yield from (f"{layer_file(layer)}: talos.{line}" for line in lines)


def _newest(versions: tuple[str, ...], factory: Factory) -> str:
    return newest_stable(versions, factory.broken()) or STABLE


def _unknown(version: str, versions: tuple[str, ...]) -> str:
    meant = meant_by(version, reversed(versions))
    remedy = f"did you mean {meant}?" if meant else "take a version of its list"
    return f"Image Factory has no Talos {version}; {remedy}"
