"""All commands at one look: none is left out, and each can be told from the others by how it is asked for."""

import importlib
import pkgutil
import re
from inspect import isabstract, isclass
from types import ModuleType

import pytest

from iluvatar_pxe import admin
from iluvatar_pxe.admin import requests
from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.machines import SetPlace
from iluvatar_pxe.admin.registry import COMMANDS
from iluvatar_pxe.admin.requests.request import Request, request_of


def classes(package: ModuleType, base: type[Request]) -> set[type[Request]]:
    """Return the public classes of a package's modules that can be sent or carried out."""
    modules = [
        importlib.import_module(f"{package.__name__}.{one.name}")
        for one in pkgutil.iter_modules(package.__path__)
    ]
    return {
        value
        for module in modules
        for name, value in vars(module).items()
        if isclass(value) and issubclass(value, base) and not isabstract(value) and not name.startswith("_")
    }


def test_every_command_is_in_it() -> None:
    public = classes(admin, Command)
    assert set(COMMANDS) == public
    assert len(COMMANDS) == len(public)


def test_every_request_is_carried_out_by_one_command() -> None:
    asked = classes(requests, Request) - {Request}
    carried_out = {kind: [one for one in COMMANDS if issubclass(one, kind)] for kind in asked}
    assert {len(commands) for commands in carried_out.values()} == {1}
    assert len(asked) == len(COMMANDS)


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
