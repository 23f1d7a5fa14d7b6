# SPDX-License-Identifier: MIT
"""kill -9 at random moments under load at QoS 2: no committed reading is lost, and none comes twice.

What an answer may suffer: taken from the bus less than a commit interval and a cycle before a kill, it may be
missing. Those are counted apart, by the simulator's own log, and each must lie that close to a kill.
"""
import os
import random
import time

import pytest

import judge
from buses import answers, tcp_bus
from inifile import ini
from waiting import SLOW, pass_time

UNITS = {unit: [f"holding 0..1 u32 counter {unit}000000 1"] for unit in (1, 2, 3, 4)}
INTERVAL_S, COMMIT_S = 0.025, 0.1
SLACK_S = 0.15 * SLOW  # a sync to disk, and the scheduler of a busy machine


def body(bus):
    rows = "".join(f"d{unit} = net {unit} - interval={round(INTERVAL_S * 1000)}ms\n" for unit in UNITS)
    points = "".join(f"[points d{unit}]\ncount = holding 0 u32\n" for unit in UNITS)
    return f"[line net]\ndriver = modbus-tcp\nhost = 127.0.0.1:{bus.port('net')}\n[devices]\n{rows}{points}"


def kill_often(times, broker, recorder, bus, start, store):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    gateway = start(ini(broker.url, store, body(bus), keep={"commit_interval": f"{int(COMMIT_S * 1000)}ms"},
                        mqtt={"backoff_min": "50ms"}))
    recorder.wait_count("data", 20, 30)
    kills = []
    for number in range(times):
        mark = recorder.mark()
        if number % 4:  # every fourth one hits the start
            recorder.wait_count("data", dice.randrange(1, 15), 30, since=mark)
        pass_time(dice.random() * 0.3)
        kills.append(time.monotonic())
        gateway.kill()
        gateway.start()
    mark = recorder.mark()
    recorder.wait_status("online", 30, since=mark)
    recorder.wait_count("data", 30, 30, since=mark)
    assert gateway.stop(30) == 0
    recorder.wait_status("offline", 30, since=mark, reason="stopped")
    return kills


def check(recorder, bus, kills):
    batches = judge.assert_each_once_in_order(recorder.messages())
    missing_total = said_total = 0
    for unit in UNITS:
        # What came while the session was being torn down may have been heard or not.
        said = [a for a in answers(bus, "net", unit, 3) if a.good or a.outcome == "unheard"]
        missing = judge.missing_of([a.counter for a in said], [r.value for r in recorder.readings(f"d{unit}")])
        for position in missing:
            if position == len(said) - 1 or not said[position].good:
                continue  # on the wire when the session was closed
            late = [kill - said[position].end for kill in kills if kill >= said[position].end - SLACK_S]
            assert late and min(late) <= COMMIT_S + INTERVAL_S + SLACK_S, \
                f"unit {unit} lost answer {position} of {len(said)}, {min(late, default=-1):.3f} s before a kill"
        missing_total += len(missing)
        said_total += len(said)
    print(f"{len(kills)} kills, {batches} batches, {said_total} answers, {missing_total} not yet committed when killed")
    bound = len(kills) * len(UNITS) * ((COMMIT_S + SLACK_S) / INTERVAL_S + 2) + len(UNITS)
    assert missing_total <= bound


@pytest.mark.slow
def test_twenty_kills_at_random_under_load(broker, recorder, sim, start, store):
    bus = sim(tcp_bus("net", UNITS))
    check(recorder, bus, kill_often(20, broker, recorder, bus, start, store))


@pytest.mark.sanitizer
def test_three_kills(broker, recorder, sim, start, store):
    bus = sim(tcp_bus("net", UNITS))
    check(recorder, bus, kill_often(3, broker, recorder, bus, start, store))


@pytest.mark.soak
@pytest.mark.skipif(not os.environ.get("RAILHEAD_SOAK"), reason="takes half an hour: RAILHEAD_SOAK=1")
def test_a_thousand_kills(broker, recorder, sim, start, store):
    bus = sim(tcp_bus("net", UNITS))
    check(recorder, bus, kill_often(1000, broker, recorder, bus, start, store))


def test_kills_while_the_broker_is_away(broker, recorder, sim, start, store):
    """The backlog of several lives arrives in order when the broker is back."""
    bus = sim(tcp_bus("net", UNITS))
    broker.stop()
    gateway = start(ini(broker.url, store, body(bus), keep={"commit_interval": f"{int(COMMIT_S * 1000)}ms"}))
    kills = []
    for _ in range(5):
        pass_time(0.8)
        kills.append(time.monotonic())
        gateway.kill()
        gateway.start()
    broker.start()
    recorder.wait_status("online", 30)
    recorder.wait_count("data", 30, 30)
    assert gateway.stop(30) == 0
    recorder.wait_status("offline", 30, reason="stopped")
    check(recorder, bus, kills)
