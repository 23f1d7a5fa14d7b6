# SPDX-License-Identifier: MIT
"""Late, foreign, echoed, truncated and noisy answers: none of them may ever become a value.

Every register counts its own answers from its own number, so a value that came from another request, another
unit or a broken frame is seen at once: it is out of its range, or was never said, or comes twice.
"""
import pytest

import judge
from buses import counter_values, line_keys, rtu_bus, tcp_bus
from inifile import ini
from waiting import pass_time, until

# Units that are no neighbours: a foreign answer bears the number of a unit that nobody asks.
UNITS = {unit: [f"holding 0..1 u32 counter {unit}000000 1", f"holding 500..501 u32 counter {unit}500000 1",
                f"input 0..1 u32 counter {unit}800000 1"] for unit in (1, 20, 40)}
POINTS = {"a": (3, 0, 0), "b": (3, 500, 500000), "c": (4, 0, 800000)}


def body(interval="100ms"):
    rows = "".join(f"d{unit} = rs485 {unit} - interval={interval}\n" for unit in UNITS)
    points = "".join(f"[points d{unit}]\na = holding 0 u32\nb = holding 500 u32\nc = input 0 u32\n" for unit in UNITS)
    return "[devices]\n" + rows + points


def check(recorder, bus):
    """Every value that arrived was said by that register, in that order, at most once."""
    total = 0
    for unit in UNITS:
        for point, (function, address, offset) in POINTS.items():
            low = unit * 1000000 + offset
            arrived = [r.value for r in recorder.readings(f"d{unit}", point)]
            assert all(low <= value < low + 100000 for value in arrived), (unit, point, arrived)
            assert arrived == sorted(set(arrived)), f"d{unit}.{point} twice or out of order: {arrived}"
            judge.missing_of(counter_values(bus, "rs485", unit, function, address), arrived)
            total += len(arrived)
    judge.assert_each_once_in_order(recorder.messages())
    return total


FAULTS = {
    "late": ["late rs485 {unit} 90ms 0.3"],
    "very-late": ["late rs485 {unit} 350ms 0.2"],
    "foreign": ["foreign rs485 {unit} 0.3"],
    "truncated": ["truncate rs485 {unit} 0.3"],
    "noise": ["noise rs485 {unit} 0.4"],
    "flipped": ["noise rs485 {unit} 0.15 flip"],
    "pauses": ["gap rs485 {unit} 15ms 0.3"],
    "lost": ["drop rs485 {unit} 0.2"],
    "busy": ["busy rs485 {unit} 0.2"],
    "all": ["late rs485 {unit} 90ms 0.1", "foreign rs485 {unit} 0.1", "truncate rs485 {unit} 0.1",
            "noise rs485 {unit} 0.1", "drop rs485 {unit} 0.1"],
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_answer_never_becomes_a_value(fault, broker, recorder, sim, start, store):
    bus = sim(rtu_bus("rs485", UNITS, baud=57600))
    keys = line_keys(bus, "rs485", 57600, "timeout = 200ms\n")
    gateway = start(ini(broker.url, store, "[line rs485]\n" + keys + body()))
    until(lambda: len(recorder.readings()) > 20, 20, "readings before the fault")
    for unit in UNITS:
        for command in FAULTS[fault]:
            bus.cmd(command.format(unit=unit))
    before = len(recorder.readings())
    pass_time(6)
    assert len(recorder.readings()) - before > 30, "hardly anything arrives under this fault"
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    check(recorder, bus)


@pytest.mark.sanitizer
def test_an_echo_is_not_an_answer(broker, recorder, sim, start, store):
    """Two-wire adapters give back what is sent."""
    bus = sim(rtu_bus("rs485", UNITS, baud=57600, extra="echo = yes"))
    gateway = start(ini(broker.url, store, "[line rs485]\n" + line_keys(bus, "rs485", 57600) + body()))
    until(lambda: len(recorder.readings()) > 200, 30, "readings over an echoing line")
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    assert check(recorder, bus) > 200


@pytest.mark.parametrize("fault", ["late rs485 {unit} 300ms 0.2", "wrongid rs485 {unit} 0.3", "drop rs485 {unit} 0.1"])
def test_a_faulty_answer_over_tcp_never_becomes_a_value(fault, broker, recorder, sim, start, store):
    bus = sim(tcp_bus("rs485", UNITS))
    gateway = start(ini(broker.url, store, f"[line rs485]\ndriver = modbus-tcp\nhost = 127.0.0.1:{bus.port('rs485')}\n"
                        "timeout = 150ms\n" + body()))
    until(lambda: len(recorder.readings()) > 20, 20, "readings before the fault")
    for unit in UNITS:
        bus.cmd(fault.format(unit=unit))
    before = len(recorder.readings())
    pass_time(5)
    assert len(recorder.readings()) - before > 20
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    check(recorder, bus)
