# SPDX-License-Identifier: MIT
"""What the gateway says besides readings, to the letter: value, state, meta, health, status."""
import json
import time

import paho.mqtt.client as mqtt
import pytest

from commanding import gate, operator, operators, press, ready  # noqa: F401
from inifile import ini
from mosquitto import Mosquitto
from operators import Operator
from plc import Plc
from press import Press
from recorder import Recorder, parse
from waiting import until


@pytest.fixture
def plc():
    with Plc(250) as one:
        yield one


def kept(broker, name):
    """Every retained message of the gateway, as a subscriber that comes late gets them: {topic: payload}."""
    with Recorder(broker.port, name=name) as late:
        late.publish("late", name)  # what is retained comes before it
        late.wait(lambda m: m.topic == "late", 10)
        return {m.topic.removeprefix("railhead/gw/"): m.payload for m in late.messages() if m.retain}


def shape(document):
    """The keys and kinds of a JSON document."""
    if isinstance(document, dict):
        return {key: shape(value) for key, value in document.items()}
    return type(document).__name__


# ---- value ----

@pytest.mark.sanitizer
def test_values_are_text_retained_and_the_newest(gate, press, broker, recorder):
    gate(mqtt={"format": "json, value"})
    press.sim.cmd("set t 1 holding 1 300")
    press.sim.cmd("set t 1 coil 0 1")
    recorder.wait(lambda m: m.topic.endswith("/value/press/temp") and m.payload == b"30.0", 10)
    recorder.wait(lambda m: m.topic.endswith("/value/press/relay") and m.payload == b"true", 10)
    found = {topic.removeprefix("value/press/"): payload for topic, payload in kept(broker, "late").items()
             if topic.startswith("value/")}
    count = found.pop("count")
    assert count.isdigit()
    assert found == {"relay": b"true", "lamp": b"false", "horn": b"false", "setpoint": b"20", "temp": b"30.0",
                     "mode": b"auto", "fixed": b"50", "energy": b"0", "real": b"0.0", "wide": b"0", "label": b"none",
                     "x0": b"0", "x1": b"0", "x2": b"0"}
    assert all(m.qos == 0 for m in recorder.messages(topic="value"))


def test_without_the_format_there_are_no_values(gate, press, broker, recorder):
    gate()
    recorder.wait_reading("press", "x0")
    assert not [topic for topic in kept(broker, "late") if topic.startswith("value/")]


def test_all_values_come_once_after_each_connect_and_no_history(plc, broker, recorder, start, store):
    gateway = start(ini(broker.url, store, plc.body(interval="1h"), mqtt={"format": "json, value"}))
    topic = "railhead/gw/value/press/level"
    recorder.wait(lambda m: m.topic == topic and m.payload == b"250", 10)
    broker.stop()
    mark = recorder.mark()
    broker.start()
    recorder.wait(lambda m: m.topic == topic, 20, "the value again", mark)
    recorder.wait(lambda m: m.topic.endswith("/health"), 20, "health, which is due later", mark)
    assert len([m for m in recorder.messages(mark) if m.topic == topic]) == 1
    assert gateway.running()


def test_during_an_outage_values_are_not_kept_only_the_newest_comes(plc, broker, recorder, start, store):
    start(ini(broker.url, store, plc.body(), mqtt={"format": "json, value"}))
    topic = "railhead/gw/value/press/level"
    recorder.wait(lambda m: m.topic == topic, 10)
    broker.stop()
    mark = recorder.mark()
    for value in range(1, 20):
        plc.set_level(value)
        seen = len(plc.requests)
        until(lambda s=seen: len(plc.requests) > s + 1, 10, "a poll")
    broker.start()
    recorder.wait(lambda m: m.topic == topic and m.payload == b"19", 20, "the newest", mark)
    recorder.wait_reading("press", "level", 20, mark, value=19)
    said = [m.payload for m in recorder.messages(mark) if m.topic == topic]
    assert set(said) == {b"19"}, "old values are no state"
    assert {r.value for r in recorder.readings("press", "level", mark)} >= set(range(1, 20)), "but they are history"


def test_what_is_no_value_leaves_the_last_one(plc, broker, recorder, start, store):
    start(ini(broker.url, store, plc.body(point="invalid=0xFFFF"), mqtt={"format": "json, value"}))
    topic = "railhead/gw/value/press/level"
    recorder.wait(lambda m: m.topic == topic and m.payload == b"250", 10)
    plc.set_level(0xFFFF)
    recorder.wait(lambda m: b'"na"' in m.payload, 10, "quality na")
    assert kept(broker, "late")["value/press/level"] == b"250"


# ---- state ----

@pytest.mark.sanitizer
def test_state_is_online_or_offline_and_retained(gate, press, broker, recorder):
    gate()
    recorder.wait(lambda m: m.topic.endswith("/state/press") and m.payload == b"online", 10)
    mark = recorder.mark()
    press.sim.cmd("dead t 1 on")
    recorder.wait(lambda m: m.topic.endswith("/state/press") and m.payload == b"offline", 15, since=mark)
    assert kept(broker, "one")["state/press"] == b"offline"
    press.sim.cmd("dead t 1 off")
    recorder.wait(lambda m: m.topic.endswith("/state/press") and m.payload == b"online", 15, since=mark)
    assert kept(broker, "two")["state/press"] == b"online"
    assert [m.payload for m in recorder.messages(mark, "state")] == [b"offline", b"online"]


# ---- meta ----

@pytest.mark.sanitizer
def test_meta_is_what_the_design_says(gate, press, broker, recorder):
    gate(device='writes=allow title="Press 4" tag.area=hall1', extra='energy2 = input 0 u32 unit=kWh kind=counter '
         'every=250ms\nvolt = holding 5 u16 unit=V scale=0.01 min=0 max=6.5 every=fastest\nguard = holding 6 u16 '
         'writable critical\nwater = holding 7 u16 unit=°C writable max=90 every=1min\n')
    recorder.wait_reading("press", "x0")
    meta = json.loads(kept(broker, "late")["meta/press"])
    points = meta.pop("points")
    assert meta == {"gw": "gw", "dev": "press", "title": "Press 4", "line": "t", "address": 1,
                    "tags": {"area": "hall1"}}
    assert list(points)[:3] == ["relay", "lamp", "horn"]
    assert points["relay"] == {"type": "bit", "writable": True, "period_ms": 100}
    assert points["setpoint"] == {"type": "u16", "writable": True, "min": 5, "max": 30, "period_ms": 100}
    assert points["temp"] == {"type": "s16", "writable": True, "min": -10, "max": 40, "step": 0.5, "period_ms": 100}
    assert points["mode"] == {"type": "u16", "writable": True, "enum": {"0": "off", "1": "auto", "2": "manual"},
                              "period_ms": 100}
    assert points["fixed"] == {"type": "u16", "period_ms": 100}
    assert points["energy2"] == {"type": "u32", "unit": "kWh", "kind": "counter", "period_ms": 250}
    assert points["volt"] == {"type": "u16", "unit": "V", "min": 0, "max": 6.5, "period_ms": None}
    assert points["water"] == {"type": "u16", "unit": "°C", "writable": True, "max": 90, "period_ms": 60000}


def test_meta_says_writable_only_where_the_site_allows_it(gate, press, broker, recorder):
    gate(device="")
    recorder.wait_reading("press", "x0")
    points = json.loads(kept(broker, "late")["meta/press"])["points"]
    assert not any("writable" in point for point in points.values())


# ---- status ----

@pytest.mark.sanitizer
@pytest.mark.parametrize("version, number", [("5", 5), ("3.1.1", 3)])
def test_status_online_and_stopped(broker, recorder, plc, start, store, version, number):
    before = time.time() * 1000
    gateway = start(ini(broker.url, store, plc.body(), mqtt={"version": version}))
    status = recorder.wait_status("online")
    data = json.loads(recorder.wait(lambda m: b'"readings"' in m.payload, 10).payload)
    assert shape(status) == {"state": "str", "session": "int", "version": "str", "epoch": "str", "since": "int",
                             "mqtt": "int", "tls": "bool"}
    assert status["mqtt"] == number and status["tls"] is False and status["epoch"] == data["epoch"]
    assert before - 1000 < status["since"] <= time.time() * 1000
    assert json.loads(kept(broker, "one")["status"]) == status
    assert gateway.stop() == 0
    stopped = recorder.wait_status("offline", reason="stopped")
    assert set(stopped) >= {"state", "reason", "session"} and stopped["session"] == status["session"]
    assert json.loads(kept(broker, "two")["status"]) == stopped


def test_status_after_a_kill_is_lost_and_the_session_number_rises(broker, recorder, plc, start, store):
    gateway = start(ini(broker.url, store, plc.body()))
    first = recorder.wait_status("online")
    gateway.kill()
    lost = recorder.wait_status("offline", reason="lost")
    assert lost["session"] == first["session"]
    mark = recorder.mark()
    gateway.start()
    second = recorder.wait_status("online", since=mark)
    assert second["session"] > first["session"] and second["epoch"] == first["epoch"]


def test_a_late_will_of_an_earlier_session_is_answered_by_online(broker, recorder, operators, plc, start, store):
    start(ini(broker.url, store, plc.body()))
    status = recorder.wait_status("online")
    ready(recorder)
    one = operators()
    mark = recorder.mark()
    one.raw("status", {"state": "offline", "reason": "lost", "session": status["session"] - 1}, retain=True)
    assert recorder.wait_status("online", 30, mark)["session"] == status["session"]
    assert json.loads(kept(broker, "late")["status"])["state"] == "online"


# ---- health ----

HEALTH = {
    "t": "int", "uptime_s": "int", "clock": "str",
    "store": {"batches": "int", "bytes": "int", "oldest_s": "int", "dropped": "int", "dead": "int",
              "written_today_bytes": "int"},
    "uplink": {"connected": "bool", "connects": "int", "inflight": "int", "refused": "int", "no_subscriber": "int"},
    "lines": {"t": {"load": "float", "stretch": "float", "transactions": "int", "timeouts": "int", "crc": "int",
                    "late": "int", "foreign": "int"}},
    "devices": {"press": {"state": "str", "last_ok_s": "int", "ok": "int", "timeouts": "int", "crc": "int",
                          "turnaround_ms": {"p50": "float", "p99": "float"}}},
    "rings": {"dropped": "int"}, "rss_kib": "int",
}


def holds(found, wanted):
    """Everything that is wanted is there, of its kind; more may be."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds(found[key], wanted[key]) for key in wanted)
    return found == wanted or (wanted == "float" and found == "int")


@pytest.mark.sanitizer
def test_health_has_what_the_design_says(gate, press, broker, recorder):
    gateway = gate(interval="20ms")
    health = json.loads(recorder.wait(lambda m: m.topic.endswith("/health"), 20, "health").payload)
    assert holds(shape(health), HEALTH), shape(health)
    assert json.loads(kept(broker, "late")["health"]) == health
    assert health["uplink"]["connected"] is True and health["clock"] in ("synced", "unsynced")
    assert abs(health["t"] - time.time() * 1000) < 60000
    assert health["devices"]["press"]["state"] == "online" and health["devices"]["press"]["last_ok_s"] <= 2
    assert 0 < health["lines"]["t"]["load"] <= 1 and health["lines"]["t"]["stretch"] >= 1
    assert health["lines"]["t"]["transactions"] >= health["devices"]["press"]["ok"] > 0
    assert abs(health["rss_kib"] - gateway.status_of("VmRSS")) < 8192
    assert health["store"]["dropped"] == health["store"]["dead"] == 0


def test_the_documents_of_the_gateway_are_json_without_surprises(gate, operator, press, broker, recorder):
    gate(mqtt={"format": "json, value"})
    operator.ask("press/setpoint/set", "25")
    recorder.wait(lambda m: m.topic.endswith("/health"), 20)
    known = ("status", "data", "value", "state", "meta", "health", "reply", "cmd")
    for message in recorder.messages():
        level = message.topic.removeprefix("railhead/gw/").split("/")[0]
        assert level in known, message.topic
        if level in ("status", "data", "meta", "health", "reply"):
            assert isinstance(parse(message.payload), dict) and b"\n" not in message.payload
        assert mqtt.topic_matches_sub("railhead/gw/#", message.topic)


def test_an_acl_for_the_gateway_alone_is_enough(tmp_path, sim, start, store):
    """The rights that the documentation gives a gateway: what it writes and what it reads."""
    root = "railhead/gw/"
    writes = ["data/#", "value/#", "state/#", "meta/#", "status", "health", "reply/#", "cmd/gateway/fence"]
    acl = ("user gw\n" + "".join(f"topic write {root}{topic}\n" for topic in writes)
           + f"topic read {root}cmd/#\ntopic read {root}status\nuser watch\ntopic readwrite #\n")
    secret = tmp_path / "password"
    secret.write_text("right\n")
    secret.chmod(0o600)
    press = Press(sim)
    with Mosquitto(tmp_path / "broker", users={"gw": "right", "watch": "w"}, acl=acl) as broker, \
            Recorder(broker.port, username="watch", password="w") as recorder:
        start(press.config(broker, store, mqtt={"username": "gw", "password_file": secret, "format": "json, value"}))
        ready(recorder)
        for topic in ("data/press", "value/press/x0", "state/press", "meta/press", "status", "health"):
            recorder.wait(lambda m, t=topic: m.topic == root + t, 20, topic)
        one = Operator(broker.port, recorder, username="watch", password="w")
        assert one.ask("press/x0/set", "5")["status"] == "ok"
        one.check()
        one.close()
        assert "Denied PUBLISH" not in broker.log()
