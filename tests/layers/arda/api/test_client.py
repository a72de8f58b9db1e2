"""What the client makes of Talos' answers, over real connections with mutual TLS."""

import asyncio
import gzip
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from grpclib.const import Status
from support.small_talos import (
    HERE,
    Answering,
    Scripted,
    answering,
    credentials,
    failing,
    hanging,
    small_talos,
)

from iluvatar_pxe.errors import (
    TalosAnswerError,
    TalosDeniedError,
    TalosError,
    TalosExistsError,
    TalosFailedError,
    TalosNotFoundError,
    TalosNotReadyError,
    TalosRebootError,
    TalosRefusedError,
    TalosUnreachableError,
    TalosUnsupportedError,
)
from iluvatar_pxe.layers import grpclib_internals
from iluvatar_pxe.layers.arda.api import channel, client
from iluvatar_pxe.layers.arda.api.client import TalosApi
from iluvatar_pxe.layers.arda.api.model import (
    Applied,
    ApplyMode,
    Change,
    EtcdMember,
    MachineStatus,
    PullProgress,
    RebootMode,
    RebootRequest,
    Service,
    UnmetCondition,
    Version,
    WipeMode,
)
from iluvatar_pxe.layers.arda.api.protos import (
    common_pb2,
    image_pb2,
    lifecycle_pb2,
    machine_pb2,
    resources_pb2,
    storage_pb2,
    time_pb2,
)
from iluvatar_pxe.layers.arda.api.protos.image_grpc import ImageServiceBase
from iluvatar_pxe.layers.arda.api.protos.lifecycle_grpc import LifecycleServiceBase
from iluvatar_pxe.layers.arda.api.protos.machine_grpc import MachineServiceBase
from iluvatar_pxe.layers.arda.api.protos.resources_grpc import StateBase
from iluvatar_pxe.layers.arda.api.protos.storage_grpc import StorageServiceBase
from iluvatar_pxe.layers.arda.api.protos.time_grpc import TimeServiceBase
from iluvatar_pxe.layers.arda.api.resources import MACHINE_STATUS, REBOOT_REQUEST, Watched
from iluvatar_pxe.layers.etcd.model import Alarm, EtcdAlarm

BASES = {
    "machine": MachineServiceBase,
    "state": StateBase,
    "images": ImageServiceBase,
    "lifecycle": LifecycleServiceBase,
    "storage": StorageServiceBase,
    "time": TimeServiceBase,
}
RUNNING = "stage: running\nstatus:\n    ready: true\n    unmetConditions: []\n"
BOOTING = "stage: booting\nstatus:\n    ready: false\n    unmetConditions:\n        - name: time\n          reason: not in sync\n"


@asynccontextmanager
async def machine(service: str = "machine", **methods: Answering) -> AsyncIterator[TalosApi]:
    async with (
        small_talos(Scripted(BASES[service], **methods)) as port,
        TalosApi.connect(HERE, credentials(), name="cp-1", port=port) as api,
    ):
        yield api


def noting(asked: list[Any], *answers: Message) -> Answering:
    async def note(stream: Any) -> None:
        asked.append(await stream.recv_message())
        for answer in answers:
            await stream.send_message(answer)

    return note


def status(text: str, name: str = "machine") -> resources_pb2.Resource:
    return resources_pb2.Resource(
        metadata=resources_pb2.Metadata(id=name), spec=resources_pb2.Spec(yaml_spec=text)
    )


async def test_the_version_is_read() -> None:
    told = machine_pb2.Version(
        version=machine_pb2.VersionInfo(tag="v1.14.0", arch="amd64"),
        platform=machine_pb2.PlatformInfo(name="metal", mode="metal"),
    )
    async with machine(Version=answering(machine_pb2.VersionResponse(messages=[told]))) as api:
        assert await api.version() == Version("v1.14.0", "amd64", "metal", "metal")


@pytest.mark.parametrize("count", [0, 2])
async def test_an_answer_holds_exactly_one_message(count: int) -> None:
    answer = machine_pb2.VersionResponse(messages=[machine_pb2.Version()] * count)
    async with machine(Version=answering(answer)) as api:
        with pytest.raises(
            TalosAnswerError, match=rf"cp-1 \(127.0.0.1\): Version: {count} messages where one"
        ):
            await api.version()


async def test_a_failure_inside_a_successful_answer_is_one() -> None:
    failed = machine_pb2.Version(metadata=common_pb2.Metadata(error="rpc error:\n it broke"))
    async with machine(Version=answering(machine_pb2.VersionResponse(messages=[failed]))) as api:
        with pytest.raises(TalosFailedError, match="Version: rpc error: it broke;"):
            await api.version()


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Status.ALREADY_EXISTS, TalosExistsError),
        (Status.FAILED_PRECONDITION, TalosNotReadyError),
        (Status.INVALID_ARGUMENT, TalosRefusedError),
        (Status.NOT_FOUND, TalosNotFoundError),
        (Status.PERMISSION_DENIED, TalosDeniedError),
        (Status.UNAVAILABLE, TalosUnreachableError),
        (Status.UNIMPLEMENTED, TalosUnsupportedError),
        (Status.UNKNOWN, TalosFailedError),
        (Status.INTERNAL, TalosFailedError),
    ],
)
async def test_each_status_has_its_error(code: Status, kind: type[TalosError]) -> None:
    async with machine(Bootstrap=failing(code, "etcd data directory is not empty")) as api:
        with pytest.raises(
            TalosError, match=r"^cp-1 \(127.0.0.1\): Bootstrap: etcd data directory .*; \w+"
        ) as raised:
            await api.bootstrap()
    assert type(raised.value) is kind
    assert "\n" not in str(raised.value)


async def test_a_worker_has_no_etcd() -> None:
    async with machine() as api:
        for call in (api.bootstrap, api.etcd.members, api.etcd.status, api.kubeconfig):
            with pytest.raises(TalosUnsupportedError, match="ask a control plane"):
                await call()


async def test_secrets_that_talos_quotes_are_not_in_errors() -> None:
    quoted = "unknown keys found: token: abcdef.0123456789abcdef, key: LS0tLS1CRUdJTiBFRDI1NTE5IFBSSVZBVEUgS0VZLS0tLS0K"
    async with machine(ApplyConfiguration=failing(Status.INVALID_ARGUMENT, quoted)) as api:
        with pytest.raises(TalosRefusedError, match="unknown keys found: token: …, key: …;"):
            await api.apply("machine: {}", ApplyMode.NO_REBOOT)


async def test_a_change_that_needs_a_reboot_is_told_apart_without_its_diff() -> None:
    text = "this config change can't be applied in immediate mode\ndiff:\n- token: hush"
    async with machine(ApplyConfiguration=failing(Status.INVALID_ARGUMENT, text)) as api:
        with pytest.raises(TalosRebootError, match="stage it") as raised:
            await api.apply("machine: {}", ApplyMode.NO_REBOOT)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("mode", list(ApplyMode))
async def test_a_configuration_is_applied_in_the_mode_that_is_said(mode: ApplyMode) -> None:
    asked: list[machine_pb2.ApplyConfigurationRequest] = []
    done = machine_pb2.ApplyConfiguration(
        warnings=["a\nb"], mode=machine_pb2.ApplyConfigurationRequest.STAGED
    )
    answer = machine_pb2.ApplyConfigurationResponse(messages=[done])
    async with machine(ApplyConfiguration=noting(asked, answer)) as api:
        applied = await api.apply("kind: é", mode, dry_run=True)

    assert applied == Applied(ApplyMode.STAGED, ("a b",), "")
    assert (asked[0].data, asked[0].mode, asked[0].dry_run) == ("kind: é".encode(), mode.value, True)
    assert asked[0].try_mode_timeout.seconds == (60 if mode is ApplyMode.TRY else 0)


async def test_what_a_dry_run_tells_is_not_shown_by_accident() -> None:
    assert "hush" not in repr(Applied(ApplyMode.TRY, (), "hush"))


async def test_services_are_read() -> None:
    told = machine_pb2.ServiceInfo(
        id="etcd", state="Preparing", health=machine_pb2.ServiceHealth(unknown=True)
    )
    told.events.events.add(msg="Running pre state")
    answer = machine_pb2.ServiceListResponse(messages=[machine_pb2.ServiceList(services=[told])])
    async with machine(ServiceList=answering(answer)) as api:
        assert await api.services() == (Service("etcd", "Preparing", None, "", "Running pre state"),)


async def test_etcd_is_asked() -> None:
    member = machine_pb2.EtcdMember(
        id=2**63 + 1, hostname="cp-1", peer_urls=["https://10.0.0.11:2380"], is_learner=True
    )
    asked: list[machine_pb2.EtcdMemberListRequest] = []
    alarm = machine_pb2.EtcdMemberAlarm(member_id=5, alarm=machine_pb2.EtcdMemberAlarm.NOSPACE)
    state = machine_pb2.EtcdMemberStatus(leader=7, member_id=7, db_size=4096, storage_version="3.6")
    async with machine(
        EtcdMemberList=noting(
            asked, machine_pb2.EtcdMemberListResponse(messages=[machine_pb2.EtcdMembers(members=[member])])
        ),
        EtcdAlarmList=answering(
            machine_pb2.EtcdAlarmListResponse(messages=[machine_pb2.EtcdAlarm(member_alarms=[alarm])])
        ),
        EtcdStatus=answering(
            machine_pb2.EtcdStatusResponse(messages=[machine_pb2.EtcdStatus(member_status=state)])
        ),
    ) as api:
        assert await api.etcd.members(local=True) == (
            EtcdMember(2**63 + 1, "cp-1", ("https://10.0.0.11:2380",), (), is_learner=True),
        )
        assert asked[0].query_local
        assert await api.etcd.alarms() == (EtcdAlarm(5, Alarm.NOSPACE),)
        told = await api.etcd.status()
        assert (told.leader, told.member_id, told.db_size, told.version) == (7, 7, 4096, "3.6")


WIPED = machine_pb2.ResetRequest(
    graceful=True,
    reboot=True,
    system_partitions_to_wipe=[machine_pb2.ResetPartitionSpec(label="EPHEMERAL", wipe=True)],
    mode=machine_pb2.ResetRequest.SYSTEM_DISK,
)


@pytest.mark.parametrize(
    ("service", "method", "answer", "call", "request_made"),
    [
        (
            "machine",
            "Reset",
            machine_pb2.ResetResponse(messages=[machine_pb2.Reset()]),
            lambda api: api.reset(WipeMode.SYSTEM_DISK, graceful=True, partitions=["EPHEMERAL"]),
            WIPED,
        ),
        (
            "machine",
            "Reboot",
            machine_pb2.RebootResponse(messages=[machine_pb2.Reboot()]),
            lambda api: api.reboot(RebootMode.POWERCYCLE),
            machine_pb2.RebootRequest(mode=machine_pb2.RebootRequest.POWERCYCLE),
        ),
        (
            "machine",
            "Shutdown",
            machine_pb2.ShutdownResponse(messages=[machine_pb2.Shutdown()]),
            lambda api: api.shut_down(),
            machine_pb2.ShutdownRequest(),
        ),
        (
            "machine",
            "Rollback",
            machine_pb2.RollbackResponse(messages=[machine_pb2.Rollback()]),
            lambda api: api.rollback(),
            machine_pb2.RollbackRequest(),
        ),
        (
            "machine",
            "EtcdRemoveMemberByID",
            machine_pb2.EtcdRemoveMemberByIDResponse(messages=[machine_pb2.EtcdRemoveMemberByID()]),
            lambda api: api.etcd.remove(2**63),
            machine_pb2.EtcdRemoveMemberByIDRequest(member_id=2**63),
        ),
        (
            "machine",
            "EtcdLeaveCluster",
            machine_pb2.EtcdLeaveClusterResponse(messages=[machine_pb2.EtcdLeaveCluster()]),
            lambda api: api.etcd.leave(),
            machine_pb2.EtcdLeaveClusterRequest(),
        ),
        (
            "storage",
            "BlockDeviceWipe",
            storage_pb2.BlockDeviceWipeResponse(messages=[storage_pb2.BlockDeviceWipe()]),
            lambda api: api.wipe(["sda"]),
            storage_pb2.BlockDeviceWipeRequest(devices=[storage_pb2.BlockDeviceWipeDescriptor(device="sda")]),
        ),
    ],
)
async def test_what_changes_a_machine_is_asked_for_exactly(
    service: str,
    method: str,
    answer: Message,
    call: Callable[[TalosApi], Awaitable[None]],
    request_made: Message,
) -> None:
    asked: list[Message] = []
    async with machine(service, **{method: noting(asked, answer)}) as api:
        await call(api)
    assert asked == [request_made]


def snapshot_of(size: int) -> bytes:
    database = bytes(index % 251 for index in range(size))
    return database + hashlib.sha256(database).digest()


def pieces_of(data: bytes, size: int) -> list[common_pb2.Data]:
    return [common_pb2.Data(bytes=data[at : at + size]) for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 31, 512, 100_000])
async def test_a_whole_snapshot_is_passed_on(size: int) -> None:
    whole = snapshot_of(8192 if size > 1 else 512)
    async with (
        machine(EtcdSnapshot=answering(*pieces_of(whole, size))) as api,
        aclosing(api.etcd.snapshot()) as got,
    ):
        assert b"".join([piece async for piece in got]) == whole


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        snapshot_of(8192)[:-1],
        snapshot_of(8192)[:-512],
        snapshot_of(100),
        b"x" + snapshot_of(8192)[1:],
        b"\0" * 32,
    ],
)
async def test_a_damaged_snapshot_is_refused(damaged: bytes) -> None:
    async with (
        machine(EtcdSnapshot=answering(*pieces_of(damaged, 4096))) as api,
        aclosing(api.etcd.snapshot()) as got,
    ):
        with pytest.raises(TalosAnswerError, match="EtcdSnapshot: the snapshot"):
            [piece async for piece in got]


async def test_a_snapshot_that_stops_is_none() -> None:
    begun = pieces_of(snapshot_of(8192), 512)[:3]
    async with (
        machine(EtcdSnapshot=failing(Status.UNKNOWN, "etcd stopped", *begun)) as api,
        aclosing(api.etcd.snapshot()) as got,
    ):
        with pytest.raises(TalosFailedError, match="etcd stopped"):
            [piece async for piece in got]


def archive_of(**files: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return made.getvalue()


async def test_the_kubeconfig_is_unpacked() -> None:
    pieces = pieces_of(archive_of(kubeconfig="kind: Config\n"), 50)
    async with machine(Kubeconfig=answering(*pieces)) as api:
        assert await api.kubeconfig() == "kind: Config\n"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"no archive",
        archive_of(other="x"),
        archive_of(kubeconfig="x" * 99)[:40],
        gzip.compress(bytes(9 << 20), mtime=0),
    ],
    ids=["empty", "no archive", "another file", "cut off", "bomb"],
)
async def test_a_damaged_kubeconfig_is_refused(damaged: bytes) -> None:
    async with machine(Kubeconfig=answering(*pieces_of(damaged, 4096))) as api:
        with pytest.raises(TalosAnswerError, match="Kubeconfig"):
            await api.kubeconfig()


async def test_a_failure_at_the_end_of_a_stream_is_one() -> None:
    last = common_pb2.Data(metadata=common_pb2.Metadata(error="no kernel log"))
    line = common_pb2.Data(bytes=b"kern: info: [2026-01-01T00:00:00Z]: Linux version\n")
    async with machine(Dmesg=answering(line, last)) as api, aclosing(api.dmesg()) as lines:
        assert await anext(lines) == "kern: info: [2026-01-01T00:00:00Z]: Linux version"
        with pytest.raises(TalosFailedError, match="no kernel log"):
            await anext(lines)


async def test_disks_are_read() -> None:
    disk = storage_pb2.Disk(device_name="/dev/sda", size=5 << 40, serial="007", type=storage_pb2.Disk.SSD)
    answer = storage_pb2.DisksResponse(messages=[storage_pb2.Disks(disks=[disk])])
    async with machine("storage", Disks=answering(answer)) as api:
        (found,) = await api.disks()
    assert (found.name, found.size, found.serial, found.kind.name) == ("/dev/sda", 5 << 40, "007", "SSD")


async def test_a_clock_is_compared() -> None:
    there, here = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    told = time_pb2.Time(server="10.0.0.2")
    told.localtime.FromDatetime(here)
    told.remotetime.FromDatetime(there)
    async with machine(
        "time",
        Time=answering(time_pb2.TimeResponse(messages=[told])),
        TimeCheck=answering(
            time_pb2.TimeResponse(messages=[time_pb2.Time(localtime=Timestamp(seconds=2**62))])
        ),
    ) as api:
        assert (await api.time_check()).off == 86400
        with pytest.raises(TalosAnswerError, match="a time that no clock has"):
            await api.time_check("10.0.0.3")


async def test_an_image_is_pulled() -> None:
    progress = image_pb2.ImageServicePullProgress(
        layer_id="a", progress=image_pb2.ImageServicePullLayerProgress(offset=5, total=10)
    )
    asked: list[image_pb2.ImageServicePullRequest] = []
    answers = (
        image_pb2.ImageServicePullResponse(pull_progress=progress),
        image_pb2.ImageServicePullResponse(name="installer:v1"),
    )
    async with (
        machine("images", Pull=noting(asked, *answers)) as api,
        aclosing(api.pull("installer:v1")) as told,
    ):
        assert [one async for one in told] == [PullProgress("a", 5, 10)]
    assert (asked[0].image_ref, asked[0].containerd.driver) == ("installer:v1", common_pb2.CRI)


async def test_a_pull_that_ends_without_an_image_has_failed() -> None:
    async with machine("images", Pull=answering()) as api, aclosing(api.pull("installer:v1")) as told:
        with pytest.raises(TalosFailedError, match="without the image"):
            await anext(told)


@pytest.mark.parametrize(
    ("code", "fault"), [(0, None), (3, "failed with status 3"), (None, "without a result")]
)
async def test_an_upgrade_succeeds_with_exit_code_zero_only(code: int | None, fault: str | None) -> None:
    def answer(**response: Any) -> lifecycle_pb2.LifecycleServiceUpgradeResponse:
        progress = lifecycle_pb2.LifecycleServiceInstallProgress(**response)
        return lifecycle_pb2.LifecycleServiceUpgradeResponse(progress=progress)

    answers = [answer(message="writing"), *([] if code is None else [answer(exit_code=code)])]
    async with (
        machine("lifecycle", Upgrade=answering(*answers)) as api,
        aclosing(api.upgrade("i:v1")) as told,
    ):
        assert await anext(told) == "writing"
        with pytest.raises(TalosFailedError if fault else StopAsyncIteration, match=fault):
            await anext(told)


async def test_resources_are_read() -> None:
    found = resources_pb2.GetResponse(resource=status(BOOTING))
    listed = [resources_pb2.ListResponse(resource=status(RUNNING))] * 3
    async with machine("state", Get=answering(found), List=answering(*listed)) as api:
        unmet = (UnmetCondition("time", "not in sync"),)
        assert await api.state.get(MACHINE_STATUS) == MachineStatus("booting", is_ready=False, unmet=unmet)
        assert [one.is_joined for one in await api.state.list(MACHINE_STATUS)] == [True] * 3


async def test_what_is_not_there_is_none() -> None:
    async with machine("state", Get=failing(Status.NOT_FOUND, "doesn't exist")) as api:
        assert await api.state.get(MACHINE_STATUS) is None


async def test_what_only_newer_versions_have_is_none_where_it_is_denied() -> None:
    denied = failing(Status.PERMISSION_DENIED, "not authorized")
    async with machine("state", Get=denied, List=denied) as api:
        assert await api.state.get(REBOOT_REQUEST) is None
        assert await api.state.list(REBOOT_REQUEST) == ()
        with pytest.raises(TalosDeniedError):
            await api.state.get(MACHINE_STATUS)
        with pytest.raises(TalosDeniedError):
            await api.state.list(MACHINE_STATUS)


async def test_a_resource_without_a_spec_is_read() -> None:
    async with machine(
        "state", Get=answering(resources_pb2.GetResponse(resource=status("{}", "reboot-request")))
    ) as api:
        assert await api.state.get(REBOOT_REQUEST) == RebootRequest("reboot-request")


async def test_a_resource_that_cannot_be_read_is_named() -> None:
    async with machine("state", Get=answering(resources_pb2.GetResponse(resource=status("[1]")))) as api:
        with pytest.raises(
            TalosAnswerError, match=r"cp-1 .*MachineStatuses.runtime.talos.dev: machine: line 1"
        ):
            await api.state.get(MACHINE_STATUS)


def event(kind: "resources_pb2.EventType", text: str = RUNNING) -> resources_pb2.Event:
    return resources_pb2.Event(event_type=kind, resource=status(text))


async def test_a_watch_tells_what_there_is_and_then_the_changes() -> None:
    asked: list[resources_pb2.WatchRequest] = []
    answers = (
        resources_pb2.WatchResponse(),
        resources_pb2.WatchResponse(
            event=[event(resources_pb2.CREATED, BOOTING), event(resources_pb2.BOOTSTRAPPED)]
        ),
        resources_pb2.WatchResponse(event=[event(resources_pb2.NOOP), event(resources_pb2.UPDATED)]),
    )
    async with (
        machine("state", Watch=noting(asked, *answers)) as api,
        aclosing(api.state.watch(MACHINE_STATUS)) as told,
    ):
        first, second, third = [await anext(told) for _ in range(3)]
        assert (first.change, first.id) == (Change.CREATED, "machine")
        assert second == Watched(Change.BOOTSTRAPPED, "", None)
        assert third.value == MachineStatus("running", is_ready=True, unmet=())
        with pytest.raises(TalosUnreachableError, match="ended the watch"):
            await anext(told)
    assert (asked[0].api_version, asked[0].options.bootstrap_contents, asked[0].HasField("id")) == (
        1,
        True,
        False,
    )


async def test_a_watch_of_one_resource_asks_for_its_id() -> None:
    asked: list[resources_pb2.WatchRequest] = []
    async with (
        machine("state", Watch=noting(asked)) as api,
        aclosing(api.state.watch(MACHINE_STATUS, "machine")) as told,
    ):
        with pytest.raises(TalosUnreachableError):
            await anext(told)
    assert (asked[0].id, asked[0].options.bootstrap_contents) == ("machine", False)


async def test_a_watch_that_fails_says_so() -> None:
    failed = resources_pb2.WatchResponse(
        event=[resources_pb2.Event(event_type=resources_pb2.ERRORED, error="overrun")]
    )
    async with (
        machine("state", Watch=answering(failed)) as api,
        aclosing(api.state.watch(MACHINE_STATUS)) as told,
    ):
        with pytest.raises(TalosFailedError, match="overrun"):
            await anext(told)


async def test_a_machine_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "READ_SECONDS", 0.1)
    async with machine(Version=hanging, Kubeconfig=hanging) as api:
        with pytest.raises(TalosUnreachableError, match="Version: no answer"):
            await api.version()
        with pytest.raises(TalosUnreachableError, match="Kubeconfig: no answer"):
            await api.kubeconfig()


async def test_an_answer_that_is_too_large_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(channel, "LARGEST_MESSAGE", 1000)
    large = machine_pb2.VersionResponse(
        messages=[machine_pb2.Version(version=machine_pb2.VersionInfo(tag="x" * 1000))]
    )
    async with machine(Version=answering(large)) as api:
        with pytest.raises(TalosAnswerError, match="1000 are allowed"):
            await api.version()


async def test_a_lost_connection_leaves_no_cancellation_behind() -> None:
    async def drop(stream: Any) -> None:
        await stream.recv_message()
        stream._stream._transport.abort()

    task = asyncio.current_task()
    assert task
    async with machine(Version=drop) as api:
        for _ in range(3):  # each call connects anew
            with pytest.raises(TalosUnreachableError, match="Version: Connection lost"):
                await api.version()
            assert task.cancelling() == 0


async def test_a_call_can_be_cancelled() -> None:
    async with machine(Version=hanging) as api:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await api.version()
        with pytest.raises(TalosUnsupportedError):
            await api.etcd.status()


def test_the_version_of_grpclib_is_the_one_that_was_looked_at() -> None:
    assert version("grpclib") in grpclib_internals.CHECKED["grpclib"]
