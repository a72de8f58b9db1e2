"""Talos' own library takes what it published, so its verdicts about ours are its own."""

import subprocess
from pathlib import Path

import pytest
from support.judge import PROGRAM, Judge, Refused, go

from iluvatar_pxe.layers.arda.documents import load_documents

GOLDEN = Path(__file__).parents[1] / "replies/talos"
ROLES = ("controlplane", "worker")


def test_it_is_the_library_of_the_contract(judge: Judge) -> None:
    assert judge.version().startswith(f"{judge.contract}.")


@pytest.mark.parametrize("role", ROLES)
def test_it_generates_the_golden_documents_from_the_golden_secrets(judge: Judge, role: str) -> None:
    secrets = (GOLDEN / "secrets.yaml").read_text()
    made = judge.generate(secrets, "base", "https://base:6443", "1.28.0")
    assert load_documents(made[role]) == load_documents(
        (GOLDEN / f"{judge.contract}-{role}.yaml").read_text()
    )


def test_it_takes_the_golden_secrets_and_no_incomplete_ones(judge: Judge) -> None:
    judge.check_secrets((GOLDEN / "secrets.yaml").read_text())
    with pytest.raises(Refused, match="trustdinfo is required"):
        judge.check_secrets("cluster: {id: one, secret: two}")


@pytest.mark.parametrize("role", ROLES)
def test_it_takes_what_it_generates_once_there_is_a_disk(judge: Judge, role: str) -> None:
    secrets = (GOLDEN / "secrets.yaml").read_text()
    made = judge.generate(secrets, "base", "https://base:6443", "1.36.0")[role]
    with_disk = (
        judge.patch(made, "machine: {install: {disk: /dev/sda}}") if judge.contract == "v1.13" else made
    )
    assert judge.load(with_disk) == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("kind: Unknown\napiVersion: v1alpha1\n", "Unknown"),
        ("machine: {type: worker}\ncluster: {}\nunheard: 1\n", "unheard"),
        ("", "config not found"),
    ],
)
def test_it_refuses_with_a_reason(judge: Judge, config: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        judge.load(config)


def test_the_program_is_formatted_and_vetted(judge: Judge) -> None:
    assert subprocess.check_output(["gofmt", "-l", "."], cwd=PROGRAM) == b""
    assert go("vet", judge.contract, ".").stderr == ""
