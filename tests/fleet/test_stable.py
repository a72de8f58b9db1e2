"""``version: stable`` in a layer's file, and what a commit says that it stands for."""

import pytest

from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.parse import parse_fleet

LAYER = "kind: talos\ntalos: {version: stable, extensions: [zfs]}\n"


def fleet(lock: str | None = None, layer: str = LAYER, settings: str = "") -> Fleet:
    files = {"fleet.yaml": settings, "layers/arda.yaml": layer, "layers/ainur.yaml": "kind: k3s\n"}
    return parse_fleet(files if lock is None else files | {"assets.lock.yaml": lock})


def version(found: Fleet) -> str:
    layer = found.talos("arda")
    assert layer
    return layer.talos.version


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (None, "stable"),
        ("", "stable"),
        ("versions: {k3s: {stable: v1.36.3+k3s1}}\n", "stable"),
        ("versions: {talos: {stable: v1.14.0}}\n", "v1.14.0"),
    ],
)
def test_it_is_what_a_commit_says(lock: str | None, expected: str) -> None:
    found = fleet(lock)
    assert version(found) == expected
    layer = found.talos("arda")
    assert layer
    assert layer.talos.is_chosen == (expected != "stable")
    assert not layer.talos.is_chosen or layer.talos.minor == (1, 14)
    assert layer.talos.schematic == layer.talos.model_copy(update={"version": "v1.0.0"}).schematic


def test_a_version_that_is_written_stays() -> None:
    lock = "versions: {talos: {stable: v1.14.0}}\n"
    assert version(fleet(lock, LAYER.replace("stable", "v1.13.9"))) == "v1.13.9"


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(
        FleetError, match=r"assets\.lock\.yaml:1: versions\.talos\.stable: write a version such as"
    ):
        fleet("versions: {talos: {stable: newest}}\n")
    with pytest.raises(
        FleetError, match=r"layers/arda\.yaml:2: talos\.version: write a version .* or stable"
    ):
        fleet(layer=LAYER.replace("stable", "newest"))


def test_k3s_has_a_stable_version_as_well() -> None:
    layer = "kind: k3s\nk3s: {version: stable}\n"
    known = parse_fleet({"fleet.yaml": "", "layers/ainur.yaml": layer}).k3s("ainur")
    assert known
    assert not known.k3s.is_chosen
    lock = "versions: {k3s: {stable: v1.36.3+k3s1}}\n"
    files = {"fleet.yaml": "", "layers/ainur.yaml": layer, "assets.lock.yaml": lock}
    chosen = parse_fleet(files).k3s("ainur")
    assert chosen
    assert chosen.k3s.version == "v1.36.3+k3s1"
    with pytest.raises(FleetError, match=r"versions\.k3s\.stable: write a version such as v1\.36\.3\+k3s1"):
        parse_fleet(files | {"assets.lock.yaml": lock.replace("+k3s1", "")})


def test_only_layers_have_a_stable_version() -> None:
    with pytest.raises(
        FleetError, match=r"assets\.versions\.ipxe: nobody tells which version is stable; write one"
    ):
        fleet(settings="assets: {versions: {ipxe: stable}}\n")
