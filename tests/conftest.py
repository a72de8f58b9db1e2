"""What holds for every test, and the tables of boots at the end of a run.

The tables are printed here, not in e2e: tests may run in workers, and the process that prints loads only this file.
"""

import ast
import faulthandler
import gc
import os
import signal
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from support.begun_early import begun_early

from bench.boot_times import REFERENCE, stage_table

LAST_STAGE = "config fetched"
ENDING_SECONDS = 120
"""A process of several that has not ended so long after its last test says where it stands, and is ended."""

os.environ.pop("INVOCATION_ID", None)  # whoever runs the tests may be a service; what they start is none
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # ignored in a shell's background, and by what starts from there

# Other workers need the processor, too: a slow example is no fault.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what is collected, now or later: that took a third of the time of collecting."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks the judge in Go is long: where nothing is built yet, that takes minutes of both processors."""
    for item in items:
        if {"judge", "judges"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.long)


@pytest.hookimpl(specname="pytest_collection_modifyitems", trylast=True)
def pytest_shared_among_processes(items: list[pytest.Item]) -> None:
    """Put the tests that are left into the order for as many processes as there are."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if processes > 1:
        items[:] = begun_early(items, processes)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):  # the run stood still for ever once, with every result in
        faulthandler.dump_traceback_later(ENDING_SECONDS, exit=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if lines := list(_untested_without_root(terminalreporter)):
        terminalreporter.section("not tested, for that needs root")
        for line in lines:
            terminalreporter.write_line(line)
    if lines := list(_recorded(terminalreporter, "disk_lines")):
        terminalreporter.section("chain local: seconds since switching on")
        for line in lines:
            terminalreporter.write_line(line)
    if rows := list(_recorded(terminalreporter, "boot_rows")):
        terminalreporter.section("boots: seconds since switching on, beside dnsmasq with iPXE of 2019")
        for row in rows:
            _write_boot(terminalreporter, *row)


def _untested_without_root(terminalreporter: pytest.TerminalReporter) -> Iterator[str]:
    """Yield a line for each file with tests that only root can run: what it promises, and how many they are."""
    skipped = [
        report.nodeid.partition("::")[0]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and "needs root" in report.longrepr[2]
    ]
    for file, count in sorted(Counter(skipped).items()):
        text = (terminalreporter.config.rootpath / file).read_text(encoding="utf-8")
        promise = (ast.get_docstring(ast.parse(text)) or file).partition("\n")[0]
        yield f"{promise} ({file}: {count})"


def _recorded(terminalreporter: pytest.TerminalReporter, name: str) -> Iterator[Any]:
    """Yield what tests have put into the list that they recorded as the property ``name``."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call":
                for key, found in report.user_properties:
                    if key == name:
                        yield from found


def _write_boot(
    terminalreporter: pytest.TerminalReporter, label: str, kind: str, times: dict[str, float]
) -> None:
    reference = REFERENCE[kind]
    for line in stage_table([(label, times), ("  reference", reference)]):
        terminalreporter.write_line(line)
    ratio = times[LAST_STAGE] / reference[LAST_STAGE]
    terminalreporter.write_line(f"  {LAST_STAGE}: {ratio:.2f} of the reference")
