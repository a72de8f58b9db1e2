"""Snapshots of a k3s cluster's etcd, the real one: sealed, and restored by k3s' own way on a server that has lost its disk."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.ainur import bundle_of, cluster_of, node_of
from support.k3s.admin import as_admin
from support.k3s.founding import k3s_site
from support.k3s.rendered import lay
from support.waiting import until

from iluvatar_pxe.errors import OperationError
from iluvatar_pxe.gitops.secrets.sealing import daemon_key, unseal
from iluvatar_pxe.layers.ainur.bundle import full_token
from iluvatar_pxe.layers.ainur.k3s_files import TOKEN, secret_files
from iluvatar_pxe.layers.ainur.node_file import NodeFile
from iluvatar_pxe.layers.ainur.part import K3sPart
from iluvatar_pxe.layers.founding import Founded
from iluvatar_pxe.provisioning.snapshot_store import SnapshotStore
from iluvatar_pxe.provisioning.snapshots import EtcdSnapshots, SnapshotContext, SnapshotPace

PLACE = "/var/lib/rancher/k3s/server/db/snapshots/restored"


async def test_a_nightly_one_is_sealed_and_restored_by_cluster_reset(tmp_path: Path) -> None:
    async with k3s_site(tmp_path, servers=1) as site:
        (pi,), daemon = site.servers, site.daemons[0]
        daemon.start()
        await pi.install(site)
        await until(lambda: daemon.watch and isinstance(daemon.watch.step, Founded))
        namespace = await as_admin(pi.machine).ask("/api/v1/namespaces/kube-system")
        kept = tmp_path / "snapshots"
        context = SnapshotContext(
            daemon.context.fleet,
            daemon.context.snapshot,
            daemon.context.secrets,
            kept,
            "pi",
            pace=SnapshotPace(look=0.05, retry=0.05),
            clock=lambda: datetime.now(UTC),
        )
        snapshots = EtcdSnapshots(context)
        task = asyncio.create_task(snapshots.run())
        try:
            await until(lambda: list((kept / "ainur").glob("2*.age")))
            await pi.machine.power_off()
            with pytest.raises(OperationError, match=r"no server gives a snapshot of etcd: ainur-01 \(127"):
                await snapshots.take("ainur")
        finally:
            task.cancel()
            await asyncio.wait([task])

        (file,), (token,) = (kept / "ainur").glob("2*.age"), (kept / "ainur").glob("server-token-*.age")
        key, sealed = daemon_key(tmp_path / "one.key"), file.read_bytes()
        assert b"/registry/" not in sealed
        copies = tmp_path / "nas"
        copies.mkdir()
        SnapshotStore(kept).copy(["ainur"], copies, "pi")
        assert (copies / "pi/ainur" / token.name).read_bytes() == token.read_bytes()
        pi.machine.lose_disk()
        place = pi.machine.root / PLACE.lstrip("/")
        place.parent.mkdir(parents=True)
        place.write_bytes(unseal(file.name, sealed, [key]))
        opened = unseal(token.name, token.read_bytes(), [key]).decode()
        assert opened.strip() == full_token(bundle_of(), "server")
        files = secret_files(cluster_of(), node_of(), K3sPart.JOIN_SERVER)
        lay(pi.machine.root, {**files, TOKEN: NodeFile(opened)})
        join = pi.machine.root / "etc/rancher/k3s/config.yaml.d/50-join.yaml"
        text = join.read_text()
        join.unlink()
        await pi.machine.cluster_reset(PLACE)
        join.write_text(text)
        await pi.machine.power_on()
        await until(lambda: pi.machine.is_ready)
        assert await as_admin(pi.machine).ask("/api/v1/namespaces/kube-system") == namespace
