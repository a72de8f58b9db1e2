"""All commands: to add one, write its class and list it here."""

from iluvatar_pxe.admin.assets import (
    AssetsFetch,
    AssetsGc,
    AssetsImport,
    AssetsLeftovers,
    AssetsStatus,
    AssetsVerify,
)
from iluvatar_pxe.admin.cluster_join import JoinCluster
from iluvatar_pxe.admin.cluster_status import ClustersStatus, ShowAwaited
from iluvatar_pxe.admin.clusters import (
    AdoptCluster,
    ExportSecrets,
    ImportSecrets,
    MakeKubeconfig,
    MakeTalosconfig,
    RecoverCluster,
)
from iluvatar_pxe.admin.coming import ShowComing
from iluvatar_pxe.admin.command import Command
from iluvatar_pxe.admin.database import Backup, Restore, SetAside, Upgrade
from iluvatar_pxe.admin.dns import DnsFlush, DnsQuery
from iluvatar_pxe.admin.enrolment import CloseWindow, OpenWindow, ShowEnrolment
from iluvatar_pxe.admin.fleet import ShowCommits
from iluvatar_pxe.admin.health import ShowHealth
from iluvatar_pxe.admin.machine_reads import ListMachines, ShowBoots, ShowMachine, ShowMachines, ShowPlan
from iluvatar_pxe.admin.machines import Forget, Hold, Merge, Reinstall, Release, SetPlace, Split
from iluvatar_pxe.admin.network import ShowNetwork
from iluvatar_pxe.admin.notifications import SendTest
from iluvatar_pxe.admin.power import SwitchPower, Wake
from iluvatar_pxe.admin.renaming import Rename
from iluvatar_pxe.admin.requests.request import Request
from iluvatar_pxe.admin.snapshots import TakeSnapshot
from iluvatar_pxe.admin.status import ShowStatus
from iluvatar_pxe.admin.upgrades import UpgradeCluster

COMMANDS: tuple[type[Command], ...] = (
    *(ShowMachines, ShowMachine, SetPlace, Hold, Release, Reinstall, Forget, Rename, Merge, Split),
    *(ShowPlan, ShowBoots, ListMachines),
    *(Wake, SwitchPower, SendTest),
    *(ShowStatus, ShowHealth, ShowComing, ShowEnrolment, OpenWindow, CloseWindow),
    *(Upgrade, Backup, Restore, SetAside),
    *(AdoptCluster, RecoverCluster, ExportSecrets, ImportSecrets, MakeTalosconfig, MakeKubeconfig),
    *(ClustersStatus, ShowAwaited, TakeSnapshot, JoinCluster, UpgradeCluster),
    *(DnsQuery, DnsFlush, ShowCommits, ShowNetwork),
    *(AssetsStatus, AssetsFetch, AssetsVerify, AssetsImport, AssetsLeftovers, AssetsGc),
)


def command_for(request: Request) -> Command:
    """Return the command that carries a request out."""
    kind = next(kind for kind in COMMANDS if issubclass(kind, type(request)))
    return kind.model_validate(request.model_dump())
