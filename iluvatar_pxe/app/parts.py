"""The composition root: builds all parts of the daemon."""

import os
import time
from datetime import timedelta
from pathlib import Path

from iluvatar_pxe.admin.command import CommandContext
from iluvatar_pxe.admin.health import Health
from iluvatar_pxe.admin.next_boots import NextBoots
from iluvatar_pxe.app.late_site import LateSite
from iluvatar_pxe.assets.store import AssetStore
from iluvatar_pxe.boot.programs import programs_told
from iluvatar_pxe.events import EventLog
from iluvatar_pxe.gitops.origin import Origin
from iluvatar_pxe.host.interface_watch import InterfaceWatch
from iluvatar_pxe.host.neighbours import Neighbours
from iluvatar_pxe.host.service_manager import ServiceManager
from iluvatar_pxe.inventory.inventory import Inventory
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.machines.dhcp_servers import DhcpServers
from iluvatar_pxe.meters import ProtocolMeter
from iluvatar_pxe.notifications.delivery import Delivery
from iluvatar_pxe.notifications.first_daemon import FirstDaemon
from iluvatar_pxe.notifications.notifier import Notifier, NotifierContext
from iluvatar_pxe.power.power import Power
from iluvatar_pxe.provisioning.adopting import Adopter
from iluvatar_pxe.provisioning.applied import Applied
from iluvatar_pxe.provisioning.around import Around
from iluvatar_pxe.provisioning.boot_meter import BootMeters
from iluvatar_pxe.provisioning.booters import booters_of
from iluvatar_pxe.provisioning.cluster_network import ClusterNetwork
from iluvatar_pxe.provisioning.cluster_troubles import ClusterTroubles
from iluvatar_pxe.provisioning.convergence import Convergence
from iluvatar_pxe.provisioning.fleet_source import FleetSource
from iluvatar_pxe.provisioning.inspection import Inspector
from iluvatar_pxe.provisioning.maintenance import Maintenance
from iluvatar_pxe.provisioning.outage import Outage
from iluvatar_pxe.provisioning.own_host import OwnHost
from iluvatar_pxe.provisioning.owner_keys import OwnerKeys
from iluvatar_pxe.provisioning.pis import PiFiles
from iluvatar_pxe.provisioning.prospects import Prospects
from iluvatar_pxe.provisioning.reinstalling import Reinstaller
from iluvatar_pxe.provisioning.silent_machines import SilentMachines
from iluvatar_pxe.provisioning.snapshots import EtcdSnapshots, SnapshotContext
from iluvatar_pxe.provisioning.supply import Supply
from iluvatar_pxe.provisioning.talos_events import TalosEvents
from iluvatar_pxe.provisioning.talos_reports import note_line
from iluvatar_pxe.provisioning.tickets import TicketKey, Tickets
from iluvatar_pxe.provisioning.trying_again import TryingAgain
from iluvatar_pxe.servers.control import ControlServer
from iluvatar_pxe.servers.dhcp.others import OtherServers
from iluvatar_pxe.servers.dhcp.pace import Pace
from iluvatar_pxe.servers.dhcp.server import DhcpServer
from iluvatar_pxe.servers.dns.service import NameService
from iluvatar_pxe.servers.http.git.site import GitSite
from iluvatar_pxe.servers.http.routes.refresh import Webhook
from iluvatar_pxe.servers.http.server import HttpServer
from iluvatar_pxe.servers.listeners import Listeners
from iluvatar_pxe.servers.ndp.server import NdpServer
from iluvatar_pxe.servers.ntp.server import NtpServer
from iluvatar_pxe.servers.self_check import SelfCheck
from iluvatar_pxe.servers.supervision import Supervision
from iluvatar_pxe.servers.talos.server import TalosServer
from iluvatar_pxe.servers.tftp.files import TftpFiles
from iluvatar_pxe.servers.tftp.server import TftpServer
from iluvatar_pxe.settings.model import Settings
from iluvatar_pxe.tls.certificates import Certificates
from iluvatar_pxe.web.context import WebContext
from iluvatar_pxe.web.metrics.loop_lag import LoopLag
from iluvatar_pxe.web.metrics.measured import Measured

READER_LIFETIME = timedelta(hours=1)
"""Of the certificate that silent machines are asked with."""


class Parts:
    """All parts of one daemon, built in the order in which they need each other."""

    def __init__(
        self,
        settings: Settings,
        origin: Origin | None,
        key: TicketKey,
        certificates: Certificates,
        store: AssetStore,
        inventory: Inventory,
        events: EventLog,
    ) -> None:
        self.settings = settings
        self.inventory = inventory
        self.applied = Applied()
        self.keys = OwnerKeys(settings, origin)
        self.origin = origin
        around = Around(
            applied=self.applied,
            interfaces=lambda: self.watch.interfaces,
            daemons=lambda: self.supply.daemons(),  # noqa: PLW0108 - supply is made later
            ports=settings.talos,
        )
        network = ClusterNetwork(
            applied=self.applied,
            snapshot=lambda: inventory.snapshot,
            interfaces=lambda: self.watch.interfaces,
            around=around.of,
        )
        boots = BootMeters(time.monotonic)
        self.fleet_source = FleetSource(
            settings, origin, self.applied, store, inventory, network.check, events, boots.real
        )
        self.supply = Supply(settings, self.applied, store, self.fleet_source.pins, self.fleet_source.changed)
        neighbours = Neighbours()
        tickets = Tickets(key.octets, time.monotonic)
        self.watch = InterfaceWatch(settings.network.interfaces, inventory.machines_in)
        booters = booters_of(
            settings,
            self.applied,
            store,
            inventory,
            neighbours,
            tickets,
            self.fleet_source,
            self.supply,
            network,
            lambda: certificates.document,
            events,
            boots,
        )
        pace = Pace()
        files = TftpFiles(booters, settings.http.port, PiFiles(booters, pace.came_on))
        self.tftp = TftpServer(settings.tftp, files.open, files.report, neighbours.mac_of)
        told = TalosEvents(inventory, self.applied, booters.real.journal, neighbours.mac_of)
        talos = TalosServer(settings, told.take_event, told.take_line, note_line, neighbours.mac_of)
        ndp = NdpServer()
        ntp = NtpServer(settings.ntp, settings.http.allow)
        servers = DhcpServers()
        others = OtherServers(
            servers, events, self.supply.daemons, lambda: self.applied.fleet.settings.domain
        )
        self.dhcp = DhcpServer(settings, booters, ndp.offered, pace, others)
        self.names = NameService(
            settings,
            lambda: inventory.snapshot,
            lambda: self.applied.fleet,
            (inventory.renamed, self.fleet_source.changed),
        )
        self.prospects = Prospects(self.applied, store, lambda: self.supply.coming)
        reinstaller = Reinstaller(
            self.fleet_source.clusters.context, inventory, self.fleet_source.clusters.k3s.harm
        )
        convergence = Convergence(self.fleet_source.clusters.context, booters.real.configurations)
        self.snapshots = EtcdSnapshots(
            SnapshotContext(
                fleet=lambda: self.applied.fleet,
                snapshot=lambda: inventory.snapshot,
                secrets=self.fleet_source.secrets,
                directory=settings.state_directory / "snapshots",
                host=Path(os.uname().nodename).name,
                observes=settings.network.dhcp == "observe",
            )
        )
        notifier = Notifier(
            NotifierContext(
                events=events,
                fleet=lambda: self.applied.fleet,
                fleet_changed=self.fleet_source.changed,
                snapshot=lambda: inventory.snapshot,
                first=FirstDaemon(
                    lambda: self.applied.fleet.recipients.daemons,
                    lambda: self.applied.fleet.settings.domain,
                    settings.http.port,
                ),
                deliver=Delivery().deliver,
                file=settings.state_directory / "notifications.json",
            )
        )
        refusals = booters.real.configurations.refusals
        health = Health(
            parts={
                "assets": lambda: store.problem,
                "boot": lambda: self.prospects.problem,
                "changes": lambda: convergence.problem,
                "clusters": lambda: self.fleet_source.clusters.problem,
                "configurations": lambda: refusals.problem,
                "control": lambda: self.control.problem,
                "database": lambda: inventory.health,
                "dhcp": lambda: self.dhcp.problem,
                "dns": lambda: self.names.problem,
                "fleet": lambda: self.fleet_source.problem,
                "keys": lambda: self.keys.problem,
                "network": lambda: self.watch.problem,
                "snapshots": lambda: self.snapshots.problem,
                "tickets": lambda: key.problem,
                "tls": lambda: certificates.problem,
            },
            programs=self.programs,
            boot=lambda: self.prospects.lines,
            clusters=lambda: [*self.fleet_source.clusters.lines, *refusals.lines, *convergence.lines],
            time=lambda: ntp.lines,
            network=lambda: servers.lines,
            notifications=lambda: notifier.lines,
            dns=self.names.server.statistics,
        )
        context = CommandContext(
            inventory=inventory,
            fleet_in_force=lambda: self.applied.fleet,
            assigner=self.fleet_source.assigner,
            window=self.fleet_source.window,
            secrets=self.fleet_source.secrets,
            report=lambda: health.report()[1],
            dns=self.names.server,
            assets=self.supply.commands,
            clusters=self.fleet_source.clusters,
            snapshots=self.snapshots,
            reinstaller=reinstaller,
            convergence=convergence,
            troubles=ClusterTroubles(refusals, self.fleet_source.refusal, told.doubts),
            adopter=Adopter(self.fleet_source.clusters.context, network.holder),
            next_boots=NextBoots(
                booter=booters.real,
                inventory=inventory,
                interfaces=lambda: self.watch.interfaces,
                settings=settings,
            ),
            own_host=OwnHost(booters.real, lambda: self.watch.interfaces, settings.http.port),
            renamer=self.fleet_source.renamer,
            events=events,
            dhcp_servers=servers,
            power=Power(
                lambda: self.watch.interfaces, lambda: self.applied.fleet.texts, settings.power.commands
            ),
            outage=Outage(self.fleet_source.clusters.context, self.fleet_source.clusters.k3s.servers),
            notifier=notifier,
        )
        self.control = ControlServer(settings.control_socket, settings.state_directory, context)
        git, lag, http_meter = self._git_site(events), LoopLag(), ProtocolMeter()
        measured = Measured(
            protocols={
                "dhcp": self.dhcp.meter,
                "dns": self.names.server.meter,
                "git": git.meter,
                "http": http_meter,
                "ntp": ntp.meter,
                "tftp": self.tftp.meter,
            },
            boots=boots,
            loop_lag=lag.seconds,
            certificates=lambda: certificates.ends,
            commit_time=lambda: self.fleet_source.commit_time,
        )
        self.site = LateSite(
            WebContext(settings=settings, commands=context, health=health, events=events, measured=measured)
        )
        self.http = HttpServer(
            settings.http,
            booters,
            health,
            certificates,
            offered=self.supply.offered.open,
            routes=[*git.routes(), self._webhook().route],
            late=self.site.routes,
            meter=http_meter,
        )
        self.listeners = Listeners(
            settings, self.dhcp, self.names.server, self.http, ndp, ntp, neighbours, self.tftp, talos
        )
        self.manager = ServiceManager.of(os.environ)
        check = SelfCheck(settings, self.tftp, self.names.server, self.watch)
        self.supervision = Supervision(self.manager, check, health, inventory)
        silent = SilentMachines(inventory, self.applied, told, self._reader)
        maintenance = Maintenance(booters.real, self.fleet_source.secrets.known, silent.hear)
        self.runs = (
            inventory,
            store,
            self.fleet_source,
            self.snapshots,
            reinstaller,
            convergence,
            TryingAgain(booters.real),
            self.supply,
            self.http,
            self.names,
            ntp,
            talos,
            others,
            lag,
            Inspector(maintenance, inventory, self.fleet_source.changed),
            silent,
            notifier,
            self.site,
        )
        """What runs until the last transfer has ended."""
        self.neighbours = neighbours
        self.intakes = (ndp, ntp, talos, self.names.server, self.dhcp, self.watch, self.site)
        """What takes work; closed first."""

    def programs(self) -> dict[str, str]:
        """Tell for every kind of firmware the iPXE program it gets, or why none."""
        return programs_told(self.prospects.context)

    async def _reader(self, layer: str) -> Credentials:
        return await self.fleet_source.secrets.talos(layer, (ApiRole.READER,), READER_LIFETIME)

    def _git_site(self, events: EventLog) -> GitSite:
        settings = self.settings
        return GitSite(settings.repositories, settings.git, settings.http.tls_port, events=events)

    def _webhook(self) -> Webhook:
        return Webhook(self.settings.fleet.webhook_secret_file, self.fleet_source.wake)
