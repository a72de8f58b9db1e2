"""The pre-receive hook, as git runs it: what is pushed is checked before it is there."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from support.factory import SyntheticFactory, talos_from
from support.git_site import GOOD, hosted
from support.repositories import Person, git

from iluvatar_pxe.catalogue.schematic import Schematic
from iluvatar_pxe.gitops.hook import HISTORY, refused_push
from iluvatar_pxe.gitops.repository.git import Git
from iluvatar_pxe.gitops.repository.hosting import host
from iluvatar_pxe.gitops.repository.tree import read_tree
from iluvatar_pxe.host.network import read_network

HEAVY = {"aiohttp", "sqlalchemy", "typer", "rich", "jinja2", "structlog", "cryptography"}
TALOS, IT = "layers/arda.yaml: talos", "Talos v1.13.9"
LAST = "push rejected; correct the faults and push again"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    return hosted(tmp_path / "fleet.git", checked=True)


@pytest.fixture
def ada(fleet: Path, tmp_path: Path) -> Person:
    return Person(tmp_path / "ada", str(fleet))


def told(terminal: str) -> list[str]:
    """Return what the terminal shows of the hook's words, but for the line that a busy host has it say."""
    lines = (line.strip() for line in terminal.splitlines())
    words = [line.removeprefix("remote: ") for line in lines if line.startswith("remote: ")]
    return [line for line in words if not line.startswith("asking Image Factory ")]


def tip(fleet: Path) -> str:
    return git(fleet, "for-each-ref", "--format=%(objectname)", "refs/heads/main").strip()


def test_a_valid_fleet_is_accepted_without_a_word(fleet: Path, ada: Person) -> None:
    commit = ada.commit(GOOD)
    assert told(ada.push()) == []
    assert tip(fleet) == commit


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_kept(fleet: Path, ada: Person) -> None:
    first = ada.commit(GOOD)
    ada.push()
    machine = 'match: {macs: ["52:54:00:00:00:01"]}\nchain: local\n'
    ada.commit({"fleet.yaml": "domain: 7\n", "machines/a.yaml": machine, "machines/b.yaml": machine})
    refused = told(ada.push(check=False))
    assert [line.partition(": ")[0] for line in refused[:-1]] == ["fleet.yaml:1", "machines/b.yaml:1"]
    assert "52:54:00:00:00:01" in refused[1]
    assert refused[-1] == LAST
    assert tip(fleet) == first
    assert [path.name for path in fleet.glob("objects/tmp_*")] == []
    told_later = f"a push was refused: {refused[0]} (and 1 more); correct it and push again"
    assert refused_push(fleet) == told_later
    ada.git("reset", "--quiet", "--hard", first)
    ada.commit({"README.md": "all is well"})
    ada.push("origin", "HEAD:aside")
    assert refused_push(fleet) == told_later
    ada.push()
    assert refused_push(fleet) is None


def test_secrets_in_clear_are_accepted_with_a_warning_and_the_remedy(fleet: Path, ada: Person) -> None:
    commit = ada.commit({**GOOD, "configs/a.yaml": "machine:\n  token: abcdef.0123456789abcdef\n"})
    told_of = "holds a bootstrap token in clear; encrypt it: iluvatar-pxe fleet seal configs/a.yaml"
    assert told(ada.push()) == [f"warning: configs/a.yaml:2: {told_of}", HISTORY]
    assert tip(fleet) == commit


def test_of_several_refs_the_fleets_branch_is_judged_wherever_it_stands(fleet: Path, ada: Person) -> None:
    first = ada.commit(GOOD)
    ada.push()
    bad = ada.commit({"fleet.yaml": "colour: red\n"})
    refused = told(ada.push("origin", "HEAD:aside", "HEAD:main", check=False))
    assert (refused[0].partition(": ")[0], refused[-1]) == ("fleet.yaml:1", LAST)
    assert (tip(fleet), git(fleet, "branch", "--list", "aside")) == (first, ""), "nothing of it is kept"
    ada.push("origin", "HEAD:aside")
    updates = [f"{first} {bad} refs/heads/{branch}\n" for branch in ("aside", "main", "other")]
    for place in range(len(updates)):
        status, lines = run(fleet, "".join(updates[place:] + updates[:place]))
        assert (status, lines[0].partition(": ")[0], lines[-1]) == (1, "fleet.yaml:1", LAST)
    assert run(fleet, updates[0] + updates[2]) == (0, [])


def test_what_a_path_holds_does_nothing_to_the_terminal(ada: Person) -> None:
    ada.commit({**GOOD, "machines/\x1b[31mred\n.yaml": "x\n"})
    refused = told(ada.push(check=False))
    assert refused[0].startswith("machines/\\x1b[31mred\\n.yaml:1: ")


def test_links_and_submodules_are_told(ada: Person) -> None:
    ada.commit(GOOD)
    (ada.directory / "machines").mkdir()
    (ada.directory / "machines/a.yaml").symlink_to("/etc/passwd")
    ada.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},machines/b.yaml")
    ada.git("add", "machines/a.yaml")
    ada.git("commit", "--quiet", "--message", "x")
    refused = told(ada.push(check=False))
    assert refused == [
        "machines/a.yaml:1: is a symbolic link, which is not followed; put the file itself here",
        "machines/b.yaml:1: is a submodule, which is not followed; put the file itself here",
        LAST,
    ]


def test_the_branch_is_not_deleted_and_others_are_not_looked_at(fleet: Path, ada: Person) -> None:
    first = ada.commit(GOOD)
    ada.push()
    assert told(ada.push("origin", ":main", check=False)) == [
        "main: holds the fleet and cannot be deleted",
        LAST,
    ]
    ada.commit({"fleet.yaml": "no: thing\n"})
    assert told(ada.push("origin", "HEAD:refs/heads/draft", "HEAD:refs/tags/v1")) == []
    both = told(ada.push("origin", "HEAD:main", "HEAD:refs/heads/other", check=False))
    assert both[-1] == LAST
    assert git(fleet, "for-each-ref", "--format=%(refname)").split() == [
        "refs/heads/draft",
        "refs/heads/main",
        "refs/tags/v1",
    ]
    assert tip(fleet) == first


def test_history_is_not_rewritten(fleet: Path, ada: Person) -> None:
    ada.commit(GOOD)
    second = ada.commit({"README.md": "More\n"})
    ada.push()
    ada.git("reset", "--hard", "--quiet", "HEAD~1")
    ada.commit({"README.md": "Other\n"})
    assert "non-fast-forward" in ada.push("--force", "origin", "HEAD:main", check=False)
    assert tip(fleet) == second


def test_the_daemons_own_refs_are_nobodys_business(fleet: Path, ada: Person) -> None:
    commit = ada.commit(GOOD)
    ada.push()
    git(fleet, "update-ref", "refs/iluvatar/in-force", commit)
    assert "refs/iluvatar" not in ada.git("ls-remote", "origin")
    assert "deny updating a hidden ref" in ada.push("origin", "HEAD:refs/iluvatar/in-force", check=False)


def test_a_check_that_does_not_end_is_told(fleet: Path, ada: Person) -> None:
    hook = fleet / "hooks/pre-receive"
    text = hook.read_text().replace(" 60 ", " 0.2 ").replace(sys.executable, "sleep 1000 #")
    hook.write_text(text)
    ada.commit(GOOD)
    assert told(ada.push(check=False)) == ["the check did not end within 0.2 s; push rejected"]
    assert tip(fleet) == ""


def test_a_check_that_fails_itself_accepts_nothing(fleet: Path, tmp_path: Path) -> None:
    update = f"{'0' * 40} {'1' * 40} refs/heads/main\n"
    for directory, place in ((fleet, "fleet.git"), (tmp_path, str(tmp_path))):
        status, lines = run(directory, update)
        assert status == 1
        assert place in lines[0]
        assert lines[1:] == [LAST]
    status, lines = run(fleet, "nonsense\n")
    assert status == 1
    assert lines[0].startswith("the check itself failed: ValueError(")
    assert lines[1:] == [LAST]


def run(directory: Path, updates: str) -> tuple[int, list[str]]:
    """Run the hook as its script does."""
    command = [sys.executable, "-W", "error", "-P", "-m", "iluvatar_pxe.gitops.pre_receive", "main"]
    done = subprocess.run(command, cwd=directory, input=updates, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def test_it_starts_with_little() -> None:
    script = f"import sys, iluvatar_pxe.gitops.hook; print({HEAVY!r} & set(sys.modules))"
    output = subprocess.check_output([sys.executable, "-c", script], text=True)
    assert output == "set()\n"


def asking(fleet: Path) -> None:
    """Have the hook ask Image Factory, as the daemon configures it."""
    asyncio.run(host(fleet, "main", checked=True, max_push=1, ask_factory=True))


def built(address: str, talos: str = "extensions: [iscsi-tools]", version: str = "v1.13.9") -> dict[str, str]:
    """Return a fleet whose factory is at another address."""
    layer = f"kind: talos\ntalos: {{version: {version}, {talos}}}\n"
    return {"fleet.yaml": talos_from(address), "layers/arda.yaml": layer}


def test_names_that_the_factory_does_not_have_are_refused_with_what_was_meant(
    fleet: Path, ada: Person
) -> None:
    asking(fleet)
    with SyntheticFactory() as factory:
        ada.commit(built(factory.address, "extensions: [iscsi-tool, zfs], overlay: {image: sbc-x, name: x}"))
        refused = told(ada.push(check=False))
        assert refused == [
            f"{TALOS}.extensions: siderolabs/iscsi-tool is no extension for {IT}; did you mean siderolabs/iscsi-tools?",
            f"{TALOS}.overlay.image: siderolabs/sbc-x is no overlay for {IT}; take a name of Image Factory's list",
            LAST,
        ]
        ada.commit(built(factory.address, version="v1.13.99"))
        assert told(ada.push(check=False)) == [
            "layers/arda.yaml: talos.version: Image Factory has no Talos v1.13.99; did you mean v1.13.9?",
            LAST,
        ]
        assert tip(fleet) == ""
        commit = ada.commit(built(factory.address))
        assert told(ada.push()) == []
        assert tip(fleet) == commit


def test_a_schematic_is_known_there_and_its_kernel_arguments_are_repeated(fleet: Path, ada: Person) -> None:
    asking(fleet)
    schematic = Schematic(kernel_args=("noapic", "console=ttyS0"))
    with SyntheticFactory(schematics={schematic.id: schematic.text}) as factory:
        ada.commit(built(factory.address, f"schematic: {'a' * 64}"))
        refused = f"{TALOS}.schematic: {factory.address}: has no schematic {'a' * 64}: schematic not found; "
        assert told(ada.push(check=False)) == [f"{refused}correct the layer's file", LAST]
        ada.commit(built(factory.address, f"schematic: {schematic.id}, extraKernelArgs: [noapic]"))
        (warning,) = told(ada.push())
        assert warning.startswith(
            f"warning: {TALOS}.schematic: the boot files do not have its kernel arguments; "
        )
        assert warning.endswith(" add extraKernelArgs: [console=ttyS0]")
        ada.commit(
            built(factory.address, f"schematic: {schematic.id}, extraKernelArgs: [noapic, console=ttyS0]")
        )
        assert told(ada.push()) == []
        factory.schematics[schematic.id] = "customization: {}\n"
        ada.commit({**built(factory.address, f"schematic: {schematic.id}"), "README.md": "x"})
        (warning,) = told(ada.push())
        assert f"answers with another schematic than {schematic.id}; correct its address" in warning


def test_a_factory_that_cannot_be_asked_holds_no_push_up(fleet: Path, ada: Person) -> None:
    asking(fleet)
    with SyntheticFactory(answers={"/versions": (503, "upstream")}) as factory:
        commit = ada.commit(built(factory.address))
        (line,) = told(ada.push())
        assert line.startswith(
            f"warning: the names of extensions and overlays were not checked: {factory.address}: cannot tell its "
            "versions now: HTTP 503: upstream; "
        )
        assert line.endswith("; they are checked when the boot files are downloaded")
        assert tip(fleet) == commit
        factory.asked.clear()
        ada.commit({"README.md": "nothing that has names"})
        assert told(ada.push()) == []
        assert factory.asked == [], "what a push does not change was asked for when it came"
        ada.commit(built(factory.address, "extensions: [other]"))
        assert len(told(ada.push())) == 1
        assert factory.asked


def test_without_extensions_or_without_the_argument_nobody_is_asked(fleet: Path, ada: Person) -> None:
    with SyntheticFactory() as factory:
        ada.commit(built(factory.address))
        assert told(ada.push()) == []
        asking(fleet)
        ada.commit(built(factory.address, "schematic: x, extraKernelArgs: [quiet]"))
        assert told(ada.push()) == []
        assert factory.asked == []


def test_a_patch_that_talos_would_refuse_is_refused(fleet: Path, ada: Person) -> None:
    layer = "kind: talos\ntalos: {version: v1.13.9}\npatches: [patches/arda.yaml]\n"
    ada.commit({**GOOD, "layers/arda.yaml": layer, "patches/arda.yaml": "machine:\n  kubelets: {}\n"})
    told_of = "patches/arda.yaml:2: machine.kubelets: no such key; did you mean kubelet?"
    assert told(ada.push(check=False)) == [told_of, LAST]
    commit = ada.commit({"patches/arda.yaml": "machine:\n  kubelet:\n    extraArgs: {max-pods: 200}\n"})
    assert told(ada.push()) == []
    assert tip(fleet) == commit


def test_what_a_change_takes_of_machines_that_have_joined_is_told(ada: Person) -> None:
    layer = "kind: talos\ntalos: {version: v1.13.9}\n"
    machines = {
        f"machines/arda-0{number}.yaml": f"match: {{macs: ['52:54:00:00:00:0{number}']}}\nlayer: arda\nrole: worker\n"
        for number in (1, 2)
    }
    ada.commit({**GOOD, "layers/arda.yaml": layer, **machines})
    assert told(ada.push()) == []
    patch = "machine: {sysctls: {a.b: '1'}, udev: {rules: [secret]}}\n"
    ada.commit({"layers/arda.yaml": f"{layer}patches: [patches/arda.yaml]\n", "patches/arda.yaml": patch})
    (line,) = told(ada.push())
    assert line.startswith(
        "arda-01, arda-02: as far as it has joined, its configuration changes without a restart: "
    )
    assert line.endswith("machine.sysctls.a.b; with a restart: machine.udev.rules")


def test_an_address_of_this_host_is_no_vip(ada: Person) -> None:
    own = [one.interface.ip for one in read_network().addresses if not one.interface.is_loopback]
    if not own:
        pytest.skip("this host has no address but loopback")
    layer = "kind: talos\ntalos: {version: v1.13.9}\n"
    ada.commit({**GOOD, "layers/arda.yaml": f"{layer}vip: {own[0]}\n"})
    assert told(ada.push(check=False)) == [
        f"layers/arda.yaml: vip: {own[0]} is a boot server's address; choose an address that nothing else has",
        LAST,
    ]


def cluster_files() -> dict[str, str]:
    """Return the files of a cluster of three machines that was founded."""
    machines = {
        f"machines/arda-0{number}.yaml": f"match: {{macs: ['52:54:00:00:00:0{number}']}}\nlayer: arda\nrole: {role}\n"
        for number, role in enumerate(["controlplane", "worker", "worker"])
    }
    fingerprint = ":".join(["AB"] * 32)
    return {
        **GOOD,
        "layers/arda.yaml": "kind: talos\ntalos: {version: v1.13.9}\n",
        "clusters/arda.yaml": f"layer: arda\ncaFingerprint: '{fingerprint}'\nfounded: 2026-01-01T00:00:00Z\n",
        "clusters/arda.secrets.age": "-----BEGIN AGE ENCRYPTED FILE-----\n",
        **machines,
    }


def test_a_machine_of_a_cluster_is_not_replaced_under_its_name_at_once(ada: Person) -> None:
    files = cluster_files()
    ada.commit({**files})
    assert told(ada.push()) == []
    path = "machines/arda-01.yaml"
    for macs, is_refused in (("01', '52:54:00:00:00:99", False), ("99", False), ("98", True)):
        ada.commit({path: files[path].replace("00:01'", f"00:{macs}'")})
        lines = told(ada.push(check=False))
        assert any(f"{path}: match: lists none of the hardware" in line for line in lines) is is_refused


def test_machines_that_leave_a_cluster_by_a_push_are_named(ada: Person) -> None:
    ada.commit({**cluster_files()})
    assert told(ada.push()) == []
    ada.commit({"machines/arda-01.yaml": None, "machines/arda-02.yaml": None})
    line, schedules = told(ada.push())
    assert line.startswith(
        "arda-01, arda-02: as far as it has joined, it leaves its cluster: it is drained and "
    )
    assert schedules.startswith("arda-00: as far as it has joined, its configuration changes ")
    ada.commit({"machines/arda-00.yaml": None})
    (line,) = told(ada.push())
    assert line.startswith("arda-00: as far as it has joined, it stays in its cluster as it is: ")


@pytest.mark.parametrize(
    ("date", "why"),
    [("@4102444800 +0000", "is after this host's clock"), ("@1700000000 +9959", "is no time")],
)
def test_a_commit_whose_date_keeps_certificates_from_being_signed_is_warned_of(
    fleet: Path, ada: Person, monkeypatch: pytest.MonkeyPatch, date: str, why: str
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", date)
    commit = ada.commit(GOOD)
    [line] = told(ada.push())
    assert line.startswith(f"warning: commit {commit[:8]} is of ")
    assert why in line
    assert tip(fleet) == commit


def test_what_refs_replace_is_checked_and_read_as_it_is(fleet: Path, ada: Person) -> None:
    """No clone fetches such refs, and they can be deleted once a push has been checked."""
    good = ada.commit(GOOD)
    ada.push()
    bad = ada.commit({"fleet.yaml": "colour: red\n"})
    for replaced, by in (
        (f"{bad}:fleet.yaml", f"{good}:fleet.yaml"),
        (f"{bad}^{{tree}}", f"{good}^{{tree}}"),
        (bad, good),
    ):
        names = [ada.git("rev-parse", one).strip() for one in (by, replaced)]
        ada.push("origin", "{}:refs/replace/{}".format(*names))
    assert told(ada.push(check=False)) == [
        "fleet.yaml:1: colour: no such key; remove it or correct its name",
        LAST,
    ]
    ada.git("reset", "--quiet", "--hard", good)
    commit = ada.commit({"fleet.yaml": "domain: lab.home.arpa\n# mine\n"})
    ada.push("origin", f"{bad}:refs/replace/{commit}")
    assert told(ada.push()) == []
    tree = asyncio.run(read_tree(Git(fleet), commit))
    assert tree.texts["fleet.yaml"] == "domain: lab.home.arpa\n# mine\n"
