"""Every kind boots over a link that loses, delays, reorders and duplicates, and nothing is sent too often."""

import pytest
from support.bad_link import worsen
from support.rates_of_machines import faults_of_machines
from support.rates_of_server import faults_of_server
from support.simulated import reports_of, start_simulated
from support.simulated_site import PCS, simulated_site

from iluvatar_pxe.lab.watch.capture import Capture
from iluvatar_pxe.simulate.machine import Kind


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize("delay", [0.1, pytest.param(0.2, marks=pytest.mark.long)])
def test_every_kind_boots_over_a_bad_link_and_nothing_is_sent_too_often(delay: float) -> None:
    with simulated_site() as site:
        worsen(site.namespace, PCS, loss=0.1, delay=delay, duplicates=0.05, seed=4)
        machines, server = Capture(site.network, "machines", PCS), Capture(site.network, "server")
        reports = reports_of(start_simulated(site.namespace, PCS, *Kind))
        from_machines, from_server = machines.stop(), server.stop()
    assert {report["kind"]: report["reason"] for report in reports} == dict.fromkeys(Kind, "")
    assert (
        faults_of_machines(from_machines, {report["mac"]: Kind(report["kind"]) for report in reports}) == []
    )
    assert faults_of_server(from_server) == []
