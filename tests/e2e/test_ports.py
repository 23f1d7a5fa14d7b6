# SPDX-License-Identifier: MIT
"""Ports that vanish, are missing, taken, or impossible; and lines that must not feel it."""
import fcntl
import os
import time

import pytest

import judge
from buses import answers, counter_values, line_keys, rtu_bus
from daemon import railhead
from inifile import ini
from recorder import readings_of
from waiting import pass_time, until

UNITS = {1: ["holding 0..1 u32 counter 1000000 1"]}


def one_line(name, keys, interval="50ms"):
    return (f"[line {name}]\n{keys}[devices]\ndev-{name} = {name} 1 - interval={interval}\n"
            f"[points dev-{name}]\ncount = holding 0 u32\n")


@pytest.mark.sanitizer
def test_an_adapter_pulled_out_and_plugged_in_again(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("a", UNITS, baud=38400))
    gateway = start(ini(broker.url, store, one_line("a", line_keys(bus, "a", 38400))))
    recorder.wait_reading("dev-a", "count")
    for away in (0.3, 3.0):
        bus.cmd("unplug a")
        gateway.wait_log(r"\ba\b.*(gone|lost|not there|vanished|closed|No such|Input/output)", 10)
        pass_time(away)
        mark = recorder.mark()
        bus.cmd("plug a")
        back = time.monotonic()
        reading = recorder.wait_reading("dev-a", "count", 5, since=mark)
        took = reading.at - back
        assert took <= 1.0 + 0.2, f"data {took:.2f} s after the port was back (commit interval included)"
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    judge.assert_each_once_in_order(recorder.messages())
    judge.missing_of(counter_values(bus, "a", 1, 3), [r.value for r in recorder.readings("dev-a", "count")])


def test_a_port_that_is_missing_at_the_start_and_appears(tmp_path, broker, recorder, sim, start, store):
    bus = sim(rtu_bus("a", UNITS, baud=38400))
    port = tmp_path / "tty-later"
    keys = f"port = {port}\nbaud = 38400\nmode = 8N1\n"
    gateway = start(ini(broker.url, store, one_line("a", keys)))
    recorder.wait_status("online")
    line = gateway.wait_log(str(port), 10)
    assert "no port" in line or "No such file" in line
    pass_time(2)
    assert len([line for line in gateway.lines() if str(port) in line]) <= 2, "a missing port is said once"
    port.symlink_to(os.path.realpath(bus.link("a")))
    recorder.wait_reading("dev-a", "count", 5)


def test_one_dead_port_disturbs_no_other_line(tmp_path, broker, recorder, sim, start, store):
    bus = sim(rtu_bus("a", UNITS, baud=38400))
    text = one_line("a", line_keys(bus, "a", 38400)) + one_line("b", f"port = {tmp_path}/none\nbaud = 9600\n")
    start(ini(broker.url, store, text))
    recorder.wait_reading("dev-a", "count")
    before = len(answers(bus, "a", 1))
    pass_time(4)
    assert len(answers(bus, "a", 1)) - before >= 0.9 * 4 / 0.05
    state = recorder.messages(topic="state")
    assert {m.topic.rpartition("/")[2]: m.payload for m in state}.get("dev-b") != b"online"


def test_a_port_that_somebody_else_holds(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("a", UNITS, baud=38400))
    holder = os.open(os.path.realpath(bus.link("a")), os.O_RDWR | os.O_NOCTTY)
    try:
        fcntl.flock(holder, fcntl.LOCK_EX)
        gateway = start(ini(broker.url, store, one_line("a", line_keys(bus, "a", 38400))))
        recorder.wait_status("online")
        gateway.wait_log(r"in use|busy|locked|holds|another", 10)
        assert not recorder.readings()
    finally:
        os.close(holder)
    recorder.wait_reading("dev-a", "count", 10)


def test_the_gateway_locks_its_port(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("a", UNITS, baud=38400))
    start(ini(broker.url, store, one_line("a", line_keys(bus, "a", 38400))))
    recorder.wait_reading("dev-a", "count")
    other = os.open(os.path.realpath(bus.link("a")), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(other)


def test_two_gateways_on_one_port(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("a", UNITS, baud=38400))
    text = one_line("a", line_keys(bus, "a", 38400))
    start(ini(broker.url, store, text))
    recorder.wait_reading("dev-a", "count")
    second = start(ini(broker.url, str(store) + "2", text, gateway={"name": "two"}), folder="two")
    second.wait_log(r"in use|busy|another|holds", 10)
    seen = len(recorder.readings())
    until(lambda: len(recorder.readings()) > seen + 20, 10, "the first gateway goes on")
    assert not [m for m in recorder.messages() if m.topic.startswith("railhead/two/data") and list(readings_of([m]))]


@pytest.mark.parametrize("baud", ["0", "17", "9600000000", "fast"])
def test_an_impossible_baud_rate_is_a_mistake_in_the_file(baud, tmp_path):
    file = tmp_path / "railhead.ini"
    file.write_text(ini("mqtt://127.0.0.1:1883", "/tmp/never.db", one_line("a", f"port = /dev/ttyS0\nbaud = {baud}\n")))
    result = railhead("check", "-c", file)
    assert result.returncode == 78
    assert baud in result.stderr and ":13:" in result.stderr or "baud" in result.stderr


def test_an_odd_baud_rate_is_set_for_real(broker, recorder, sim, start, store):
    """250000 is what libraries turn into 9600."""
    bus = sim(rtu_bus("a", UNITS, baud=250000))
    start(ini(broker.url, store, one_line("a", line_keys(bus, "a", 250000))))
    recorder.wait_reading("dev-a", "count")


def test_two_lines_on_one_port_are_a_mistake(tmp_path):
    file = tmp_path / "railhead.ini"
    file.write_text(ini("mqtt://127.0.0.1:1883", "/tmp/never.db",
                        one_line("a", "port = /dev/ttyS0\n") + one_line("b", "port = /dev/ttyS0\n")))
    result = railhead("check", "-c", file)
    assert result.returncode == 78 and "/dev/ttyS0" in result.stderr


def test_a_file_is_no_port(tmp_path, broker, recorder, start, store):
    plain = tmp_path / "not-a-port"
    plain.write_text("x")
    gateway = start(ini(broker.url, store, one_line("a", f"port = {plain}\nbaud = 9600\nmode = 8N1\n")))
    until(lambda: str(plain) in gateway.log(), 10, "a word about it")
    assert plain.read_text() == "x"
