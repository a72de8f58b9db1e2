"""All commands at one look: none is left out, and each can be told from the others by how it is asked for."""

import importlib
import pkgutil
import re
from inspect import isabstract, isclass

import pytest

from iluvatar_pxe import admin
from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.machines import SetPlace
from iluvatar_pxe.admin.registry import COMMANDS
from iluvatar_pxe.admin.requests.request import request_of


def test_every_command_is_in_it() -> None:
    modules = [
        importlib.import_module(f"{admin.__name__}.{one.name}")
        for one in pkgutil.iter_modules(admin.__path__)
    ]
    public = {
        value
        for module in modules
        for name, value in vars(module).items()
        if isclass(value)
        and issubclass(value, Command)
        and not isabstract(value)
        and not name.startswith("_")
    }
    assert set(COMMANDS) == public
    assert len(COMMANDS) == len(public)


def test_no_two_are_asked_for_alike() -> None:
    assert len({(kind.method, kind.route) for kind in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_route_names_fields_that_have_to_be_given(kind: type[Command]) -> None:
    for name in re.findall(r"{(.*?)}", kind.route):
        assert kind.model_fields[name].is_required()


def test_the_first_faulty_field_is_named() -> None:
    assert request_of(SetPlace, {"machine": "x", "layer": "arda"}) == SetPlace(machine="x", layer="arda")
    with pytest.raises(ValueError, match=r"^role: Input should be "):
        request_of(SetPlace, {"machine": "x", "phase": "new", "role": 1, "layer": "arda"})
