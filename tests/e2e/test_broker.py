# SPDX-License-Identifier: MIT
"""The broker's moods: away, mute, refusing, old, without memory, and how the gateway says goodbye."""
import json
import re

import pytest

import judge
from inifile import ini
from mosquitto import Mosquitto
from plc import Plc
from recorder import Recorder
from scripted import Scripted
from waiting import free_port, pass_time, until


@pytest.fixture
def plc():
    with Plc() as one:
        yield one


@pytest.mark.sanitizer
def test_it_starts_without_a_broker_and_delivers_when_it_comes(tmp_path, plc, start, store):
    with Mosquitto(tmp_path / "broker") as broker:
        with Recorder(broker.port) as recorder:
            broker.stop()
            gateway = start(ini(broker.url, store, plc.body(point="report=change")))
            until(lambda: len(plc.requests) > 5, 10, "polling without a broker")
            for value in range(2, 12):
                plc.set_level(value)
                seen = len(plc.requests)
                until(lambda s=seen: len(plc.requests) > s + 2, 5, "two more polls")
            gateway.wait_log("refused|unreachable|connect", 10)
            broker.start()
            recorder.wait_reading("press", "level", 20, value=11)
            assert [r.value for r in recorder.readings(point="level")] == list(range(1, 12))
            judge.assert_each_once_in_order(recorder.messages())


def test_a_mute_broker_blocks_neither_polling_nor_the_end(plc, start, store):
    with Scripted(mute=True) as mute:
        gateway = start(ini(mute.url, store, plc.body()))
        mute.wait(lambda m: len(m.attempts) >= 2, 25, "a second attempt")
        count = len(plc.requests)
        until(lambda: len(plc.requests) > count + 20, 10, "polling beside a mute broker")
        assert gateway.stop(15) == 0


def test_refused_credentials_are_named_and_tried_more_rarely(plc, start, store):
    with Scripted(connack=0x86) as refusing:
        times = {"backoff_min": "500ms", "backoff_max": "30s"}
        gateway = start(ini(refusing.url, store, plc.body(), mqtt={"username": "u", **times}))
        gateway.wait_log("user name|credential|password|not authori", 15)
        refusing.wait(lambda b: len(b.attempts) >= 2, 15, "a second attempt")
        pause = refusing.attempts[1] - refusing.attempts[0]
        assert pause > 1.2, f"{pause:.2f} s: no longer than after any other failure"
        assert gateway.running()
        lines = [line for line in gateway.lines() if "credential" in line.lower() or "password" in line.lower()]
        assert len(lines) <= 3, lines


def test_mosquitto_refuses_a_wrong_password_and_takes_the_right_one(tmp_path, plc, start, store):
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    secret.chmod(0o600)
    users = {"gw": "right", "watch": "w"}
    with Mosquitto(tmp_path / "broker", users=users) as broker, \
            Recorder(broker.port, username="watch", password="w") as recorder:
        text = ini(broker.url, store, plc.body(), mqtt={"username": "gw", "password_file": secret})
        gateway = start(text)
        gateway.wait_log("user name|credential|password|not authori", 15)
        assert gateway.stop() == 0
        secret.write_text("right\n")
        gateway.start()
        recorder.wait_status("online")
        recorder.wait_reading("press", "level")
        assert "right" not in gateway.log()


def test_a_broker_that_speaks_only_3_1_1(plc, start, store):
    with Scripted(only_311=True) as old:
        start(ini(old.url, store, plc.body()))
        old.wait(lambda b: any("/data/" in p.topic for p in b.publishes), 20, "data over 3.1.1")
        assert [c.level for c in old.connects[:2]] == [5, 4]
        status = json.loads(old.retained["railhead/gw/status"])
        assert status["state"] == "online" and status["mqtt"] == 3


@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize("qos", [1, 2])
def test_data_over_each_version_and_qos(version, qos, broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body(interval="20ms"), mqtt={"version": version, "qos": qos}))
    status = recorder.wait_status("online")
    assert status["mqtt"] == {"3.1.1": 3, "5": 5}[version]
    recorder.wait_count("data", 10, 20)
    assert all(m.qos == qos for m in recorder.messages(topic="data"))
    judge.assert_each_once_in_order(recorder.messages())


@pytest.mark.sanitizer
def test_a_kill_leaves_the_will_and_a_stop_says_so(broker, recorder, plc, start, store):
    gateway = start(ini(broker.url, store, plc.body()))
    first = recorder.wait_status("online")
    mark = recorder.mark()
    gateway.kill()
    assert recorder.wait_status("offline", since=mark)["reason"] == "lost"
    gateway.start()
    second = recorder.wait_status("online", since=mark)
    assert second["session"] > first["session"] and second["epoch"] == first["epoch"]
    mark = recorder.mark()
    assert gateway.stop() == 0
    assert recorder.wait_status("offline", since=mark)["reason"] == "stopped"
    with Recorder(broker.port, name="later") as later:
        message = later.wait(lambda m: m.topic.endswith("/status"), 5, "the retained status")
        assert message.retain and json.loads(message.payload)["reason"] == "stopped"


def test_a_broker_that_forgot_its_sessions_gets_everything(tmp_path, plc, start, store):
    """Restarted without persistence under load: nothing lost, repeats at most the window."""
    window = 8
    with Mosquitto(tmp_path / "broker", persistence=False, max_inflight=window) as broker:
        # At QoS 0 the witness has what the broker had in hand when it died; and it is back before the gateway.
        with Recorder(broker.port, qos=0) as recorder:
            gateway = start(ini(broker.url, store, plc.body(interval="10ms"), keep={"commit_interval": "20ms"},
                                mqtt={"inflight": window, "backoff_min": "2s", "backoff_max": "2s"}))
            recorder.wait_count("data", 30, 20)
            broker.freeze()
            pass_time(0.5)
            broker.process.kill()
            broker.process.wait()
            broker.process = None
            broker.start()
            mark = recorder.mark()
            recorder.wait_status("online", 20, since=mark)
            recorder.wait_count("data", 30, 20, since=mark)
            assert gateway.stop() == 0
            recorder.wait_status("offline", since=mark)
            repeats = judge.assert_at_least_once(recorder.messages())
            assert repeats <= window


def test_refused_publishes_wait_and_hold_nothing_up(plc, start, store):
    """A broker that refuses one device's data with 0x87: kept, not counted as delivered, others go on."""
    body = plc.body() + "[devices]\nother = plc 1 - interval=50ms\n[points other]\nlevel = holding 0 u16\n"
    with Scripted(puback=lambda topic: 0x87 if topic.endswith("/data/press") else 0) as broker:
        gateway = start(ini(broker.url, store, body))

        def topics(suffix):
            return [p for p in broker.publishes if p.topic.endswith("/data/" + suffix)]

        broker.wait(lambda b: len(topics("other")) >= 20, 20, "the other device's data")
        refused = {p.mid for p in topics("press")}
        assert refused
        assert gateway.stop() == 0
        kept = int(re.search(r"(\d+) messages wait for the broker", gateway.log())[1])
        assert kept >= len(refused), f"{len(refused)} refused, {kept} kept"
        assert re.search("refused|authori|0x87", gateway.log()), "nothing about the refusal on stderr"


def test_the_second_broker_of_the_list_is_used_when_the_first_is_away(broker, recorder, plc, start, store):
    away = f"mqtt://127.0.0.1:{free_port()}"
    start(ini(f"{away}, {broker.url}", store, plc.body()))
    recorder.wait_status("online", 20)
    recorder.wait_reading("press", "level")


def test_the_window_never_passes_the_brokers_receive_maximum(plc, start, store):
    """One place of it is kept for the own status, so data fill one less."""
    with Scripted(receive_maximum=3, hold=True) as broker:
        start(ini(broker.url, store, plc.body(interval="10ms"), keep={"commit_interval": "10ms"},
                  mqtt={"inflight": 20}))
        broker.wait(lambda b: b.widest >= 2, 20, "a full window")
        pass_time(1)
        assert broker.widest <= 3


def test_a_broker_that_allows_qos_1_at_most_gets_no_more(plc, start, store):
    with Scripted(max_qos=1) as broker:
        start(ini(broker.url, store, plc.body()))
        broker.wait(lambda b: sum("/data/" in p.topic for p in b.publishes) > 3, 20, "data")
        assert {p.qos for p in broker.publishes if "/data/" in p.topic} == {1}


def test_every_line_of_the_status_cycle_is_logged_once(tmp_path, plc, start, store):
    """A broker that is away is one line in the log, not one per attempt."""
    gateway = start(ini(f"mqtt://127.0.0.1:{free_port()}", store, plc.body()))
    gateway.wait_log("uplink|broker|mqtt", 10)
    pass_time(3)
    lines = [line for line in gateway.lines() if "refused" in line.lower() or "unreachable" in line.lower()]
    assert 1 <= len(lines) <= 2, lines
