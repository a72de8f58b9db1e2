"""What keeps machines from booting: how far downloads are is told anew each time."""

from pathlib import Path

from support.fleets import fleet_of

from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.catalogue.progress import Progress, State
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.prospects import Prospects

FLEET = fleet_of(("varda", "dc:a6:32:00:00:04", "layer: ainur\nrole: agent\n"), ainur="image: new\n")


def test_a_line_follows_the_download(tmp_path: Path) -> None:
    coming: dict[str, Progress] = {}
    here = Prospects(Applied(FLEET), AssetStore(tmp_path), lambda: coming)
    missing = "machines/varda.yaml: the file raspberry-pi/new/vmlinuz is missing; give its address in assets.entries of fleet.yaml, or copy it into the assets directory"
    assert (here.problem, here.lines) == (missing, [missing])
    for percent in (0, 50):
        coming["raspberry-pi/new/"] = Progress(state=State.LOADING, done=percent, size=100)
        told = (
            f"machines/varda.yaml: raspberry-pi/new is {percent} % here (0.0 of 0.0 MB); no action is needed"
        )
        assert (here.problem, here.lines) == (told, [told])


def test_a_version_that_is_not_chosen_is_told_with_its_reason(tmp_path: Path) -> None:
    stuck = Progress(state=State.WAITING, trouble="https://a: answers with no JSON; correct its address")
    coming: dict[str, Progress] = {}
    fleet = fleet_of(
        ("one", "52:54:00:77:00:01", "layer: arda\nconfig: configs/one.yaml\n"),
        arda="kind: talos\ntalos: {version: stable}\n",
    )
    here = Prospects(Applied(fleet), AssetStore(tmp_path), lambda: coming)
    talos = "machines/one.yaml: which version of Talos is 'stable' for layers/arda.yaml is not known yet"
    assert here.lines == [
        f"{talos}; wait while its publisher is asked, or write a version into layers/arda.yaml"
    ]
    coming |= {"talos stable": stuck, "k3s stable": stuck}
    why = "https://a: answers with no JSON; correct its address, or write a version into"
    told = f"{talos}: {why} layers/arda.yaml"
    k3s = f"which version of k3s is stable is not known yet: {why} the layer's file"
    assert (here.problem, here.lines) == (told, [told, k3s])


def test_what_no_machine_boots_from_is_told_when_it_cannot_be_had(tmp_path: Path) -> None:
    stuck = Progress(state=State.WAITING, trouble="x/1/x.tar: example.org has no such file (404); correct it")
    boots = Progress(state=State.WAITING, trouble="raspberry-pi/new: example.org cannot be reached; check it")
    coming = {"x/one": stuck, "x/two": stuck, "raspberry-pi/new/": boots, "y": Progress(state=State.QUEUED)}
    first, second = Prospects(Applied(FLEET), AssetStore(tmp_path), lambda: coming).lines
    assert first.startswith("machines/varda.yaml: raspberry-pi/new is missing, and its download waits")
    assert "x.tar: example.org has no such file (404)" in second
    assert second.startswith(("x/one is missing", "x/two is missing"))
