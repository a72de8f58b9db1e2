"""What a server has open, and how it follows what it is to have open."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from iluvatar_pxe.errors import ServerError


class _Closable(Protocol):
    def close(self) -> None: ...


Key = TypeVar("Key", bound=Hashable)
Part = TypeVar("Part", bound=_Closable)


class Bound(Generic[Key, Part]):
    """One part (a socket, or some) for each key (an interface, or an address): the same code at first and later."""

    def __init__(self, open_part: Callable[[Key], Part]) -> None:
        """``open_part`` may raise ServerError."""
        self._open_part = open_part
        self._parts: dict[Key, Part] = {}

    def __iter__(self) -> Iterator[Part]:
        """Iterate over what is open."""
        return iter(self._parts.values())

    def follow(self, wanted: Iterable[Key]) -> list[ServerError]:
        """Close what is not wanted any more, open what is not open yet, and leave the rest alone.

        Return an error for each that cannot be opened; the next call tries it again.
        """
        keys = dict.fromkeys(wanted)
        for key in self._parts.keys() - keys:
            self._parts.pop(key).close()
        return [error for key in keys if key not in self._parts and (error := self._try_to_open(key))]

    def close(self) -> None:
        """Close everything."""
        self.follow(())

    def _try_to_open(self, key: Key) -> ServerError | None:
        try:
            self._parts[key] = self._open_part(key)
        except ServerError as error:
            return error
        return None
