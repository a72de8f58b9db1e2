"""Files that the daemon writes, and roles in files that people wrote: nothing else of those changes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fleets import CONFIGURED
from support.machines import machine_of

from iluvatar_pxe.fleet.models import Boot, Rule
from iluvatar_pxe.fleet.parse import parse_fleet
from iluvatar_pxe.gitops.changes.machine_file import new_machine_file, with_role
from iluvatar_pxe.machines.states import Assignment, Role
from iluvatar_pxe.wire.pxe import CpuArch

MAC = "52:54:00:12:34:56"
GIVEN = Assignment(
    name="arda-01",
    layer="arda",
    role=Role.WORKER,
    rule='rule 1 "PCs" of fleet.yaml',
    at=datetime(2026, 1, 1, tzinfo=UTC),
)


def test_a_new_file_says_who_it_is_and_what_was_seen() -> None:
    machine = machine_of(MAC, arch=CpuArch.X86_64, manufacturer="LENOVO", product="M93p", serial="PC01")
    rule = Rule.model_validate({"layer": "arda", "local": "404", "config": "configs/worker.yaml"})
    assert new_machine_file(machine, GIVEN, rule).decode() == (
        "# Written by iluvatar-pxe when this machine joined. Edit it freely, but keep the MACs.\n"
        "match:\n"
        "  macs:\n"
        '    - "52:54:00:12:34:56"\n'
        "layer: arda\n"
        "role: worker\n"
        "config: configs/worker.yaml\n"
        "local: '404'\n"
        "seen:\n"
        '  arch: "x86_64"\n'
        '  manufacturer: "LENOVO"\n'
        '  product: "M93p"\n'
        '  serial: "PC01"\n'
        '  rule: "rule 1 \\"PCs\\" of fleet.yaml"\n'
    )


@given(st.text(max_size=60), st.text(max_size=60))
def test_whatever_firmware_tells_the_file_is_valid_and_says_it(product: str, serial: str) -> None:
    machine = machine_of(MAC, product=product, serial=serial)
    text = new_machine_file(machine, GIVEN, Boot()).decode()
    fleet = parse_fleet(
        {"fleet.yaml": "", "layers/arda.yaml": CONFIGURED, "machines/arda-01.yaml": text} | CONFIGS
    )
    seen = fleet.listed[0].file.seen
    expected = product.encode("utf-8", "replace").decode() or None
    assert seen.product == expected
    assert (fleet.listed[0].file.match.macs, fleet.listed[0].file.role) == ((MAC,), Role.WORKER)


CONFIGS = {f"configs/{role}.yaml": "machine: {}\n" for role in ("controlplane", "worker")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            '# mine\nmatch: {macs: ["52:54:00:12:34:56"]}   # the card\n\n# how\nlocal: exit\n',
            '# mine\nmatch: {macs: ["52:54:00:12:34:56"]}   # the card\n\n# how\nlocal: exit\nrole: worker\n',
        ),
        (
            "match:\n    macs:\n    - '1'\n    - 2\nlayer: arda # x\n\n\nintent: boot",
            "match:\n    macs:\n    - '1'\n    - 2\nlayer: arda # x\n\n\nintent: boot\nrole: worker\n",
        ),
        ("role: auto  # choose\nmatch: {}\n", "role: worker  # choose\nmatch: {}\n"),
        ("match: {}\nrole: 'auto' # choose\n", "match: {}\nrole: worker # choose\n"),
        ("{match: {a: 1}, role: auto}\n", "{match: {a: 1}, role: worker}\n"),
        ("{match: {a: 1}}\n", "{match: {a: 1}, role: worker}\n"),
        ("match: {a: 1}\n...\n# end\n", "match: {a: 1}\nrole: worker\n...\n# end\n"),
        ("---\n# a\nmatch: {a: 1}\n", "---\n# a\nmatch: {a: 1}\nrole: worker\n"),
        ("  match: {a: 1}\n  layer: arda\n", "  match: {a: 1}\n  layer: arda\n  role: worker\n"),
        (
            "# rack 3\n{ match: { a: [1] }, # left card\n  layer: arda } # end\n",
            "# rack 3\n{ match: { a: [1] }, # left card\n  layer: arda, role: worker } # end\n",
        ),
        ("match: {a: 1}\nlayer:\tarda\t# tab\n", "match: {a: 1}\nlayer:\tarda\t# tab\nrole: worker\n"),
        ("match: {a: 2024-99-12}\n", "match: {a: 2024-99-12}\nrole: worker\n"),
        ("role:\n# none yet\nmatch: {a: 1}\n", "role: worker\n# none yet\nmatch: {a: 1}\n"),
        ("match: {a: 1}\r\nlayer: arda\r\n", "match: {a: 1}\r\nlayer: arda\r\nrole: worker\r\n"),
    ],
)
def test_a_role_is_put_into_a_file_and_all_else_stays(before: str, after: str) -> None:
    assert with_role(before, Role.WORKER).decode() == after
