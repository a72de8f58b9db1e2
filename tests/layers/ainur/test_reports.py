"""What reports of cloud-init, and of the program that prepares k3s, come to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.layers.ainur.reports import Event, Fault, Reached, of_event, read_event
from iluvatar_pxe.machines.boots import Stage

STARTED, ENDED = (
    Reached(Stage.STARTED, "cloud-init: init-network"),
    Reached(Stage.RUNNING, "cloud-init has ended"),
)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ({"name": "init-network", "event_type": "start", "origin": "cloudinit"}, STARTED),
        ({"name": "init-network", "event_type": "start"}, STARTED),
        ({"name": "init-network", "event_type": "start", "origin": "iluvatar"}, None),
        ({"name": "modules-config", "event_type": "start", "origin": "cloudinit"}, None),
        ({"name": "init-network", "event_type": "finish", "result": "SUCCESS"}, None),
        ({"name": "modules-final", "event_type": "finish", "result": "SUCCESS"}, ENDED),
        ({"name": "modules-final", "event_type": "finish", "result": "SUCCESS", "origin": "iluvatar"}, None),
        ({"name": "modules-final", "event_type": "finish", "result": "WARN"}, Fault("modules-final")),
        (
            {"name": "k3s", "event_type": "finish", "result": "FAIL", "description": "no clock", "origin": "iluvatar"},
            Fault("k3s: no clock"),
        ),
        ({"name": "modules-config/config-ntp", "event_type": "finish", "result": 7, "description": []}, None),
    ],
)  # fmt: skip
def test_what_an_event_comes_to(told: dict[str, object], found: Reached | Fault | None) -> None:
    assert of_event(read_event(json.dumps(told))) == found


@given(st.text() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps))
def test_what_is_no_event_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_event(text)


@given(
    st.dictionaries(st.sampled_from(["origin", "result", "description", "event_type"]), st.text()), st.text()
)
def test_any_event_is_read(rest: dict[str, str], name: str) -> None:
    found = read_event(json.dumps(rest | {"name": name}))
    assert (found.name, found.origin) == (name, rest.get("origin", ""))
    assert isinstance(of_event(found), Reached | Fault | None)


def test_a_deep_one_is_none() -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        read_event('{"name":' * 20000)
    assert of_event(Event("")) is None
