"""The signal that something changed, against a plain flag for each subscription."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from iluvatar_pxe.changed import Changed, Subscription

SIGNALS = {"one": ("first",), "other": ("second",), "both": ("first", "second")}
"""By subscription the signals that it waits for."""
TELLS = st.tuples(st.just("tell"), st.sampled_from(["first", "second"]))
LOOKS = st.tuples(st.just("look"), st.sampled_from(sorted(SIGNALS)))


async def wakes(subscription: Subscription) -> bool:
    """Say whether a wait is over at once; gives it up if not."""
    waiting = asyncio.create_task(subscription.wait())
    await asyncio.sleep(0)
    if waiting.done():
        return True
    waiting.cancel()
    await asyncio.wait([waiting])
    return False


@given(st.lists(st.one_of(TELLS, LOOKS)))
def test_any_number_of_tells_wake_each_subscription_once(steps: list[tuple[str, str]]) -> None:
    async def compare() -> None:
        signals = {"first": Changed(), "second": Changed()}
        with (
            Subscription(*(signals[name] for name in SIGNALS["one"])) as one,
            Subscription(*(signals[name] for name in SIGNALS["other"])) as other,
            Subscription(*(signals[name] for name in SIGNALS["both"])) as both,
        ):
            subscriptions = {"one": one, "other": other, "both": both}
            unread = set(SIGNALS)  # nobody has looked yet
            for step, name in steps:
                if step == "tell":
                    signals[name].tell()
                    unread |= {who for who, names in SIGNALS.items() if name in names}
                else:
                    assert await wakes(subscriptions[name]) == (name in unread)
                    unread.discard(name)

    asyncio.run(compare())


async def test_a_tell_wakes_who_waits() -> None:
    changed = Changed()
    with Subscription(changed) as subscription:
        await subscription.wait()
        waiting = asyncio.create_task(subscription.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        changed.tell()
        changed.tell()
        await waiting
        assert not await wakes(subscription)


async def test_a_tell_during_the_look_wakes_again() -> None:
    changed = Changed()
    value, seen = 1, []
    with Subscription(changed) as subscription:
        await subscription.wait()
        seen.append(value)
        value = 2
        changed.tell()
        await subscription.wait()
        seen.append(value)
    assert seen == [1, 2]


async def test_a_wait_that_is_given_up_loses_nothing() -> None:
    changed = Changed()
    with Subscription(changed) as subscription:
        await subscription.wait()
        waiting = asyncio.create_task(subscription.wait())
        await asyncio.sleep(0)
        changed.tell()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert await wakes(subscription)


def test_telling_needs_no_event_loop() -> None:
    changed = Changed()
    with Subscription(changed):
        changed.tell()


def test_who_has_left_is_forgotten() -> None:
    changed = Changed()
    with Subscription(changed):
        assert len(changed.subscribers) == 1
    assert not changed.subscribers
