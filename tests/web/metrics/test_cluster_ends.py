"""The ends of a cluster's CAs are read from its sealed secrets."""

from datetime import timedelta
from pathlib import Path

from support.following import Daemon
from support.sealed_site import NAMES, SealedSite, followed, now

from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.web.metrics.cluster_ends import cluster_ends


def fleet_of(host: Daemon) -> Fleet:
    assert host.follower.in_force
    return host.follower.in_force.fleet


async def test_each_ca_is_named_with_its_layer(tmp_path: Path) -> None:
    site = SealedSite(tmp_path)
    async with followed(site, *NAMES) as (one, _):
        secrets = site.secrets(one)
        assert not await cluster_ends(secrets, fleet_of(one)), "it has none yet"
        await secrets.bundle("arda")
        ends = await cluster_ends(secrets, fleet_of(one))
    assert set(ends) == {("arda", name) for name in ("etcd", "k8s", "k8saggregator", "os")}
    assert all(end > now() + timedelta(days=3000) for end in ends.values())
