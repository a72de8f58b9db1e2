"""A k3s cluster's secrets are made once, sealed in Git, and never those of another cluster, of whatever kind."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fleets import ARDA
from support.repositories import git
from support.sealed_site import AINUR, NAMES, SealedSite, followed, now
from support.secrets_of import bundle_of, k3s_bundle_of

from iluvatar_pxe.errors import BundleError, ClockError, OperationError
from iluvatar_pxe.layers.ainur.bundle import K3sBundle, dump_k3s_bundle
from iluvatar_pxe.layers.ainur.bundle_check import check_k3s_bundle
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.provisioning.bundle_kinds import K3S
from iluvatar_pxe.values import replace

HOUR = timedelta(hours=1)
BEGUN = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def site(tmp_path: Path) -> SealedSite:
    return SealedSite(tmp_path)


def real(seed: str) -> K3sBundle:
    return k3s_bundle_of(seed, BEGUN)


async def test_two_daemons_and_many_machines_at_once_get_the_same_secrets(site: SealedSite) -> None:
    async with followed(site, *NAMES) as (one, two):
        services = [site.secrets(one), site.secrets(two, "two")]
        bundles = await asyncio.gather(*(service.k3s("ainur") for service in services * 3))
        check_k3s_bundle(bundles[0], now())
        assert all(bundle == bundles[0] for bundle in bundles)
        assert await services[0].known_k3s("ainur") == bundles[0]
    assert site.log() == ["A change", "ainur has its secrets"]
    record = git(site.central, "show", "main:clusters/ainur.yaml")
    assert f'caFingerprint: "{K3S.fingerprint(bundles[0])}"' in record


def test_a_cluster_is_known_by_its_root() -> None:
    bundle = real("a")
    assert bundle.root
    assert K3S.fingerprint(bundle) == K3S.fingerprint(replace(bundle, server=bundle.client, root=None))


async def test_no_secret_is_at_rest_but_sealed_or_in_a_log(site: SealedSite) -> None:
    with capture_logs() as logs:
        async with followed(site, "one") as (one,):
            service = site.secrets(one)
            bundle = await service.k3s("ainur")
            credentials = await service.kubernetes("ainur", HOUR)
    keys = re.findall(r"BEGIN \w+ PRIVATE KEY-----\n(.+?)\n *-----END", dump_k3s_bundle(bundle), re.DOTALL)
    lines = [line for key in keys for line in key.split() if len(line) == 64]
    secrets = [bundle.server_token, bundle.agent_token, *lines, *credentials.key.splitlines()[1:3]]
    assert len(secrets) >= 2 + 48 + 6 * 2 + 2, (
        "a key of RSA-4096 has 48 whole lines or 49, and one of P-256 has 2"
    )
    told = str(logs)
    assert [one["event"] for one in logs if one["event"].startswith("cluster")] == ["cluster.secrets"]
    files = [file.read_bytes() for file in site.directory.rglob("*") if file.is_file()]
    blobs = git(site.central, "log", "--patch", "--format=%B", "main")
    for secret in secrets:
        assert secret not in told + blobs
        assert not [True for content in files if secret.encode() in content]


async def test_each_kind_of_layer_has_secrets_of_its_kind_only(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        for ask, layer, why in (
            (service.k3s, "arda", r"^arda: the fleet has no layer .* of kind k3s: ainur$"),
            (service.known_k3s, "arda", r"^arda: the fleet has no layer .* of kind k3s: ainur$"),
            (service.bundle, "ainur", r"^ainur: the fleet has no layer .* of kind talos: arda$"),
            (service.known_k3s, "ainur", "^ainur: has no secrets yet; "),
            (
                service.any_known,
                "mordor",
                "^mordor: the fleet has no layer of this name; its layers: ainur, arda$",
            ),
        ):
            with pytest.raises(OperationError, match=why):
                await ask(layer)
        with pytest.raises(OperationError, match=r"^arda: the fleet has no layer .* of kind k3s: ainur$"):
            await service.take("arda", real("a"))
        with pytest.raises(OperationError, match=r"^ainur: the fleet has no layer .* of kind talos: arda$"):
            await service.take("ainur", bundle_of("a", BEGUN))
    assert site.log() == ["A change"]


async def test_a_layer_that_has_become_of_another_kind_does_not_get_the_secrets_of_before(
    site: SealedSite,
) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        bundle = await service.k3s("ainur")
        site.change("layers/ainur.yaml", lambda _: ARDA)
        await one.follower.refresh()
        why = r"^clusters/ainur\.secrets\.age: has the secrets of a cluster that is not of kind talos; give"
        for ask in (service.bundle, service.known):
            with pytest.raises(BundleError, match=why):
                await ask("ainur")
        assert service.problem
        assert await service.any_known("ainur") == bundle


async def test_secrets_of_a_cluster_elsewhere_are_taken_once(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        bundle = replace(real("a"), root=None)
        await service.take("ainur", bundle)
        assert await service.k3s("ainur") == bundle
        await service.take("ainur", bundle)
        with pytest.raises(
            OperationError, match=r"^ainur: has other secrets already; to give it these, first"
        ):
            await service.take("ainur", real("b"))
        with pytest.raises(BundleError, match=r"^tls/client-ca: its key is not"):
            await service.take("ainur", replace(bundle, client=KeyPair(bundle.client.crt, bundle.server.key)))
    assert site.log() == ["A change", "ainur has its secrets"]


async def test_what_time_makes_wrong_is_refused_at_the_import_only(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        ended, ahead = (
            k3s_bundle_of("a", datetime(2001, 1, 1, tzinfo=UTC)),
            k3s_bundle_of("a", now() + 2 * HOUR),
        )
        for bundle, why in ((ended, "ended on 2011-"), (ahead, "begins on ")):
            with pytest.raises(BundleError, match=rf"^tls/server-ca\.crt: {why}"):
                await service.take("ainur", bundle)
        await service.take("ainur", k3s_bundle_of("b", now() + HOUR / 2))
        late = site.secrets(one, clock=lambda: now() + timedelta(days=4000))
        assert await late.known_k3s("ainur") == await service.known_k3s("ainur")


async def test_what_another_cluster_has_is_refused_across_kinds(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        site.person.commit({"layers/valinor.yaml": AINUR}, "Two")
        site.person.push()
        await one.follower.refresh()
        service, talos = site.secrets(one), bundle_of("a", BEGUN)
        await service.take("ainur", real("a"))
        await service.take("arda", talos)
        other = real("b")
        lone = each_alone()
        for found, why in (
            (
                replace(other, server_token=real("a").server_token),
                "token of these secrets is also in those of ainur",
            ),
            (
                replace(real("a"), server_token="x", agent_token="y"),
                "tls/server-ca of these secrets is also in",
            ),
            (
                replace(lone, client=talos.kubernetes),
                "tls/client-ca of these secrets is also in those of arda",
            ),
        ):
            with pytest.raises(OperationError, match=f"^valinor: {why}"):
                await service.take("valinor", found)
        await service.take("valinor", other)
    assert site.log()[2:] == ["ainur has its secrets", "arda has its secrets", "valinor has its secrets"]


def each_alone() -> K3sBundle:
    """CAs that have signed themselves; those of Talos clusters have the same shape."""
    one, two = bundle_of("c", BEGUN), bundle_of("d", BEGUN)
    return replace(
        real("b"),
        root=None,
        server=one.kubernetes,
        client=two.kubernetes,
        request_header=one.aggregator,
        etcd_server=one.etcd,
        etcd_peer=two.etcd,
    )


async def test_nothing_is_signed_before_the_newest_commit(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        early = site.secrets(one, clock=lambda: datetime(1970, 1, 1, tzinfo=UTC))
        with pytest.raises(ClockError, match="timedatectl set-ntp true"):
            await early.k3s("ainur")
        await site.secrets(one).k3s("ainur")
        with pytest.raises(ClockError):
            await early.kubernetes("ainur", HOUR)
