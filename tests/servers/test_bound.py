"""What is open follows what is wanted."""

from dataclasses import dataclass

from iluvatar_pxe.errors import ServerError
from iluvatar_pxe.servers.bound import Bound

TAKEN = 13


@dataclass
class Part:
    key: int
    log: list[str]

    def close(self) -> None:
        self.log.append(f"close {self.key}")


def test_only_what_changes_is_touched_and_what_failed_is_tried_again() -> None:
    log: list[str] = []
    taken = {TAKEN}

    def open_part(key: int) -> Part:
        log.append(f"open {key}")
        if key in taken:
            raise ServerError(f"{key} is taken")
        return Part(key, log)

    def follow(*wanted: int) -> list[str]:
        log.clear()
        errors = bound.follow(wanted)
        assert [part.key for part in bound] == [key for key in dict.fromkeys(wanted) if key not in taken]
        return [*log, *map(str, errors)]

    bound = Bound(open_part)
    assert follow(1, 2, 1) == ["open 1", "open 2"]
    assert follow(1, 2) == []
    assert follow(2, 3) == ["close 1", "open 3"], "the old one first: its port may be wanted again"
    assert follow(2, 3, TAKEN, 4) == ["open 13", "open 4", "13 is taken"]
    assert follow(2, 3, 4, TAKEN) == ["open 13", "13 is taken"]
    taken.clear()
    assert follow(2, 3, 4, TAKEN) == ["open 13"]
    log.clear()
    bound.close()
    assert sorted(log) == ["close 13", "close 2", "close 3", "close 4"]
    bound.close()
    assert list(bound) == []
