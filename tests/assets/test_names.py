"""What is asked of Image Factory while a person waits."""

import pytest
from support.factory import SyntheticFactory, talos_from
from support.fleets import fleet_of

from iluvatar_pxe.assets import names
from iluvatar_pxe.assets.names import Names, check_names

LAYER = "kind: talos\ntalos: {version: v1.13.9, extensions: [iscsi-tools]}\n"


def test_a_person_who_waits_is_told_for_what_and_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "QUIET_SECONDS", 0.2)
    told: list[str] = []
    with SyntheticFactory() as factory:
        fleet = fleet_of(fleet=talos_from(factory.address), arda=LAYER)
        factory.delay = 0.3
        assert check_names(fleet, waits=told.append) == Names()
        assert told == ["asking Image Factory for the names of extensions and overlays, for 5 s at most ..."]
        (warning,) = check_names(fleet, waits=told.append, seconds=0.25).warnings
        assert "Image Factory did not answer within 0.25 s" in warning


def test_nobody_is_told_where_the_answer_comes_at_once() -> None:
    told: list[str] = []
    with SyntheticFactory() as factory:
        fleet = fleet_of(fleet=talos_from(factory.address), arda=LAYER)
        assert check_names(fleet, waits=told.append) == Names()
    assert told == []
