# SPDX-License-Identifier: MIT
"""SIGHUP: a wrong file changes nothing, a right one changes what it changes and nothing else."""
import json

import pytest

import judge
from buses import answers, line_keys, rtu_bus
from inifile import ini
from waiting import until

UNITS = {1: ["holding 0..1 u32 counter 1000000 1", "holding 2..9 ramp"]}


def line(bus, name, interval="50ms", points=""):
    return (f"[line {name}]\n{line_keys(bus, name, 38400)}[devices]\ndev-{name} = {name} 1 - interval={interval}\n"
            f"[points dev-{name}]\ncount = holding 0 u32\n{points}\n")


@pytest.fixture
def buses(sim):
    return sim(rtu_bus("a", UNITS, baud=38400) + rtu_bus("b", UNITS, baud=38400))


def longest_pause(bus, name, since):
    """Between the answers of a line, from a moment on."""
    ends = [a.end for a in answers(bus, name, 1) if a.end >= since]
    return max(b - a for a, b in zip(ends, ends[1:]))


@pytest.mark.sanitizer
def test_a_bad_reload_leaves_the_old_configuration_running(broker, recorder, buses, start, store):
    gateway = start(ini(broker.url, store, line(buses, "a")))
    recorder.wait_reading("dev-a", "count")
    good = gateway.file.read_text()
    before = answers(buses, "a", 1)[-1].end
    gateway.configure(good.replace("interval=50ms", "interval=5O0ms") + "\n[line a]\nbuad = 9600\n")
    mark = gateway.mark()
    gateway.reload()
    gateway.wait_log(r"railhead\.ini:\d+:\d+: ", 10, since=mark)
    gateway.wait_log("buad", 1, since=mark)
    gateway.wait_log("5O0ms", 1, since=mark)
    seen = recorder.mark()
    recorder.wait_count("data", 5, 10, since=seen)
    assert gateway.running()
    assert longest_pause(buses, "a", before) < 0.2, "the old configuration was disturbed"
    gateway.configure(good.replace("interval=50ms", "interval=500ms"))
    gateway.reload()
    until(lambda: json.loads(recorder.messages(topic="meta")[-1].payload)["points"]["count"]["period_ms"] == 500, 10,
          "the right file after the wrong one")


@pytest.mark.sanitizer
def test_a_good_reload_restarts_only_what_changed(broker, recorder, buses, start, store):
    gateway = start(ini(broker.url, store, line(buses, "a") + line(buses, "b")))
    for name in ("dev-a", "dev-b"):
        recorder.wait_reading(name, "count")
    since = answers(buses, "a", 1)[-1].end
    mark, seen = recorder.mark(), gateway.mark()
    gateway.configure(ini(broker.url, store, line(buses, "a") + line(buses, "b", points="more = holding 2 u16")))
    gateway.reload()
    recorder.wait_reading("dev-b", "more", 10, since=mark)
    recorder.wait_count("data", 10, 10, since=recorder.mark())
    assert longest_pause(buses, "a", since) < 0.2, "the line that did not change was disturbed"
    assert not [m for m in recorder.messages(mark) if m.topic.endswith("/status")], "the session was disturbed"
    meta = [json.loads(m.payload) for m in recorder.messages(mark) if m.topic.endswith("/meta/dev-b")]
    assert "more" in meta[-1]["points"]
    gateway.wait_log("is in force", 2, since=seen)
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    judge.assert_each_once_in_order(recorder.messages())


def test_lines_come_and_go_by_reload(broker, recorder, buses, start, store):
    gateway = start(ini(broker.url, store, line(buses, "a")))
    recorder.wait_reading("dev-a", "count")
    gateway.configure(ini(broker.url, store, line(buses, "b")))
    gateway.reload()
    recorder.wait_reading("dev-b", "count", 10)
    quiet = len(answers(buses, "a", 1))
    recorder.wait_count("data", 10, 10, since=recorder.mark())
    assert len(answers(buses, "a", 1)) - quiet <= 1, "the line that is gone is still polled"
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    judge.assert_each_once_in_order(recorder.messages())


def test_a_reload_that_moves_to_another_root_takes_the_backlog_along(broker, recorder, buses, start, store):
    gateway = start(ini(broker.url, store, line(buses, "a")))
    recorder.wait_reading("dev-a", "count")
    gateway.configure(ini(broker.url, store, line(buses, "a"), mqtt={"root": "plant/{gateway}"}))
    gateway.reload()
    recorder.wait(lambda m: m.topic == "plant/gw/data/dev-a", 20)
    assert gateway.stop() == 0
    recorder.wait(lambda m: m.topic == "plant/gw/status" and b"stopped" in m.payload, 20)
    judge.assert_each_once_in_order(recorder.messages())


def test_many_reloads_in_a_row(broker, recorder, buses, start, store):
    gateway = start(ini(broker.url, store, line(buses, "a") + line(buses, "b")))
    recorder.wait_reading("dev-a", "count")
    for number in range(10):
        mark = gateway.mark()
        gateway.configure(ini(broker.url, store, line(buses, "a")
                              + line(buses, "b", points=f"p{number} = holding {2 + number % 5} u16")))
        gateway.reload()
        gateway.wait_log("is in force", 10, since=mark)
    recorder.wait_reading("dev-b", "p9", 10)
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    judge.assert_each_once_in_order(recorder.messages())
