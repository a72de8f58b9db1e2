"""A cluster of stand-ins for tests: secrets of its own, configurations, credentials, and machines that get them."""

import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from support.clusters import golden_bundle
from support.ports import free_port
from support.talos.clock import Clock
from support.talos.configuration import Configuration, UnusableError
from support.talos.hardware import Disk, Hardware
from support.talos.machine import Machine, Verdict
from support.talos.site import Site, loopback_addresses

from iluvatar_pxe.layers.arda.bundle import Bundle
from iluvatar_pxe.layers.arda.configuration.facts import ClusterFacts, MachineFacts
from iluvatar_pxe.layers.arda.configuration.make import documents_of, partial_documents
from iluvatar_pxe.layers.arda.credentials import ApiRole, talos_credentials
from iluvatar_pxe.layers.arda.disks import DiskChoice
from iluvatar_pxe.layers.arda.documents import Contract, dump_documents, load_documents
from iluvatar_pxe.layers.arda.generate import generate_bundle
from iluvatar_pxe.layers.arda.schemas import schema_of
from iluvatar_pxe.layers.arda.talosconfig import talosconfig
from iluvatar_pxe.layers.arda.validation import faults
from iluvatar_pxe.layers.credentials import Credentials
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.values import replace

VERSIONS = {Contract.V1_13: "v1.13.9", Contract.V1_14: "v1.14.1"}
KUBERNETES = "v1.36.3"
NAME, ENDPOINT = "arda", "api.arda.lab"
SPEED = 50.0


@cache
def new_bundle(seed: int = 1) -> Bundle:
    """Return secrets of a cluster that is founded now; the RSA key is that of Talos' test data, which saves a second."""
    return generate_bundle(
        random.Random(seed).randbytes, golden_bundle().service_account_key, datetime.now(UTC)
    )


def our_verdict(contract: Contract, text: str) -> None:
    """Refuse what our own validation refuses, where Talos' own library is not to be had."""
    documents = load_documents(text)
    role = Role(Configuration.parse(text).machine.get("type", Role.WORKER))
    if found := faults(documents, schema_of(contract), role):
        raise UnusableError("; ".join(map(str, found)))


@dataclass
class Cluster:
    """A cluster's secrets and machines, without the daemon: a test serves configurations itself."""

    directory: Path
    contract: Contract = Contract.V1_14
    verdict: Verdict | None = None
    """What a complete configuration is judged by; without one by our own validation."""
    bundle: Bundle = field(default_factory=new_bundle)
    site: Site = field(default_factory=Site)
    reporting: MachineFacts = field(default_factory=lambda: MachineFacts(role=Role.WORKER))
    """Where its machines report: ``event_sink`` and ``kernel_log``."""
    served: dict[str, str] = field(default_factory=dict)
    """Configurations by MAC, as the test's web server gives them."""
    url: str = ""

    @property
    def facts(self) -> ClusterFacts:
        return ClusterFacts(
            name=NAME,
            endpoint=f"https://{ENDPOINT}:6443",
            contract=self.contract,
            kubernetes=KUBERNETES,
            bundle=self.bundle,
        )

    def configuration(self, role: Role, hostname: str, serial: str) -> str:
        """Return a whole configuration for the disk with a serial number."""
        disk = DiskChoice(serial=serial, size=1, path="/dev/sda")
        image = (
            f"factory.talos.dev/metal-installer/376567988ad370138ad8b2698212367b:{VERSIONS[self.contract]}"
        )
        machine = replace(self.reporting, role=role, hostname=hostname, disk=disk, installer_image=image)
        return dump_documents(documents_of(self.facts, machine))

    def partial(self) -> str:
        return dump_documents(partial_documents(self.reporting))

    def machine(self, number: int, role: Role, *, clock: Clock | None = None) -> Machine:
        """Return a machine, off, whose network boot fetches a whole configuration."""
        mac, serial, hostname = f"52:54:00:00:00:{number:02x}", f"SERIAL{number}", f"{role}-{number}"
        hardware = Hardware(
            mac,
            uuid=f"4c4c4544-0000-1000-8000-{number:012x}",
            serial=f"BOX{number}",
            disks=[Disk("sda", serial=serial, wwid=f"naa.{number:016x}")],
        )
        self.served[mac] = self.configuration(role, hostname, serial)
        address = next(loopback_addresses())
        machine = Machine(
            self.site, hardware, address, self.directory / hostname, self._firmware,
            version=VERSIONS[self.contract], clock=clock or Clock(SPEED), verdict=self.verdict or partial(our_verdict, self.contract),
        )  # fmt: skip
        if role is Role.CONTROLPLANE:
            self.site.names.setdefault(ENDPOINT, []).append(address)
        return machine

    async def _firmware(self, machine: Machine) -> str | None:
        """Boot from the disk once Talos is on it, as this firmware is set."""
        if machine.hardware.system_disk is not None:
            return None
        return f"talos.platform=metal talos.config={self.url}?m=${{mac}}"

    def credentials(self, *roles: ApiRole) -> Credentials:
        now = datetime.now(UTC)
        return talos_credentials(
            self.bundle, roles or (ApiRole.ADMIN,), timedelta(hours=1), now, random.randbytes
        )

    def talosconfig(self, *roles: ApiRole) -> str:
        return yaml.safe_dump(talosconfig(NAME, ["127.0.0.1"], self.credentials(*roles)))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve configurations by MAC; what is not there is answered with 503. Skips the test without etcd."""
        if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
            pytest.skip("etcd-server and etcd-client are not installed")

        async def give(request: web.Request) -> web.Response:
            text = self.served.get(request.query["m"])
            return web.Response(text=text) if text is not None else web.Response(status=503)

        application = web.Application()
        application.router.add_get("/config", give)
        runner = web.AppRunner(application)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{port}/config"
        try:
            yield
        finally:
            for machine in self.site.machines:
                await machine.power_cut()
            await runner.cleanup()  # after the last machine that may be about to fetch something
