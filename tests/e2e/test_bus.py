# SPDX-License-Identifier: MIT
"""A simulated RS-485 bus, a gateway and a broker: what the devices said is what arrives, and nothing else."""
import json
import time

import pytest

import judge
from buses import answers, counter_values, line_keys, rtu_bus
from inifile import ini
from waiting import pass_time, until

# Each unit counts its answers, from a number that tells it from the others.
UNITS = {
    1: ["input 0..1 u32 counter 1000000 1", "input 2..3 f32 const 230.1"],
    2: ["holding 10..11 u32 CDAB counter 2000000 1"],
    7: ["holding 0..1 u32 counter 7000000 1", "coil 3 const 1"],
}
DEVICES = """
[devices]
meter  = rs485 1 - interval=100ms
valve  = rs485 2 - interval=150ms
relay  = rs485 7 - interval=200ms
[points meter]
count   = input 0 u32
voltage = input 2 f32 unit=V
[points valve]
count   = holding 10 u32 CDAB
[points relay]
count   = holding 0 u32
on      = coil 3
"""
NAMES = {"meter": (1, 4, "ABCD"), "valve": (2, 3, "CDAB"), "relay": (7, 3, "ABCD")}


@pytest.mark.sanitizer
def test_three_devices_every_answer_arrives_once_in_order(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("rs485", UNITS, baud=38400))
    gateway = start(ini(broker.url, store, "[line rs485]\n" + line_keys(bus, "rs485", 38400) + DEVICES))
    recorder.wait_status("online")
    for name in NAMES:
        until(lambda n=name: len(recorder.readings(n, "count")) >= 30, 30, f"30 readings of {name}")
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    judge.assert_each_once_in_order(recorder.messages())
    for name, (unit, function, order) in NAMES.items():
        said = counter_values(bus, "rs485", unit, function, order=order)
        arrived = [r.value for r in recorder.readings(name, "count")]
        missing = judge.missing_of(said, arrived)
        # The last answer may still have been on the wire when the gateway closed the port.
        assert missing in ([], [len(said) - 1]), f"{name}: {missing} of {len(said)}"
        state = [m.payload.decode() for m in recorder.messages(topic="state") if m.topic.endswith(name)]
        assert state[0] == "online"
    assert {r.value for r in recorder.readings("meter", "voltage")} == {230.1}
    assert {r.value for r in recorder.readings("relay", "on")} == {True}


def test_readings_carry_the_time_of_their_transaction(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("rs485", UNITS, baud=9600))
    start(ini(broker.url, store, "[line rs485]\n" + line_keys(bus, "rs485", 9600) + DEVICES))
    until(lambda: len(recorder.readings("valve", "count")) >= 10, 20, "readings")
    offset = time.time() - time.monotonic()
    middles = {a.u32("CDAB"): (a.start + a.end) / 2 + offset for a in answers(bus, "rs485", 2, 3) if a.good}
    for reading in recorder.readings("valve", "count"):
        assert abs(reading.t / 1000 - middles[reading.value]) < 0.02


def test_the_silence_before_each_request_is_kept(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("rs485", UNITS, baud=9600))
    body = DEVICES.replace("interval=100ms", "interval=fastest")
    start(ini(broker.url, store, "[line rs485]\n" + line_keys(bus, "rs485", 9600) + body))
    until(lambda: len(answers(bus, "rs485", 1, 4)) >= 60, 30, "polls")
    found = [a.gap for a in answers(bus, "rs485") if a.gap is not None]
    assert min(found) >= 3.5 * 10 / 9600 - 1e-6, f"{min(found) * 1000:.3f} ms"


@pytest.mark.sanitizer
def test_a_dead_device_is_backed_off_and_the_others_keep_their_rate(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("rs485", UNITS, baud=19200))
    gateway = start(ini(broker.url, store, "[line rs485]\n" + line_keys(bus, "rs485", 19200, "timeout = 500ms\n")
                        + DEVICES))
    for name in NAMES:
        recorder.wait_reading(name, "count", 20)
    pass_time(1)

    def rates(seconds):
        before = {unit: len(answers(bus, "rs485", unit)) for unit in (1, 7)}
        pass_time(seconds)
        return {unit: (len(answers(bus, "rs485", unit)) - before[unit]) / seconds for unit in (1, 7)}

    alive = rates(5)
    bus.cmd("dead rs485 2 on")
    recorder.wait(lambda m: m.topic.endswith("/state/valve") and m.payload == b"offline", 20, "valve offline")
    dead = rates(8)
    for unit, rate in alive.items():
        assert dead[unit] >= 0.9 * rate, f"unit {unit}: {rate:.1f}/s, with a dead neighbour {dead[unit]:.1f}/s"
    mark = recorder.mark()
    bus.cmd("dead rs485 2 off")
    recorder.wait_reading("valve", "count", 15, since=mark)
    recorder.wait(lambda m: m.topic.endswith("/state/valve") and m.payload == b"online", 5, since=mark)
    gateway.wait_log("valve.*no answer|no answer.*valve|valve.*offline", 1)
    assert len([line for line in gateway.lines() if "valve" in line]) <= 4, "one line per change, not per poll"


def test_a_hole_in_the_registers_disturbs_no_neighbour(broker, recorder, sim, start, store):
    units = {1: ["holding 0..19 ramp 100 1", "hole holding 7", "hole holding 12"]}
    rows = "\n".join(f"p{i} = holding {i} u16" for i in range(20))
    bus = sim(rtu_bus("rs485", units, baud=38400))
    start(ini(broker.url, store, "[line rs485]\n" + line_keys(bus, "rs485", 38400)
              + f"[devices]\nd = rs485 1 - interval=200ms\n[points d]\n{rows}\n"))
    for i in set(range(20)) - {7, 12}:
        assert recorder.wait_reading("d", f"p{i}", 20).value == 100 + i
    until(lambda: '"p7":"unsupported"' in joined(recorder) and '"p12":"unsupported"' in joined(recorder), 10,
          "both holes to be called unsupported")
    assert not recorder.readings("d", "p7") and not recorder.readings("d", "p12")
    before = sum(not a.good for a in answers(bus, "rs485", 1))
    pass_time(2)
    assert sum(not a.good for a in answers(bus, "rs485", 1)) - before <= 2, "it goes on asking for what is refused"


def joined(recorder):
    return "".join(m.payload.decode() for m in recorder.messages(topic="data"))


def test_meta_says_what_a_device_is(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("rs485", UNITS, baud=38400))
    start(ini(broker.url, store, "[line rs485]\n" + line_keys(bus, "rs485", 38400) + DEVICES))
    meta = json.loads(recorder.wait(lambda m: m.topic.endswith("/meta/meter"), 15).payload)
    assert meta["line"] == "rs485" and meta["address"] == 1
    assert meta["points"]["voltage"] == {"type": "f32", "unit": "V", "period_ms": 100}
