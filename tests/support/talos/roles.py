"""Which role may call which method, as Talos' machined has it."""

READER, OPERATOR, BACKUP, ADMIN = "os:reader", "os:operator", "os:etcd:backup", "os:admin"
_EVERYBODY = frozenset({READER, OPERATOR, ADMIN})
_BACKED_UP = _EVERYBODY | {BACKUP}
_OPERATED = frozenset({OPERATOR, ADMIN})
_ADMIN = frozenset({ADMIN})
_ROLES = {
    "/machine.MachineService/Dmesg": _EVERYBODY,
    "/machine.MachineService/EtcdAlarmList": _BACKED_UP,
    "/machine.MachineService/EtcdMemberList": _BACKED_UP,
    "/machine.MachineService/EtcdSnapshot": frozenset({OPERATOR, ADMIN, BACKUP}),
    "/machine.MachineService/EtcdStatus": _BACKED_UP,
    "/machine.MachineService/Reboot": _OPERATED,
    "/machine.MachineService/ServiceList": _EVERYBODY,
    "/machine.MachineService/Shutdown": _OPERATED,
    "/machine.MachineService/Version": _EVERYBODY,
    "/machine.ImageService/Pull": _OPERATED,
    "/storage.StorageService/Disks": _EVERYBODY,
    "/time.TimeService/Time": _EVERYBODY,
    "/time.TimeService/TimeCheck": _EVERYBODY,
    "/cosi.resource.State/Get": _EVERYBODY,
    "/cosi.resource.State/List": _EVERYBODY,
    "/cosi.resource.State/Watch": _EVERYBODY,
}
_IN_MAINTENANCE = frozenset(
    {"/machine.MachineService/ApplyConfiguration", "/storage.StorageService/BlockDeviceWipe"}
)


def may(method: str, roles: frozenset[str], *, is_maintenance: bool) -> bool:
    """Say whether a caller may call a method; what the table does not name is the administrator's."""
    if is_maintenance and method in _IN_MAINTENANCE:
        return True
    return bool(_ROLES.get(method, _ADMIN) & roles)
