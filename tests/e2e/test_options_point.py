# SPDX-License-Identifier: MIT
"""Options of points: each is changed, and the difference seen in payloads, topics and times."""
import json
import time

import pytest

from inifile import ini
from options import option
from plc import Plc
from recorder import qualities_of
from slave import TcpSlave
from waiting import pass_time, until


@pytest.fixture
def plc():
    with Plc(250) as one:
        yield one


@pytest.fixture
def point(broker, recorder, plc, start, store):
    """point("unit=V") runs a gateway whose one point `level` (250 at first) has these options."""
    def run(options, **keys):
        gateway = start(ini(broker.url, store, plc.body(point=options), **keys))
        recorder.wait_status("online")
        return gateway

    return run


def polls(plc, count):
    seen = len(plc.requests)
    until(lambda: len(plc.requests) >= seen + count, 10, f"{count} polls")


def level(recorder, value, seconds=10):
    return recorder.wait_reading("press", "level", seconds, value=value)


def meta(recorder):
    return json.loads(recorder.wait(lambda m: m.topic.endswith("/meta/press"), 10).payload)["points"]["level"]


@option("points", "unit", "kind")
def test_unit_and_kind_are_in_meta(point, recorder):
    point("unit=°C kind=counter")
    found = meta(recorder)
    assert found["unit"] == "°C" and found["kind"] == "counter" and found["type"] == "u16"


@option("points", "scale", "offset")
def test_scale_and_offset(point, recorder):
    point("scale=0.1 offset=-40")
    assert repr(level(recorder, -15.0).value) == "-15.0"


@option("points", "every")
def test_every_overrides_the_interval(point, recorder, plc):
    point("every=400ms")
    level(recorder, 250)
    assert meta(recorder)["period_ms"] == 400
    before = len(plc.requests)
    pass_time(2)
    assert 4 <= len(plc.requests) - before <= 6


@option("points", "urgent")
def test_urgent_points_do_not_wait_for_the_commit_interval(point, recorder, plc):
    point("urgent report=change", keep={"commit_interval": "10s"})
    level(recorder, 250, 3)
    before = time.monotonic()
    plc.set_level(251)
    assert level(recorder, 251, 3).at - before < 0.5


@option("points", "report")
def test_report_change_says_nothing_twice(point, recorder, plc):
    point("report=change")
    level(recorder, 250)
    polls(plc, 20)
    plc.set_level(251)
    level(recorder, 251)
    plc.set_level(250)
    until(lambda: len(recorder.readings()) >= 3, 5, "the third reading")
    assert [r.value for r in recorder.readings()] == [250, 251, 250]


def test_report_all_says_every_poll(point, recorder, plc):
    point("report=all")
    level(recorder, 250)
    until(lambda: len(recorder.readings()) >= 20, 10, "20 equal readings")


@option("points", "deadband")
def test_the_deadband(point, recorder, plc):
    point("deadband=5")
    level(recorder, 250)
    for value in (253, 248, 254):
        plc.set_level(value)
        polls(plc, 3)
    plc.set_level(257)
    level(recorder, 257)
    assert [r.value for r in recorder.readings()] == [250, 257]


@option("points", "heartbeat")
def test_the_heartbeat(point, recorder, plc):
    point("report=change heartbeat=500ms")
    first = level(recorder, 250)
    until(lambda: len(recorder.readings()) >= 5, 10, "heartbeats")
    times = [r.t for r in recorder.readings()]
    assert all(400 <= b - a <= 700 for a, b in zip(times, times[1:])), times
    assert first.t == times[0]


@option("points", "min", "max")
def test_values_outside_their_limits_are_invalid(point, recorder, plc):
    point("min=200 max=300")
    level(recorder, 250)
    plc.set_level(301)
    recorder.wait(lambda m: ("press", "level", "invalid") in qualities_of([m]), 10)
    plc.set_level(300)
    level(recorder, 300)
    mark = recorder.mark()
    plc.set_level(199)
    recorder.wait(lambda m: ("press", "level", "invalid") in qualities_of([m]), 10, since=mark)
    plc.set_level(200)
    level(recorder, 200)
    assert {r.value for r in recorder.readings()} == {250, 300, 200}
    assert meta(recorder)["min"] == 200 and meta(recorder)["max"] == 300


@option("points", "enum")
def test_labels(point, recorder, plc):
    point("enum=250:idle,251:busy")
    level(recorder, "idle")
    plc.set_level(251)
    level(recorder, "busy")
    plc.set_level(9)
    level(recorder, 9)
    assert meta(recorder)["enum"]


@option("points", "qos")
@pytest.mark.parametrize("qos", [0, 1])
def test_the_quality_of_service_of_a_point(qos, point, recorder):
    point(f"qos={qos}")
    assert recorder.wait(lambda m: "/data/" in m.topic, 10).qos == qos


@option("points", "bits")
def test_bits_of_a_register(point, recorder):
    point("bits=1:7")
    level(recorder, 250 >> 1 & 127)


@option("points", "invalid")
def test_what_a_device_says_for_no_value(point, recorder, plc):
    point("invalid=250")
    recorder.wait(lambda m: ("press", "level", "na") in qualities_of([m]), 10)
    plc.set_level(251)
    level(recorder, 251)
    assert {r.value for r in recorder.readings()} == {251}


@option("points", "len")
@pytest.mark.parametrize("length, text", [(1, "ab"), (3, "abcdef")])
def test_the_length_of_a_text(length, text, broker, recorder, start, store):
    with TcpSlave({1: {"holding": {0: 0x6162, 1: 0x6364, 2: 0x6566, 3: 0x6768}}}) as slave:
        start(ini(broker.url, store, f"[line l]\ndriver = modbus-tcp\nhost = {slave.host}\n[devices]\n"
                  f"d = l 1 - interval=50ms\n[points d]\nname = holding 0 str len={length}\n"))
        recorder.wait_reading("d", "name", value=text)


@option("points", "scale_reg")
def test_a_register_that_scales_another(broker, recorder, start, store):
    with TcpSlave({1: {"holding": {0: 2315, 5: 0xFFFE}}}) as slave:
        start(ini(broker.url, store, f"[line l]\ndriver = modbus-tcp\nhost = {slave.host}\n[devices]\n"
                  "d = l 1 - interval=50ms\n[points d]\np = holding 0 u16 scale_reg=5\n"))
        recorder.wait_reading("d", "p", value=23.15)
        slave.set(1, "holding", 5, [1])
        recorder.wait_reading("d", "p", value=23150)
