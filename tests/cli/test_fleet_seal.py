"""``fleet seal`` and ``fleet unseal`` in a clone, by whoever has a key."""

import asyncio
import stat
from pathlib import Path

import pytest
from support.command import Answer, Host
from support.fleets import ARDA, INITRAMFS, KERNEL
from support.repositories import Person
from support.warm import run_warm

from iluvatar_pxe.cli.lab.commands import own_fleet
from iluvatar_pxe.fleet.daemon_files import RecipientsFile
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.gitops.prepare import prepare
from iluvatar_pxe.gitops.secrets.first_keys import make_first_keys
from iluvatar_pxe.gitops.secrets.recipients import recipients_text
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, new_key, unseal
from iluvatar_pxe.settings.model import Settings

CONFIG = "cluster: {token: abcdef.0123456789abcdef}\n"


class Clone:
    """A clone on the daemon's host, and the owner's key on paper."""

    def __init__(self, directory: Path) -> None:
        self.host = Host(directory)
        self.own = daemon_key(self.host.state / "age.key")
        self.recovery = new_key()
        (directory / "paper").write_text(f"{self.recovery}\n")
        self.paper = str(directory / "paper")
        self.path = directory / "clone"
        (self.path / "configs").mkdir(parents=True)
        self.file = self.path / "configs" / "worker.yaml"
        self.file.write_text(CONFIG)
        self.name = str(self.file)
        recipients = RecipientsFile(
            recovery=str(self.recovery.to_public()), daemons={"pi": str(self.own.to_public())}
        )
        (self.path / "recipients.yaml").write_bytes(recipients_text(recipients))


def bare(*arguments: str) -> Answer:
    """Run a command without a host's settings, as on a workstation."""
    ended = run_warm(*arguments)
    assert "Traceback" not in ended.error, ended.error
    return Answer(ended.status, ended.output, ended.error)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_a_file_is_sealed_in_place_to_the_owner_and_the_daemons(clone: Clone) -> None:
    answer = bare("fleet", "seal", clone.name)
    assert (answer.status, answer.lines) == (0, [f"{clone.name}: sealed to the recovery key, pi"])
    sealed = clone.file.read_bytes()
    assert is_sealed(sealed.decode())
    assert [unseal("x", sealed, [key]).decode() for key in (clone.own, clone.recovery)] == [CONFIG] * 2
    assert list(clone.file.parent.iterdir()) == [clone.file], "nothing is left in clear beside it"
    again = bare("fleet", "seal", clone.name)
    assert (again.status, again.lines) == (0, [f"{clone.name}: is sealed already"])
    assert clone.file.read_bytes() == sealed


@pytest.mark.parametrize("by", ["this host's key", "the recovery key"])
def test_it_is_unsealed_to_be_edited_and_sealed_again(clone: Clone, by: str) -> None:
    bare("fleet", "seal", clone.name)
    key = [] if by == "this host's key" else ["--key", clone.paper]
    answer = clone.host.run("fleet", "unseal", clone.name, *key)
    told = f"{clone.name}: unsealed; before you commit it: iluvatar-pxe fleet seal {clone.name}"
    assert (answer.status, answer.lines) == (0, [told])
    assert clone.file.read_text() == CONFIG
    assert stat.S_IMODE(clone.file.stat().st_mode) == 0o600
    assert clone.host.run("fleet", "unseal", clone.name, *key).lines == [f"{clone.name}: is not sealed"]


def test_another_key_opens_nothing_and_says_so(clone: Clone, tmp_path: Path) -> None:
    bare("fleet", "seal", clone.name)
    before = clone.file.read_bytes()
    (tmp_path / "other").write_text(f"{new_key()}\n")
    answer = clone.host.run("fleet", "unseal", clone.name, "--key", str(tmp_path / "other"))
    assert answer.status == 1
    assert answer.error.startswith(f"iluvatar-pxe: {clone.name}: no available key decrypts it")
    (clone.host.state / "age.key").unlink()
    answer = clone.host.run("fleet", "unseal", clone.name)
    assert answer.error.endswith("age.key: this host has no key; pass the recovery key with --key FILE\n")
    assert not (clone.host.state / "age.key").exists(), "a command makes no key"
    assert clone.file.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("machines/a.yaml", b"match: {}\n", "declares a part of the fleet"),
        ("apps/arda/secret.yaml", b"kind: Secret\n", "is not read by the daemon"),
        ("rescue.ipxe", b"#!ipxe\nshell\n", "an iPXE script is sent to whoever asks"),
        ("configs/image.bin", b"\xff\xfe", "is not UTF-8 text"),
        ("configs/none.yaml", None, "cannot be read: No such file or directory"),
        ("../outside.yaml", b"token: x\n", "no recipients.yaml in its directory or above"),
    ],
)
def test_what_must_stay_readable_is_refused(
    clone: Clone, name: str, content: bytes | None, told: str
) -> None:
    file = clone.path / name
    if content is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    answer = bare("fleet", "seal", str(file))
    assert (answer.status, answer.lines) == (1, [])
    assert answer.error.startswith(f"iluvatar-pxe: {file}: {told}")
    assert content is None or file.read_bytes() == content


@pytest.mark.parametrize(
    ("recipients", "told"),
    [
        ("", "recipients.yaml has no recipients; first run"),
        ("recovery: me\n", "recipients.yaml:1: recovery: "),
    ],
)
def test_nothing_is_sealed_to_nobody(clone: Clone, recipients: str, told: str) -> None:
    (clone.path / "recipients.yaml").write_text(recipients)
    answer = bare("fleet", "seal", clone.name)
    assert answer.status != 0
    assert told in answer.error
    assert clone.file.read_text() == CONFIG


def test_a_link_stays_a_link(clone: Clone) -> None:
    link = clone.path / "configs" / "link.yaml"
    link.symlink_to("worker.yaml")
    assert bare("fleet", "seal", str(link)).status == 0
    assert link.is_symlink()
    assert is_sealed(clone.file.read_text())


def test_a_lab_boots_from_the_contents_of_sealed_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "state").mkdir()
    settings = Settings.model_validate({"state": {"directory": tmp_path / "state"}})
    origin = asyncio.run(prepare(settings))
    assert origin
    asyncio.run(make_first_keys(settings, origin, shown=False))
    owner = Person(tmp_path / "clone", str(origin.repository.path))
    owner.commit({"configs/worker.yaml": CONFIG})
    assert bare("fleet", "seal", str(owner.directory / "configs/worker.yaml")).status == 0
    owner.commit({}, "Sealed")
    owner.push()
    directory = own_fleet(settings)
    assert directory
    assert (directory / "configs/worker.yaml").read_text() == CONFIG
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_plan_shows_what_a_sealed_configuration_holds_masked(clone: Clone) -> None:
    """``plan`` reads the fleet by itself, with the daemon's key."""
    host = clone.host
    mac = "52:54:00:77:00:01"
    host.write("machines/one.yaml", f'match: {{macs: ["{mac}"]}}\nchain: talos\nconfig: configs/one.yaml\n')
    host.write("layers/arda.yaml", ARDA)
    host.write("recipients.yaml", (clone.path / "recipients.yaml").read_text())
    host.write("configs/one.yaml", "machine: {type: worker, token: s3cret}\n")
    host.have(KERNEL, INITRAMFS, "ipxe/snponly.efi")
    assert bare("fleet", "seal", str(host.fleet / "configs/one.yaml")).status == 0
    shown = host.run("plan", mac, "--firmware", "uefi-pxe")
    assert shown.status == 0, shown.output + shown.error
    assert "type: worker" in shown.output
    assert "s3cret" not in shown.output
    (host.state / "age.key").write_text(f"{new_key()}\n")
    told = host.run("plan", mac, "--firmware", "uefi-pxe")
    assert told.status == 1
    why = "configs/one.yaml is sealed, and the boot server's key does not open it"
    assert why in " ".join(told.output.split())
