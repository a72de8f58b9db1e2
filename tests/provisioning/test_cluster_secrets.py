"""A cluster's secrets are made once, by whichever daemon is first, and are sealed in Git and nowhere else at rest."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from structlog.testing import capture_logs
from support.fleets import ARDA
from support.repositories import git
from support.sealed_site import NAMES, SealedSite, followed, now
from support.secrets_of import bundle_of, first_key

from iluvatar_pxe.errors import BundleError, ClockError, OperationError, RepositoryError, SealError
from iluvatar_pxe.gitops.changes.founding import name_founder
from iluvatar_pxe.gitops.compare_and_swap import Draw
from iluvatar_pxe.gitops.repository.revision import Revision
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, seal
from iluvatar_pxe.layers.arda.bundle import Bundle, dump_bundle
from iluvatar_pxe.layers.arda.bundle_check import check_bundle
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.generate import SERVICE_ACCOUNT_BITS
from iluvatar_pxe.layers.key_pair import KeyPair
from iluvatar_pxe.layers.keys import load_certificate
from iluvatar_pxe.provisioning.bundle_kinds import TALOS
from iluvatar_pxe.provisioning.cluster_secrets import ClusterRepository, ClusterSecrets
from iluvatar_pxe.provisioning.signing_clock import SigningClock
from iluvatar_pxe.values import replace

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def site(tmp_path: Path) -> SealedSite:
    return SealedSite(tmp_path)


async def test_secrets_are_made_once_and_opened_by_every_daemon(site: SealedSite) -> None:
    async with followed(site, *NAMES) as (one, two):
        ours = site.secrets(one)
        bundle = await ours.bundle("arda")
        check_bundle(bundle, now())
        assert "BEGIN RSA PRIVATE KEY" in bundle.service_account_key
        assert await ours.bundle("arda") is bundle, "it is opened once"
        theirs = site.secrets(two, "two")
        with pytest.raises(OperationError, match=r"^arda: has no secrets yet; "):
            await theirs.known("arda")
        assert await theirs.bundle("arda") == bundle, "it has not looked yet, and finds that it was second"
        assert await theirs.known("arda") == bundle
    assert site.log() == ["A change", "arda has its secrets"]


async def test_two_daemons_and_many_machines_at_once_get_the_same_secrets(site: SealedSite) -> None:
    async with followed(site, *NAMES) as (one, two):
        services = [site.secrets(one), site.secrets(two, "two")]
        bundles = await asyncio.gather(*(service.bundle("arda") for service in services * 5))
    assert all(bundle == bundles[0] for bundle in bundles)
    assert site.log() == ["A change", "arda has its secrets"]


def test_service_accounts_are_signed_for_by_rsa_of_4096_bits() -> None:
    assert load_pem_private_key(first_key().encode(), None).key_size == SERVICE_ACCOUNT_BITS == 4096  # type: ignore[union-attr]


async def test_machines_that_wait_for_an_attempt_that_fails_fail_with_it(site: SealedSite) -> None:
    attempts = 0
    async with followed(site, "one") as (one,):

        async def commit(draw: Draw) -> Revision:
            nonlocal attempts
            attempts += 1
            return await one.follower.commit(draw)

        repository = ClusterRepository(lambda: one.follower.in_force, commit)
        clock = SigningClock(repository.revision, lambda: one.inventory.snapshot)
        service = ClusterSecrets(repository, site.keys["one"], clock)
        away = site.central.rename(site.directory / "away")
        outcomes = await asyncio.gather(*(service.bundle("arda") for _ in range(10)), return_exceptions=True)
        assert attempts == 1
        assert all(isinstance(one, RepositoryError | OperationError) for one in outcomes)
        assert len({str(outcome) for outcome in outcomes}) == 1
        assert service.problem == str(outcomes[0])
        away.rename(site.central)
        bundle = await service.bundle("arda")
        assert attempts == 2, service.problem
        assert await service.known("arda") == bundle


async def test_no_secret_is_at_rest_but_sealed_or_in_a_log(site: SealedSite) -> None:
    with capture_logs() as logs:
        async with followed(site, "one") as (one,):
            service = site.secrets(one)
            bundle = await service.bundle("arda")
            await service.talos("arda", [ApiRole.ADMIN], HOUR)
    lines = [word for word in dump_bundle(bundle).split() if len(word) > 20 and word[-1] != ":"]
    assert len(lines) == 14
    told = str(logs)
    assert [one["event"] for one in logs if one["event"].startswith("cluster")] == ["cluster.secrets"]
    files = [file.read_bytes() for file in site.directory.rglob("*") if file.is_file()]
    blobs = git(site.central, "log", "--patch", "--format=%B", "main")
    for secret in (*lines, bundle.bootstrap_token, bundle.os.key.splitlines()[1]):
        assert secret not in told + blobs
        assert not [True for content in files if secret.encode() in content]


async def test_the_founder_is_named_after_the_secrets_by_one_daemon_only(site: SealedSite) -> None:
    async with followed(site, *NAMES) as (one, two):
        await site.secrets(one).bundle("arda")
        await two.follower.refresh()
        revisions = await asyncio.gather(
            *(
                each.follower.commit(partial(name_founder, layer="arda", founder=founder))
                for each, founder in ((one, "arda-01"), (two, "arda-02"))
            )
        )
    founders = {revision.fleet.clusters["arda"].founder for revision in revisions}
    assert len(founders) == 1
    assert site.log()[2:] == [f"arda is founded by {founders.pop()}"]


async def test_secrets_that_this_host_cannot_open_are_told_in_words(site: SealedSite) -> None:
    async with followed(site, *NAMES) as (one, two):
        await site.secrets(one).bundle("arda")
        await two.follower.refresh()
        daemon_key(site.directory / "stranger")
        for key, why in (
            ("stranger", r"^clusters/arda\.secrets\.age: no available key decrypts it, or it is damaged; "),
            (
                "absent",
                r"absent: this host has no key to open clusters/arda\.secrets\.age; run: iluvatar-pxe fleet",
            ),
        ):
            service = site.secrets(two, key)
            with capture_logs() as logs, pytest.raises(SealError, match=why) as refused:
                await service.bundle("arda")
            assert service.problem == str(refused.value)
            assert [one["why"] for one in logs] == [service.problem], "a refusal is logged"


async def test_a_host_that_could_not_open_its_own_secrets_makes_none(site: SealedSite) -> None:
    daemon_key(site.directory / "stranger")
    async with followed(site, "one") as (one,):
        for key in ("stranger", "absent"):
            with pytest.raises(
                SealError, match=r"recipients\.yaml does not list this host's key.*fleet init$"
            ):
                await site.secrets(one, key).bundle("arda")
        service = site.secrets(one)
        await service.bundle("arda")
        assert service.problem is None
    assert site.log() == ["A change", "arda has its secrets"]


async def test_a_daemon_that_may_not_commit_makes_none_and_opens_what_others_made(site: SealedSite) -> None:
    async with followed(site, *NAMES) as (one, two):
        reader = site.secrets(two, "two", may_commit=False)
        with pytest.raises(RepositoryError, match="this daemon may not commit any; set"):
            await reader.bundle("arda")
        bundle = await site.secrets(one).bundle("arda")
        await two.follower.refresh()
        assert await reader.bundle("arda") == bundle


async def test_a_fleet_without_a_repository_has_no_place_for_secrets(site: SealedSite) -> None:
    repository = ClusterRepository(lambda: None)
    async with followed(site, "one") as (one,):
        clock = SigningClock(repository.revision, lambda: one.inventory.snapshot)
        service = ClusterSecrets(repository, site.keys["one"], clock)
        with pytest.raises(
            OperationError, match=r"sealed into the fleet's Git repository.*set \[fleet\] source"
        ):
            await service.bundle("arda")


async def test_what_is_no_talos_layer_gets_no_secrets(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        for ask in (service.bundle, service.known):
            with pytest.raises(
                OperationError, match=r"^mordor: the fleet has no layer .* of kind talos: arda$"
            ):
                await ask("mordor")
    assert site.log() == ["A change"]


async def test_files_of_two_clusters_are_not_mixed(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        await service.bundle("arda")
        site.change(
            "clusters/arda.yaml", lambda text: text.replace(text.split('"')[3], ":".join(["AB"] * 32))
        )
        await one.follower.refresh()
        fresh = site.secrets(one)
        with pytest.raises(
            BundleError, match=r"secrets\.age: is not of the CA that clusters/arda\.yaml names; restore"
        ):
            await fresh.bundle("arda")


async def test_secrets_that_came_by_git_are_checked_when_they_are_opened(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        await site.secrets(one).take("arda", real("a"))
        keys = [str(daemon_key(file).to_public()) for file in site.keys.values()]

        async def push(bundle: Bundle) -> None:
            sealed = seal(dump_bundle(bundle).encode(), keys).decode()
            was, becomes = TALOS.fingerprint(real("a")), TALOS.fingerprint(bundle)
            site.change("clusters/arda.yaml", lambda text: text.replace(was, becomes))
            site.change("clusters/arda.secrets.age", lambda _: sealed)
            await one.follower.refresh()

        await push(mixed())
        with pytest.raises(BundleError, match=r"^clusters/arda\.secrets\.age: certs\.os: its key is not"):
            await site.secrets(one).bundle("arda")
        await push(ended())
        assert await site.secrets(one).bundle("arda") == ended(), "time alone does not stop a running cluster"


async def test_secrets_that_were_replaced_in_git_are_opened_anew(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        before = await service.bundle("arda")
        site.person.pull()
        site.person.commit({"clusters/arda.yaml": None, "clusters/arda.secrets.age": None}, "Anew")
        site.person.push()
        await one.follower.refresh()
        after = await service.bundle("arda")
        assert after.cluster_secret != before.cluster_secret


async def test_secrets_of_a_cluster_elsewhere_are_taken_once(site: SealedSite) -> None:
    async with followed(site, *NAMES) as (one, two):
        service = site.secrets(one)
        await service.take("arda", real("a"))
        assert await service.bundle("arda") == real("a")
        await service.take("arda", real("a"))
        for other in (service, site.secrets(two, "two")):
            with pytest.raises(
                OperationError, match=r"^arda: has other secrets already; to give it these, first reset"
            ):
                await other.take("arda", real("b"))
        with pytest.raises(BundleError, match=r"^certs\.os: its key is not"):
            await service.take("arda", mixed())
    assert site.log() == ["A change", "arda has its secrets"]


async def test_a_ca_of_another_layer_s_cluster_is_refused(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        site.person.commit({"layers/valinor.yaml": ARDA}, "Two")
        site.person.push()
        await one.follower.refresh()
        service = site.secrets(one)
        await service.take("arda", real("a"))
        for name, copied in {
            "os": replace(real("b"), os=real("a").os),
            "k8s": replace(real("b"), kubernetes=real("a").kubernetes),
            "etcd": replace(real("b"), etcd=spaced(real("a").etcd)),
        }.items():
            with pytest.raises(
                OperationError, match=rf"^valinor: certs\.{name} of these secrets is also in those of arda,"
            ):
                await service.take("valinor", copied)
        await service.take("valinor", real("b"))
    assert site.log() == ["A change", "Two", "arda has its secrets", "valinor has its secrets"]


def real(seed: str) -> Bundle:
    return bundle_of(seed, datetime(2026, 11, 29, tzinfo=UTC))


def spaced(pair: KeyPair) -> KeyPair:
    return KeyPair(f"{pair.crt}\n", f"{pair.key}\n")


def ended() -> Bundle:
    return bundle_of("a", datetime(2001, 1, 1, tzinfo=UTC))


def mixed() -> Bundle:
    return replace(real("a"), os=replace(real("a").os, key=real("b").os.key))


async def test_certificates_are_signed_for_as_long_as_asked(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        await service.bundle("arda")
        for credentials in (
            await service.talos("arda", [ApiRole.READER], HOUR),
            await service.kubernetes("arda", HOUR),
        ):
            end = load_certificate(credentials.crt).not_valid_after_utc
            assert timedelta(minutes=58) < end - now() <= HOUR


async def test_nothing_is_signed_before_the_newest_commit(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        for wrong in (lambda: now() - DAY, lambda: datetime(1970, 1, 1, tzinfo=UTC)):
            service = site.secrets(one, clock=wrong)
            with pytest.raises(ClockError, match="timedatectl set-ntp true"):
                await service.bundle("arda")
            with pytest.raises(ClockError):
                await service.take("arda", real("a"))
        assert site.log() == ["A change"]
        await site.secrets(one).bundle("arda")
        late = site.secrets(one, clock=lambda: now() - timedelta(minutes=5))
        check_bundle(await late.known("arda"), now())
        for ask in (late.talos("arda", [ApiRole.READER], HOUR), late.kubernetes("arda", HOUR)):
            with pytest.raises(ClockError, match=r"but the fleet's newest commit \w+ is of"):
                await ask


async def test_what_one_layer_lacks_is_no_problem_of_another(site: SealedSite) -> None:
    async with followed(site, "one") as (one,):
        service = site.secrets(one)
        site.person.commit({"layers/valinor.yaml": ARDA}, "Two")
        site.person.push()
        await one.follower.refresh()
        first = await service.bundle("arda")
        site.change(
            "clusters/arda.yaml", lambda text: text.replace(text.split('"')[3], ":".join(["AB"] * 32))
        )
        await one.follower.refresh()
        fresh = site.secrets(one)
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(BundleError):
                    await fresh.bundle("arda")
                assert await fresh.bundle("valinor") != first
        assert len([one for one in logs if one["log_level"] == "error"]) == 1, "it is logged once"
        assert "clusters/arda.secrets.age: is not of the CA" in (fresh.problem or "")
