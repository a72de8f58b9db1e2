import pytest
from support.dpkg_status import CLOUD_INIT, GIT, LIBC, PYTHON, SEEDABLE

from iluvatar_pxe.errors import SeedCardError
from iluvatar_pxe.layers.ainur.seed_card.image_facts import ImageFacts, facts_of


@pytest.mark.parametrize(
    ("version", "python"),
    [("3.12.3-0ubuntu2", "3.12"), ("3.14.0-1", "3.14"), ("3.13.5-1", "3.13"), ("3.11.2-1+b1", "3.11")],
)
def test_the_image_s_python_is_told(version: str, python: str) -> None:
    assert facts_of(SEEDABLE.replace("3.12.3-0ubuntu2", version)) == ImageFacts(python, has_git=True)


def test_an_image_without_git_is_told() -> None:
    assert facts_of(SEEDABLE.replace(GIT, "")) == ImageFacts("3.12", has_git=False)
    assert not facts_of(SEEDABLE.replace(GIT, GIT.replace("ok installed", "ok config-files"))).has_git


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("", "has no system for arm64"),
        (SEEDABLE.replace(LIBC, LIBC.replace("arm64", "armhf")), "has no system for arm64"),
        (SEEDABLE.replace(CLOUD_INIT, ""), "has no cloud-init"),
        (SEEDABLE.replace(PYTHON, ""), "has no Python; use"),
        (SEEDABLE.replace("3.12.3", "3.10.4"), r"has Python 3\.10; use"),
        (SEEDABLE.replace("3.12.3", "3.15.0"), r"has Python 3\.15; use"),
    ],
)
def test_an_image_that_would_not_start_is_refused(status: str, told: str) -> None:
    with pytest.raises(SeedCardError, match=told):
        facts_of(status)
