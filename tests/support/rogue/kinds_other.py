"""Ways by the daemon's other servers, and by its host."""

import json
from urllib.parse import urlencode

from support.proxy import discover
from support.rogue.kinds_http import URL64, claim, config_of, target_of
from support.rogue.knowledge import Target
from support.rogue.ways import KINDS, By, Chance, Way, kind

from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as told
from iluvatar_pxe.values import replace
from iluvatar_pxe.wire.dhcp import encode

__all__ = ["KINDS"]
_QUESTIONS = ("A", "TXT", "AXFR", "ANY", "SRV", "URI", "NAPTR", "HINFO")


@kind
def by_tftp(chance: Chance) -> Way:
    target = target_of(chance)
    serial = target.mac.replace(":", "")[-8:]
    name = chance.one(config_of(chance.one(*chance.known.tickets)), *chance.known.files, f"{serial}/cmdline.txt",
                      f"{serial}/user-data", f"{target.mac.replace(':', '-')}/config.txt", f"ipxe?mac={target.mac}",
                      f"configs/{target.name}.yaml", "clusters/arda.secrets.age", "config.txt")  # fmt: skip
    way_up = chance.one("", "/", "../" * chance.dice.randint(1, 6), "ipxe/" + "../" * chance.dice.randint(1, 6), "..\\..\\",
                        "ipxe//", "./", "ipxe/%2e%2e/")  # fmt: skip
    return Way("", By.TFTP, (way_up + name + chance.one("", "\\", "/.", ".gz")).encode())


@kind
def by_dns(chance: Chance) -> Way:
    target, domain = target_of(chance), chance.known.domain
    name = chance.one(domain, f"{target.name}.{domain}", f"api.arda.{domain}", f"_etcd._tcp.arda.{domain}", "version.bind",
                      f"{chance.one(*chance.known.tickets)[:40]}.{domain}", f"config.{target.name}.{domain}")  # fmt: skip
    return Way("", By.DNS, f"{chance.one(*_QUESTIONS)} {name}".encode())


@kind
def reports_of_another(chance: Chance) -> Way:
    """What would end another machine's boot, or have its address believed."""
    target, dice = target_of(chance), chance.dice
    status = told.MachineStatusEvent(stage=chance.one(*told.MachineStatusEvent.MachineStage.keys()))
    status.status.ready = dice.random() < 0.5
    address = told.AddressEvent(
        hostname=target.name, addresses=[target.address, chance.one("10.77.0.2", "10.77.0.66")]
    )
    sequence = told.SequenceEvent(
        sequence=chance.one("install", "boot", "reset"), action=chance.one("NOOP", "START", "STOP")
    )
    restart = told.RestartEvent(cmd=dice.choice((0x01234567, 0x4321FEDC)))
    message = dice.choice((status, address, sequence, restart))
    packed = f"{message.DESCRIPTOR.name} {chance.text(URL64, 20)} ".encode() + message.SerializeToString()
    return Way("", By.EVENTS, packed)


@kind
def kernel_log_of_another(chance: Chance) -> Way:
    words = chance.one("machine is running and ready", "installing Talos", "rebooting", "configuration loaded",
                       f"hostname set to {target_of(chance).name}")  # fmt: skip
    line = {"clock": chance.dice.randrange(10**9), "facility": "user", "msg": f"[talos] {words}\n", "priority": "info",
            "seq": chance.dice.randrange(10**6), "talos-level": "info", "talos-time": "2026-11-29T12:00:00Z"}  # fmt: skip
    return Way("", By.KERNEL_LOG, chance.one("tcp ", "udp ").encode() + json.dumps(line).encode() + b"\n")


@kind
def boots_of_another(chance: Chance) -> Way:
    """A DISCOVER in its name from the rogue's NIC, then what it would ask."""
    target = target_of(chance)
    return _boot(chance, target, target.mac, claim(chance, target, "mac"))


@kind
def twins(chance: Chance) -> Way:
    """The rogue's own NIC boots, and says that it is in another machine; it cannot say so of several."""
    target, own = chance.known.targets[-1], chance.known.mac
    told = {"mac": own, "net0": own, "uuid": target.uuid, "serial": target.serial, "product": target.product,
            "manufacturer": target.manufacturer, "net1": chance.one(target.mac, own), "version": chance.text(URL64, 5)}  # fmt: skip
    return _boot(chance, target, own, urlencode(told))


def _boot(chance: Chance, target: Target, mac: str, asked: str) -> Way:
    options = [(97, b"\0" + bytes.fromhex(target.uuid.replace("-", "")))] * (chance.dice.random() < 0.7)
    message = encode(
        replace(
            discover(chance.dice.choice((0, 7, 9, 16)), *options, mac=mac), xid=chance.dice.randrange(2**32)
        )
    )
    return Way("", By.DHCP, message + f"/ipxe?{asked}".encode())


@kind
def files_at_rest(chance: Chance) -> Way:
    """As another user of the daemon's own host."""
    return Way("", By.FILE, chance.one(*chance.known.files).encode())


@kind
def control_socket(chance: Chance) -> Way:
    """As another user of the daemon's own host."""
    target = target_of(chance)
    path = chance.one("machines", f"machines/{target.name}", "clusters/arda/secrets", "clusters/arda/talosconfig",
                      f"plans/{target.mac}", "clusters/arda/kubeconfig", "health", "enrolment")  # fmt: skip
    method = chance.one("GET", "POST", "PUT")
    return Way("", By.SOCKET, f"{method} /api/v1/{path} HTTP/1.0\r\nContent-Length: 2\r\n\r\n{{}}".encode())
