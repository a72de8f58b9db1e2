"""A schematic's canonical YAML and its id, as Image Factory has them."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.catalogue.schematic import EMPTY, Overlay, Schematic, canonical, schematic_id
from iluvatar_pxe.errors import FleetError
from iluvatar_pxe.fleet.models import Talos
from iluvatar_pxe.fleet.parse import parse_fleet

ARGS = "talos.platform=metal init_on_alloc=1 init_on_free=1 pti=on slab_nomerge talos.shutdown=poweroff"
FIRMWARE = ("i915-ucode", "intel-ice-firmware", "intel-ucode", "tailscale", "util-linux-tools", "zfs")
IP = "ip=192.168.0.35::192.168.0.1:255.255.255.0:talosakame.lan:eth0:off:192.168.0.2:192.168.0.3:"


def extensions(*names: str) -> Mapping[str, Any]:
    return {"systemExtensions": {"officialExtensions": [f"siderolabs/{name}" for name in names]}}


def custom(**parts: Any) -> Mapping[str, Any]:
    return {"customization": parts}


PI = {"image": "siderolabs/sbc-raspberrypi", "name": "rpi_generic"}
VECTORS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    # pkg/schematic/schematic_test.go and internal/integration/schematic_test.go of siderolabs/image-factory
    "nothing": (custom(), EMPTY),
    "kernel args": (
        custom(extraKernelArgs=["noapic", "nolapic"]),
        "9cba8e32753f91a16c1837ab8abf356af021706ef284aef07380780177d9a06c",
    ),
    "kernel args in this order": (
        custom(extraKernelArgs=["nolapic", "nomodeset"]),
        "e0fb1129bbbdfb5d002e94af4cdce712a8370e850950a33a242d4c3f178c532d",
    ),
    "extensions in this order": (
        custom(**extensions("amd-ucode", "gvisor", "gasket-driver")),
        "51ff3e49313773332729a5c04e57af0dbe2e6d3f65ff638e6d4c3a05065fefff",
    ),
    "META": (
        custom(meta=[{"key": 10, "value": "foo"}]),
        "d308a2a5ee2277bed5fbaa104fcbc8d59122abfa737df987a95b4ca763459a7f",
    ),
    "META, quoted": (
        custom(meta=[{"key": 10, "value": '{"externalIPs":["1.2.3.4"]}'}]),
        "fe866116408a5a13dab7d5003eb57a00954ea81ebeec3fbbcd1a6d4462a00036",
    ),
    "overlay": (
        {"overlay": PI, "customization": {}},
        "ee21ef4a5ef808a9b7484cc0dda0f25075021691c8c09a276591eedb638ea1f9",
    ),
    "secure boot": (
        custom(secureboot={"includeWellKnownCertificates": True}),
        "fa8e05f142a851d3ee568eb0a8e5841eaf6b0ebc8df9a63df16ac5ed2c04f3e6",
    ),
    "sd-boot": (
        custom(bootloader="sd-boot"),
        "9ed5fecdacb36b5c5427b87d409f1065cfb2df69b0f71c58b868d9d466d8dab3",
    ),
    "grub": (
        custom(bootloader="grub"),
        "39d496b2cbdb6265d3b714514c5334bf010f1b4d31b23b9e38c80fb2f3ad7ecb",
    ),
    "disk image": (
        custom(diskImage={"sectorSize": 4096}),
        "92833e9ddd9bb9e11b2464fa5525429f01866306d52ebd882ee08d7918f6d1ea",
    ),
    # the documentation of Talos on Longhorn
    "Longhorn": (
        custom(**extensions("iscsi-tools", "util-linux-tools")),
        "613e1592b2da41ae5e265e8789429f22e121aab91cb4deb6bc3c0b6262961245",
    ),
    # what owners of Talos clusters have published: a schematic, and the id that the factory gave it
    "kernel args and extensions": (
        custom(extraKernelArgs=ARGS.split(), **extensions(*FIRMWARE)),
        "97d3538093bb06a33cc2647552a0f88475a592e44bfd8326cd44b656b13f8bbc",
    ),
    "a kernel arg that ends in a colon": (
        custom(extraKernelArgs=[IP], **extensions("qemu-guest-agent", "util-linux-tools")),
        "7eac8674861d3e8e2b4a3fdd65aa10f1718a08075b873980d841eeae1c3f7532",
    ),
}
"""The factory's canonical document and its id."""
REFUSED = (
    "two\nlines",
    "two words",
    "",
    "3",
    "-1",
    "1.5",
    "0x1f",
    "12:30",
    "2026-11-29",
    "no",
    "On",
    "~",
    "é",
)


@pytest.mark.parametrize("what", VECTORS)
def test_the_id_is_the_factorys(what: str) -> None:
    document, expected = VECTORS[what]
    assert schematic_id(canonical(document)) == expected


def test_a_documents_text_is_the_factorys_to_the_letter() -> None:
    assert canonical(
        {"overlay": PI, **custom(meta=[{"key": 10, "value": '{"a":1}'}], **extensions("zfs"))}
    ) == (
        "overlay:\n"
        "    image: siderolabs/sbc-raspberrypi\n"
        "    name: rpi_generic\n"
        "customization:\n"
        "    meta:\n"
        "        - key: 10\n"
        "          value: '{\"a\":1}'\n"
        "    systemExtensions:\n"
        "        officialExtensions:\n"
        "            - siderolabs/zfs\n"
    )


def test_a_schematic_has_its_parts_in_the_factorys_order() -> None:
    names = tuple(f"siderolabs/{name}" for name in FIRMWARE)
    document, expected = VECTORS["kernel args and extensions"]
    schematic = Schematic(extensions=names, kernel_args=tuple(ARGS.split()))
    assert (schematic.text, schematic.id) == (canonical(document), expected)
    image, name = PI["image"], PI["name"]
    assert Schematic(overlay=Overlay(image=image, name=name)).id == VECTORS["overlay"][1]
    with_options = Schematic(overlay=Overlay(image=image, name=name, options={"b": "x", "a": 4, "c": True}))
    assert (
        canonical({"overlay": {**PI, "options": {"a": 4, "b": "x", "c": True}}, **custom()})
        == with_options.text
    )


@pytest.mark.parametrize("text", REFUSED)
def test_what_the_factory_may_write_otherwise_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is empty, or not one line|can be read as something else"):
        schematic_id(Schematic(kernel_args=("quiet", text)).text)


@given(st.lists(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1), min_size=1))
def test_what_is_computed_reads_as_what_was_meant_and_is_what_another_encoder_writes(args: list[str]) -> None:
    try:
        text = canonical(custom(extraKernelArgs=args))
    except ValueError:
        return
    assert yaml.safe_load(text) == custom(extraKernelArgs=args)
    written = yaml.safe_dump(args, default_flow_style=False, width=10**6)
    assert "".join(f"        {line}\n" for line in written.splitlines()) == text.partition("Args:\n")[2]


def talos(lines: str) -> Talos:
    layer = parse_fleet(
        {"fleet.yaml": "", "layers/arda.yaml": f"kind: talos\ntalos:\n  version: v1.13.9\n{lines}"}
    )
    found = layer.talos("arda")
    assert found
    return found.talos


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", EMPTY),
        ("  extensions: []\n", EMPTY),
        ("  schematic: abc\n", "abc"),
        ("  schematic: abc\n  extraKernelArgs: [noapic]\n", "abc"),
        ("  extensions: [siderolabs/iscsi-tools, siderolabs/util-linux-tools]\n", VECTORS["Longhorn"][1]),
        ("  extensions: [util-linux-tools, iscsi-tools]\n", VECTORS["Longhorn"][1]),
        ("  extensions: [util-linux-tools, iscsi-tools, siderolabs/iscsi-tools]\n", VECTORS["Longhorn"][1]),
        ("  extraKernelArgs: [noapic, nolapic]\n", VECTORS["kernel args"][1]),
        ("  overlay: {image: sbc-raspberrypi, name: rpi_generic}\n", VECTORS["overlay"][1]),
    ],
)
def test_a_layer_has_the_schematic_that_it_names_or_describes(lines: str, expected: str) -> None:
    assert talos(lines).schematic == expected


def test_an_alias_is_left_as_it_is_written() -> None:
    found = talos("  extensions: [i915-ucode]\n").composed
    assert found
    assert found.extensions == ("siderolabs/i915-ucode",)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "  schematic: x\n  extensions: [zfs]\n",
            "layers/arda.yaml:2: talos: 'schematic' stands for extensions",
        ),
        (
            "  schematic: x\n  overlay: {image: sbc-raspberrypi, name: rpi_generic}\n",
            "layers/arda.yaml:2: talos: 'schematic' stands for extensions and overlay",
        ),
        (
            "  extraKernelArgs: ['3']\n",
            "layers/arda.yaml:2: talos: no schematic id can be computed: '3' can be",
        ),
        (
            '  overlay: {image: sbc-raspberrypi, name: rpi_generic, options: {configTxtAppend: "a=1\\nb=2"}}\n',
            r"layers/arda.yaml:2: talos: no schematic id can be computed: 'a=1\nb=2' is empty, or not one line",
        ),
        (
            "  extensions: [Iscsi]\n",
            "layers/arda.yaml:4: talos.extensions.1: write a name of Image Factory's list",
        ),
        (
            "  overlay: {image: a, name: b, options: {x: [1]}}\n",
            "write a text, a whole number, true or false",
        ),
        ("  overlay: {image: a, name: b, options: {a b: 1}}\n", "write the name of an option: letters only"),
    ],
)
def test_what_describes_no_schematic_is_refused_with_the_remedy(lines: str, expected: str) -> None:
    with pytest.raises(FleetError) as caught:
        talos(lines)
    (finding,) = caught.value.findings
    assert expected in finding
    assert "no schematic id" not in finding or finding.endswith(
        "write its id as 'schematic' in place of these"
    )
