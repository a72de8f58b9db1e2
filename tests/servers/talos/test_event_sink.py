"""Whatever is published is answered with OK and passed on once, and nobody can fill the daemon's memory or log."""

import asyncio
import random
import socket
import time
from ipaddress import IPv4Address

import pytest
from google.protobuf.message import Message
from grpclib.client import Channel
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from support.interfaces import read_interface
from support.talos_reports import HERE, event, publisher, receiving
from support.waiting import until

from iluvatar_pxe.layers.arda.api.model import UnmetCondition
from iluvatar_pxe.layers.arda.api.protos import common_pb2, machine_pb2
from iluvatar_pxe.layers.arda.api.protos import runtime_events_pb2 as talos
from iluvatar_pxe.layers.arda.api.protos.events_grpc import EventSinkServiceStub
from iluvatar_pxe.layers.arda.api.protos.events_pb2 import EventRequest, EventResponse
from iluvatar_pxe.layers.arda.api.sink import LARGEST_EVENT, read_event
from iluvatar_pxe.layers.arda.events import (
    Addresses,
    Body,
    ConfigurationFault,
    Event,
    Phase,
    Restart,
    Sequence,
    ServiceState,
    Stage,
    Task,
    Unknown,
)
from iluvatar_pxe.servers.talos.event_listener import MOST_EVENTS, MOST_MACHINES, MOST_OF_CLIENT, Replays
from iluvatar_pxe.servers.talos.event_sink import MOST_STREAMS
from iluvatar_pxe.servers.talos.server import TalosServer
from iluvatar_pxe.settings.model import Settings, TalosSettings

OK = EventResponse()
STATUS = talos.MachineStatusEvent.MachineStatus
TOLD: list[tuple[str, Message | bytes, Body]] = [
    (
        "SequenceEvent",
        talos.SequenceEvent(sequence="boot", action=talos.SequenceEvent.START),
        Sequence("boot", "start", "", is_fatal=False),
    ),
    (
        "SequenceEvent",
        talos.SequenceEvent(
            sequence="boot",
            action=talos.SequenceEvent.NOOP,
            error=common_pb2.Error(code=common_pb2.FATAL, message="no\ndisk"),
        ),
        Sequence("boot", "noop", "no disk", is_fatal=True),
    ),
    (
        "SequenceEvent",
        talos.SequenceEvent(error=common_pb2.Error(code=common_pb2.LOCKED, message="busy")),
        Sequence("", "noop", "busy", is_fatal=False),
    ),
    ("PhaseEvent", talos.PhaseEvent(phase="config"), Phase("config", begins=True)),
    (
        "TaskEvent",
        talos.TaskEvent(task="loadConfig", action=talos.TaskEvent.STOP),
        Task("loadConfig", begins=False),
    ),
    (
        "ServiceStateEvent",
        talos.ServiceStateEvent(
            service="etcd",
            action=talos.ServiceStateEvent.PREPARING,
            health=machine_pb2.ServiceHealth(unknown=True),
        ),
        ServiceState("etcd", "preparing", "", None),
    ),
    ("ConfigLoadErrorEvent", talos.ConfigLoadErrorEvent(error="a: b\n c"), ConfigurationFault("a: b c")),
    ("ConfigValidationErrorEvent", talos.ConfigValidationErrorEvent(error="e"), ConfigurationFault("e")),
    (
        "AddressEvent",
        talos.AddressEvent(hostname="cp-1", addresses=["10.0.0.11", "fe80::1"]),
        Addresses("cp-1", ("10.0.0.11", "fe80::1")),
    ),
    (
        "MachineStatusEvent",
        talos.MachineStatusEvent(
            stage=talos.MachineStatusEvent.SHUTTING_DOWN,
            status=STATUS(unmet_conditions=[STATUS.UnmetCondition(name="time", reason="not in sync")]),
        ),
        Stage("shutting down", is_ready=False, unmet=(UnmetCondition("time", "not in sync"),)),
    ),
    ("RestartEvent", talos.RestartEvent(cmd=0x45584543), Restart("kexec")),
    ("RestartEvent", talos.RestartEvent(cmd=-1), Restart("-1")),
    ("NewerEvent", b"\x0a\x01a", Unknown("machine.NewerEvent")),
    ("PhaseEvent", b"\xff\xff", Unknown("machine.PhaseEvent")),
]


@pytest.mark.parametrize(("name", "message", "body"), TOLD)
async def test_each_event_is_passed_on_with_its_sender(
    name: str, message: Message | bytes, body: Body
) -> None:
    async with receiving() as got, publisher(got.event_port) as sink:
        assert await sink.Publish(event(name, message, "d2abc")) == OK
        assert got.events == [(IPv4Address(HERE), Event("d2abc", "", body))]


async def test_the_order_of_events_is_kept() -> None:
    async with receiving() as got, publisher(got.event_port) as sink:
        for number in range(50):
            await sink.Publish(event("PhaseEvent", talos.PhaseEvent(phase=str(number)), f"id{number}"))
        assert got.bodies == [Phase(str(number), begins=True) for number in range(50)]


async def test_what_is_sent_again_after_a_reconnect_is_left_out_and_still_answered() -> None:
    async with receiving() as got:
        for upto in (3, 5):
            async with publisher(got.event_port) as sink:
                for number in range(upto):
                    sent = event("TaskEvent", talos.TaskEvent(task=str(number)), f"id{number}")
                    assert await sink.Publish(sent) == OK
        assert got.bodies == [Task(str(number), begins=True) for number in range(5)]


def test_what_is_remembered_is_bounded() -> None:
    got: list[Event] = []
    replays = Replays(lambda _, one: got.append(one))
    first = IPv4Address("10.0.0.1")
    for number in range(MOST_EVENTS + 1):
        replays.take(first, Event(f"id{number}", "", Unknown("")))
    replays.take(first, Event("id1", "", Unknown("")))  # remembered
    replays.take(IPv4Address("10.0.0.2"), Event("id1", "", Unknown("")))  # another machine's
    replays.take(first, Event("", "", Unknown("")))
    replays.take(first, Event("", "", Unknown("")))  # events without an id are all different
    assert len(got) == MOST_EVENTS + 4
    for number in range(1, MOST_MACHINES + 1):
        replays.take(first + number, Event("other", "", Unknown("")))
    replays.take(first, Event("id1", "", Unknown("")))  # forgotten, and so new
    assert len(replays._seen) == MOST_MACHINES
    assert got[-1].id == "id1"


@pytest.mark.parametrize(
    "sent",
    [
        EventRequest(),
        event("PhaseEvent", b"x" * (LARGEST_EVENT + 1)),
        event("ConfigLoadErrorEvent", talos.ConfigLoadErrorEvent(error="x" * (LARGEST_EVENT - 100))),
    ],
    ids=["empty", "too large", "nearly too large"],
)
async def test_everything_is_answered_with_ok(sent: EventRequest) -> None:
    async with receiving() as got, publisher(got.event_port) as sink:
        assert await sink.Publish(sent) == OK
        assert await sink.Publish(event("PhaseEvent", talos.PhaseEvent(phase="next"))) == OK
        assert got.bodies[-1] == Phase("next", begins=True)


async def test_a_fault_of_ours_is_answered_with_ok_as_well() -> None:
    def fail(*_: object) -> None:
        raise ValueError

    async with receiving(fail) as got, publisher(got.event_port) as sink:
        with capture_logs() as log:
            assert await sink.Publish(event("PhaseEvent", talos.PhaseEvent())) == OK
    assert [line["event"] for line in log] == ["talos.failed"]


async def test_bytes_that_are_no_message_are_answered_with_ok() -> None:
    async with receiving() as got, Channel(HERE, got.event_port) as channel:
        method = EventSinkServiceStub(channel).Publish
        method.request_type = talos.PhaseEvent  # type: ignore[assignment]
        assert await method(talos.PhaseEvent(phase="\x08")) == OK  # type: ignore[arg-type]


@given(
    st.binary(max_size=200),
    st.text(max_size=100),
    st.text(max_size=100),
    st.sampled_from([name for name, _, _ in TOLD]),
)
def test_every_event_is_read(value: bytes, identifier: str, actor: str, name: str) -> None:
    request = event(name, value, identifier)
    request.actor_id = actor
    read = read_event(request)
    assert all(text.isprintable() for text in (read.id, read.actor))


def _noise(seed: int) -> bytes:
    """Return what begins like HTTP/2, or does not, and goes on by chance."""
    chance = random.Random(seed)
    frames = b"".join(
        chance.randrange(60).to_bytes(3)
        + bytes([chance.randrange(12), chance.randrange(256)])
        + chance.randrange(6).to_bytes(4)
        + chance.randbytes(chance.randrange(60))
        for _ in range(chance.randrange(8))
    )
    return (
        chance.choice([b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")])
        + frames
    )


async def _send(port: int, data: bytes) -> None:
    reader, writer = await asyncio.open_connection(HERE, port)
    try:
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


async def test_random_bytes_do_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    async with receiving() as got:
        for seed in range(0, 500, 4):
            await asyncio.gather(*(_send(got.event_port, _noise(seed + more)) for more in range(4)))
        async with publisher(got.event_port) as sink:
            assert await sink.Publish(event("PhaseEvent", talos.PhaseEvent(phase="after"))) == OK
        assert got.bodies[-1] == Phase("after", begins=True)
    assert caplog.records == []  # what clients provoke is in our own, rate-limited lines


async def test_a_thousand_connections_leave_room_for_a_machine() -> None:
    async with receiving() as got:
        held = [await asyncio.open_connection(HERE, got.event_port) for _ in range(1000)]
        try:
            async with publisher(got.event_port) as sink:
                assert await sink.Publish(event("PhaseEvent", talos.PhaseEvent())) == OK
            assert got.server
            assert len(got.server._event_pool) <= MOST_OF_CLIENT
        finally:
            for _, writer in held:
                writer.transport.abort()
        server = got.server
        await until(lambda: len(server._event_pool) == 0)


async def test_a_client_that_opens_too_many_calls_loses_its_connection() -> None:
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    path = "/events.EventSinkService/Publish"
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "sink"),
        (":path", path),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ]
    for _ in range(MOST_STREAMS + 1):
        client.send_headers(client.get_next_available_stream_id(), headers)
    async with receiving() as got:
        reader, writer = await asyncio.open_connection(HERE, got.event_port)
        writer.write(client.data_to_send())
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()


async def test_events_are_answered_at_once() -> None:
    async with receiving() as got, publisher(got.event_port) as sink:
        begin = time.monotonic()
        for number in range(20):
            await sink.Publish(event("PhaseEvent", talos.PhaseEvent(), f"id{number}"))
        assert time.monotonic() - begin < 20 * 0.04, "each waits for a delayed acknowledgement"


async def test_the_port_is_free_after_the_end() -> None:
    async with receiving() as got, publisher(got.event_port) as sink:
        await sink.Publish(event("PhaseEvent", talos.PhaseEvent()))
        port = got.event_port
        assert got.server
        got.server.close()
        with socket.create_server((HERE, port)):
            pass


async def test_a_port_that_is_taken_is_named_with_the_setting() -> None:
    async with receiving() as got:
        settings = Settings(talos=TalosSettings(event_port=got.event_port, kernel_log_port=got.log_port))
        second = TalosServer(settings, lambda *_: None, lambda *_: None, lambda *_: None, lambda _: None)
        first, other = await second.serve([read_interface("lo")])
        assert f"TCP {HERE}:{got.event_port} cannot be bound" in str(first)
        assert "[talos] event_port" in str(first)
        assert "[talos] kernel_log_port" in str(other)
