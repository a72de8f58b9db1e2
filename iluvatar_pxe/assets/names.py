"""Whether Image Factory has the names that a fleet's layers use, asked where a fleet is checked. Blocks."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from functools import cache

from msgspec import Struct

from iluvatar_pxe.assets.factory import Factory, addresses_for
from iluvatar_pxe.catalogue.lock import STABLE
from iluvatar_pxe.catalogue.offered import unknown_names
from iluvatar_pxe.catalogue.schematic import EMPTY
from iluvatar_pxe.catalogue.versions import newest_stable
from iluvatar_pxe.errors import AssetError, FactoryError, FactoryRefusalError
from iluvatar_pxe.fleet.layers import Talos
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.source import layer_file
from iluvatar_pxe.fleet.yaml.composer import DocumentError
from iluvatar_pxe.fleet.yaml.document import parse_yaml
from iluvatar_pxe.suggest import meant_by

SECONDS = 5.0
"""How long a person who pushes waits for the factory; without internet a host's name alone may take longer."""

QUIET_SECONDS = 1.0
"""After which that person is told."""

_ID = re.compile(r"[0-9a-f]{64}")


class Names(Struct, frozen=True):
    """``faults``: names and schematics that the factory does not have. ``warnings``: also what could not be checked."""

    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_names(
    fleet: Fleet,
    before: Fleet | None = None,
    waits: Callable[[str], object] = lambda _: None,
    seconds: float = SECONDS,
) -> Names:
    """Ask for the names of extensions and overlays, and for schematics; nobody is asked where no layer has one.

    Layers that have the same in the fleet ``before`` were checked when that was pushed, as far as that could be.
    ``waits`` is told what is waited for, where that takes a while: nothing shows at once that there is no internet.
    """
    asking = to_ask(fleet, before)
    if not asking:
        return Names()
    answer: Future[Names] = Future()
    # Nothing ends the look-up of a host's name, so nobody waits for this thread.
    threading.Thread(target=_answer, args=(answer, fleet, asking, seconds), daemon=True).start()
    try:
        with suppress(TimeoutError):
            return answer.result(QUIET_SECONDS)
        waits(f"asking Image Factory for the names of extensions and overlays, for {seconds:g} s at most ...")
        return answer.result(seconds - QUIET_SECONDS)
    except TimeoutError:
        return _unchecked(f"Image Factory did not answer within {seconds:g} s")


def to_ask(fleet: Fleet, before: Fleet | None) -> Mapping[str, Talos]:
    """Return by layer what the factory is asked for."""
    known = _talos_of(before) if before and addresses_for(before) == addresses_for(fleet) else {}
    return {
        name: talos
        for name, talos in _talos_of(fleet).items()
        if _has_names(talos) and known.get(name) != talos
    }


def _talos_of(fleet: Fleet) -> Mapping[str, Talos]:
    return {name: layer.talos for name in fleet.layers if (layer := fleet.talos(name))}


def _answer(answer: Future[Names], fleet: Fleet, asking: Mapping[str, Talos], seconds: float) -> None:
    try:
        factory = Factory(addresses_for(fleet), seconds)
        answer.set_result(_names(asking, factory))
    except (AssetError, OSError) as error:
        answer.set_result(_unchecked(str(error)))


def _has_names(talos: Talos) -> bool:
    given = talos.given_schematic
    return bool(talos.extensions or talos.overlay or (given and given != EMPTY and _ID.fullmatch(given)))


def _unchecked(why: str) -> Names:
    later = "they are checked when the boot files are downloaded"
    return Names(warnings=(f"the names of extensions and overlays were not checked: {why}; {later}",))


def _names(asking: Mapping[str, Talos], factory: Factory) -> Names:
    """Raises FactoryError."""
    faults: list[str] = []
    warnings: list[str] = []
    composed = {layer: talos for layer, talos in asking.items() if talos.composed}
    faults += _unknown_in(composed, factory) if composed else ()
    for layer in asking.keys() - composed.keys():
        place = f"{layer_file(layer)}: talos.schematic"
        try:
            if lacking := _lacking_args(asking[layer], factory):
                remedy = (
                    f"to have them before it is installed, too, add extraKernelArgs: [{', '.join(lacking)}]"
                )
                warnings.append(f"{place}: the boot files do not have its kernel arguments; {remedy}")
        except FactoryRefusalError as error:
            faults.append(f"{place}: {error}")
    return Names(tuple(faults), tuple(warnings))


def _lacking_args(talos: Talos, factory: Factory) -> list[str]:
    """Return the kernel arguments of a schematic that the layer does not repeat; raises FactoryError."""
    text = factory.described(talos.schematic)
    try:
        customization = parse_yaml(text).value.get("customization")
    except DocumentError as error:
        raise FactoryError(f"schematic {talos.schematic}: is not readable: {error.text}") from error
    args = customization.get("extraKernelArgs") if isinstance(customization, Mapping) else None
    return [str(one) for one in args or () if one not in talos.extra_kernel_args]


def _unknown_in(asking: Mapping[str, Talos], factory: Factory) -> Iterator[str]:
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
