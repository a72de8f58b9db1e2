"""Where Image Factory is asked: where its files come from."""

import pytest

from iluvatar_pxe.catalogue.factory import factory_addresses
from iluvatar_pxe.catalogue.model import AssetsPart, Catalogue, parse_catalogue
from iluvatar_pxe.resources import read_catalogue

PUBLIC = "https://factory.talos.dev"
OWN = {
    "talos": {
        "architectures": ["amd64"],
        "files": [
            {
                "name": "talos/{schematic}/{version}/kernel-{arch}",
                "urls": ["https://factory.example/talos/image/{schematic}/{version}/kernel-{arch}"],
            }
        ],
    }
}


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, (PUBLIC,)),
        (
            {"mirrors": {f"{PUBLIC}/": ["https://mirror.example/talos/"]}},
            ("https://mirror.example/talos", PUBLIC),
        ),
        ({"mirrors": {"https://github.com/": ["https://mirror.example/"]}}, (PUBLIC,)),
        ({"entries": OWN}, ("https://factory.example/talos",)),
    ],
)
def test_the_factory_is_where_its_files_are(overrides: dict[str, object], expected: tuple[str, ...]) -> None:
    catalogue = parse_catalogue(read_catalogue())
    assert factory_addresses(catalogue, AssetsPart.model_validate(overrides)) == expected


def test_a_catalogue_without_talos_has_none() -> None:
    assert factory_addresses(Catalogue(entries={}), AssetsPart()) == ()
