"""What a commit changes of the documents of Raspberry Pis, and what people see of these."""

import pytest
import yaml
from support.fleets import fleet_of
from support.machines import machine_of

from iluvatar_pxe.errors import ConfigurationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.shown import shown_documents
from iluvatar_pxe.layers.effects import effects_on_installed, effects_on_listed
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Phase, Role

MAC, OTHER = "2c:cf:67:00:00:01", "2c:cf:67:00:00:02"
AINUR = "image: ubuntu\n"
IN_MEMORY = "layer: ainur\nrole: server\nroot: {kind: memory, data: {label: data}}\n"
ON_DISK = "layer: ainur\nrole: agent\n"
PATCH = "#cloud-config\nbootcmd: [[echo, hunter2]]\n"
SEALED = "-----BEGIN AGE ENCRYPTED FILE-----\n{}\n-----END AGE ENCRYPTED FILE-----\n"
SERVER = "http://192.168.1.2:8080"


def fleet(ainur: str = AINUR, patch: str = PATCH) -> Fleet:
    pis = ("ainur-01", MAC, IN_MEMORY), ("ainur-02", OTHER, ON_DISK)
    return fleet_of(*pis, ainur=ainur, **{"patches/a_yaml": patch})


def told(old: Fleet, new: Fleet) -> dict[str, str]:
    return {one.machine: one.text for one in effects_on_listed(old, new)}


def test_each_pi_is_told_what_changes_and_when_it_gets_that() -> None:
    found = told(fleet(), fleet(f"{AINUR}k3s: {{config: {{server: {{secrets-encryption: true}}}}}}\n"))
    assert found == {"ainur-01": "its documents change: /etc/rancher/k3s/config.yaml; at its next start"}
    found = told(fleet(), fleet(f"{AINUR}patches: [patches/a.yaml]\n"))
    assert found["ainur-01"] == "its documents change: bootcmd; at its next start"
    assert found["ainur-02"].startswith("its documents change: bootcmd; on its disk they stay as they are")


def test_another_k3s_comes_by_an_upgrade() -> None:
    found = told(fleet(), fleet(f"{AINUR}k3s: {{version: v1.37.1+k3s1}}\n"))
    assert found["ainur-02"] == "k3s v1.36.3+k3s1 → v1.37.1+k3s1 by cluster upgrade"


def test_nothing_is_told_where_nothing_changes_or_the_owner_configures_it() -> None:
    assert told(fleet(), fleet()) == {}
    theirs = f"{AINUR}kernelArgs: ['ds=nocloud;s=http://nas/']\n"
    assert told(fleet(), fleet(f"{theirs}k3s: {{version: v1.37.1+k3s1}}\n")) == {}


def test_of_sealed_patches_is_told_that_they_are_others() -> None:
    ainur = f"{AINUR}patches: [patches/a.yaml]\n"
    found = told(fleet(ainur, SEALED.format("one")), fleet(ainur, SEALED.format("two")))
    assert found["ainur-01"] == "its documents change: sealed patches; at its next start"


def test_of_pis_that_were_seen_only_those_that_have_a_system_are_told() -> None:
    new = fleet(f"{AINUR}patches: [patches/a.yaml]\n")
    phases = {MAC: Phase.JOINED, OTHER: Phase.BOOTING}
    snapshot = Snapshot.of(machine_of(mac, phase=phase) for mac, phase in phases.items())
    assert [one.machine for one in effects_on_installed(fleet(), new, snapshot)] == ["ainur-01"]


def test_people_see_documents_without_secrets() -> None:
    ainur = f"{AINUR}patches: [patches/a.yaml]\n"
    text = shown_documents("ainur-01", "ainur", Role.SERVER, [MAC], fleet(ainur), SERVER)
    assert "hunter2" not in text
    assert "# patches/a.yaml adds: bootcmd\n" in text
    assert 'token-file: "/etc/rancher/k3s/token"' in text
    assert f"{SERVER}/cloud-init/TICKET/phone-home" in text
    user, network = yaml.safe_load_all(text)
    assert (user["hostname"], network["version"]) == ("ainur-01", 2)


def test_a_version_that_is_not_chosen_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"layers/ainur\.yaml: which version of k3s"):
        shown_documents(
            "ainur-01", "ainur", Role.SERVER, [MAC], fleet(f"{AINUR}k3s: {{version: stable}}\n"), SERVER
        )
