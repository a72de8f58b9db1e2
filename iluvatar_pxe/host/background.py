"""A thread for work that must not slow down what machines wait for."""

import ctypes
import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

_IOPRIO_SET = {"x86_64": 251, "aarch64": 30} if sys.maxsize > 2**32 else {}
"""The number of the system call ioprio_set(2), which the C library has no function for, in 64-bit programs."""
_THIS_THREAD, _BEST_EFFORT, _LOWEST = 1, 2, 7
"""``IOPRIO_WHO_PROCESS`` with 0 is the calling thread; ``idle`` would never have its turn on a busy SD card."""
_NICE = 10


def background_thread(name: str) -> ThreadPoolExecutor:
    """Return one thread, whose work is done in the order of its calls, at a low priority of processor and disk."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=name, initializer=lower_priority)


def lower_priority() -> None:
    """Give the calling thread the lowest priority that still has its turn."""
    with suppress(PermissionError):  # a container may forbid it
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    if number := _IOPRIO_SET.get(platform.machine()):
        ctypes.CDLL(None).syscall(number, _THIS_THREAD, 0, _BEST_EFFORT << 13 | _LOWEST)
