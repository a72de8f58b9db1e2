"""Commands on the secrets of clusters, and on what is signed with them."""

from datetime import timedelta

from iluvatar_pxe.admin.command import Command, CommandContext, of_daemon
from iluvatar_pxe.admin.requests import clusters as requests
from iluvatar_pxe.admin.requests.request import CommandResult
from iluvatar_pxe.dns.members import leaders, members_of
from iluvatar_pxe.errors import BundleError, OperationError
from iluvatar_pxe.fleet.models import Fleet
from iluvatar_pxe.layers.ainur.bundle import load_k3s_bundle
from iluvatar_pxe.layers.ainur.recovery import GiveUp, Nothing, mark_of, words_of
from iluvatar_pxe.layers.arda.credentials import ApiRole
from iluvatar_pxe.layers.arda.endpoint import endpoint_of
from iluvatar_pxe.layers.arda.talosconfig import talosconfig
from iluvatar_pxe.layers.client_files import dump_client_file
from iluvatar_pxe.layers.kubeconfig import kubeconfig
from iluvatar_pxe.machines.model import Snapshot
from iluvatar_pxe.machines.states import Role
from iluvatar_pxe.provisioning.bundle_kinds import kind_of, load_secrets


class ExportSecrets(requests.ExportSecrets, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        bundle = await context.secrets.any_known(self.layer)
        text = kind_of(bundle).dump(bundle)
        return {"message": f"the secrets of {self.layer} were exported", "secrets": text}


class ImportSecrets(requests.ImportSecrets, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        try:
            await context.secrets.take(self.layer, load_secrets(self.secrets))
        except BundleError as error:
            raise OperationError(f"the secrets are refused: {error}") from error
        return {"message": f"{self.layer} has these secrets, sealed in the fleet's repository"}


class AdoptCluster(requests.AdoptCluster, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        context.check_inventory()
        try:
            bundle = load_k3s_bundle(self.secrets)
            found = await of_daemon(context.adopter).adopt(
                self.layer, bundle, (self.host, self.port), self.macs, is_played=self.dry_run
            )
        except BundleError as error:
            raise OperationError(f"the secrets are refused: {error}") from error
        names = [one.name for one in found.nodes]
        message = f"{self.layer} {'would be' if self.dry_run else 'is'} adopted: {', '.join(names)}"
        return {"message": message, "files": dict(found.files), "cautions": list(found.cautions)}


class RecoverCluster(requests.RecoverCluster, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        clusters = of_daemon(context.clusters).k3s
        plan = await clusters.recover(self.layer, self.server, self.agreed)
        if isinstance(plan, Nothing) and not plan.is_well:
            raise OperationError(f"{self.layer}: {plan.why}")
        begun = " is recovered now; see: iluvatar-pxe cluster status" if self.agreed else " can be recovered"
        if isinstance(plan, GiveUp):
            begun = f": run again: iluvatar-pxe cluster recover --layer {self.layer}"
        told = f": nothing is done: {plan.why}" if isinstance(plan, Nothing) else begun
        return {
            "message": f"{self.layer}{told}",
            "plan": words_of(plan),
            "mark": mark_of(plan),
        }


class MakeTalosconfig(requests.MakeTalosconfig, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        credentials = await context.secrets.talos(self.layer, [ApiRole.ADMIN], timedelta(seconds=self.ttl))
        endpoints = control_planes(self.layer, context.inventory.snapshot, context.fleet)
        file = dump_client_file(talosconfig(self.layer, endpoints, credentials))
        return {"message": f"a talosconfig of {self.layer} was signed", "file": file}


class MakeKubeconfig(requests.MakeKubeconfig, Command):
    async def carry_out(self, context: CommandContext, by: str) -> CommandResult:  # noqa: ARG002
        credentials = await context.secrets.kubernetes(self.layer, timedelta(seconds=self.ttl))
        endpoint = endpoint_of(self.layer, context.fleet)
        file = dump_client_file(kubeconfig(self.layer, endpoint, credentials))
        return {"message": f"a kubeconfig of {self.layer} was signed", "file": file}


def control_planes(layer: str, snapshot: Snapshot, fleet: Fleet) -> list[str]:
    """Return the addresses of a cluster's control planes; while none has joined, of those that the fleet declares.

    Raises OperationError where none has an address.
    """
    members = members_of(snapshot, fleet)
    declared = {one.name for one in fleet.listed if one.layer == layer and one.file.role is Role.CONTROLPLANE}
    known = leaders(members, layer) or [one for one in members if one.name in declared]
    if addresses := [str(one.address) for one in known if one.address]:
        return addresses
    raise OperationError(
        f"{layer}: no control plane has an address yet; switch its machines on, or set address in machines/NAME.yaml"
    )
