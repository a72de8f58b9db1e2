"""Whether the files that the daemon keeps of clusters are complete and belong together."""

from iluvatar_pxe.fleet.k3s import skips_minor
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.fleet.sealed import is_sealed
from iluvatar_pxe.fleet.source import SEALED, Source, cluster_file, cluster_secrets, layer_file

_RESTORE = "restore it from the repository's history, or remove both to give the cluster new secrets"


def check_clusters(fleet: Fleet, source: Source) -> None:
    """Note in ``source`` what is wrong with them: a cluster that lost one of its files must not get new secrets."""
    of_authority: dict[str, str] = {}
    for name, cluster in fleet.clusters.items():
        path, sealed = cluster_file(name), cluster_secrets(name)
        if cluster.layer != name:
            text = f"layer: is {cluster.layer}, but the file is named {name}; give both the layer's name"
            source.fault(path, ("layer",), text)
        other = of_authority.setdefault(cluster.ca_fingerprint, name)
        if other != name:
            text = f"caFingerprint: is that of {cluster_file(other)}; two clusters cannot be told apart by one CA"
            source.fault(path, ("caFingerprint",), f"{text}; remove the files of one in clusters/")
        if sealed not in source.files:
            source.findings.add(path, 1, f"{sealed} is missing; {_RESTORE}")
        k3s = fleet.k3s(name)
        if k3s and cluster.version and skips_minor(cluster.version, k3s.k3s.version):
            text = f"version: k3s may skip no minor version, and {name} runs {cluster.version}; write the next one"
            source.fault(layer_file(name), ("k3s", "version"), text)
    for path, text in source.files.items():
        if path.startswith("clusters/") and path.endswith(SEALED):
            record = cluster_file(path.removeprefix("clusters/").removesuffix(SEALED))
            if record not in source.files:
                source.findings.add(path, 1, f"{record} is missing; {_RESTORE}")
            if not is_sealed(text):
                remedy = "remove it, and use: iluvatar-pxe cluster secrets import"
                source.findings.add(path, 1, f"is not sealed; {remedy}")
