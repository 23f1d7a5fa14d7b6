# SPDX-License-Identifier: MIT
"""The link to the broker fails in every way it can, and every reading arrives all the same."""
import random

import pytest

import judge
from buses import answers, counter_values, tcp_bus
from inifile import ini
from mosquitto import Mosquitto
from proxy import Proxy
from recorder import Recorder, batches_of
from waiting import pass_time, until

ALLOWED = "topic readwrite #\n"
UNITS = {unit: [f"holding 0..1 u32 counter {unit}000000 1"] for unit in (1, 2, 3)}


def body(bus, interval="25ms"):
    rows = "".join(f"d{unit} = net {unit} - interval={interval}\n" for unit in UNITS)
    points = "".join(f"[points d{unit}]\ncount = holding 0 u32\n" for unit in UNITS)
    return f"[line net]\ndriver = modbus-tcp\nhost = 127.0.0.1:{bus.port('net')}\n[devices]\n{rows}{points}"


def assert_every_answer_arrived(bus, messages_of):
    """Against the simulator's log: all but the last answer of each unit, which the end may have cut off."""
    for unit in UNITS:
        said = counter_values(bus, "net", unit, 3)
        missing = judge.missing_of(said, [r.value for r in messages_of(f"d{unit}", "count")])
        assert missing in ([], [len(said) - 1]), f"unit {unit}: {len(missing)} of {len(said)} missing: {missing[:9]}"
    return said


@pytest.mark.slow
@pytest.mark.parametrize("qos", [2, 1])
def test_a_broker_away_for_ten_seconds(qos, tmp_path, sim, start, store):
    bus = sim(tcp_bus("net", UNITS))
    with Mosquitto(tmp_path / "broker") as broker, Recorder(broker.port) as recorder:
        gateway = start(ini(broker.url, store, body(bus), mqtt={"qos": qos}))
        recorder.wait_count("data", 20, 20)
        broker.stop()
        asked = len(answers(bus, "net", 1))
        pass_time(10)
        assert len(answers(bus, "net", 1)) - asked > 300, "polling goes on without a broker"
        mark = recorder.mark()
        broker.start()
        recorder.wait_status("online", 20, since=mark)
        recorder.wait_count("data", 100, 30, since=mark)
        assert gateway.stop() == 0
        recorder.wait_status("offline", 20, since=mark, reason="stopped")
        if qos == 2:
            judge.assert_each_once_in_order(recorder.messages())
            assert_every_answer_arrived(bus, recorder.readings)
        else:
            repeats = judge.assert_at_least_once(recorder.messages())
            assert repeats <= 20, "more repeats than the window holds"
            for unit in UNITS:
                said = counter_values(bus, "net", unit, 3)
                arrived = {r.value for r in recorder.readings(f"d{unit}")}
                assert set(said[:-1]) <= arrived <= set(said)


@pytest.mark.sanitizer
def test_connections_cut_in_the_middle_of_packets(broker, recorder, sim, start, store):
    """At random bytes, twenty times, under load, at QoS 2."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    bus = sim(tcp_bus("net", UNITS))
    with Proxy(broker.port) as proxy:
        gateway = start(ini(proxy.url, store, body(bus), mqtt={"backoff_min": "50ms", "backoff_max": "100ms"},
                            keep={"commit_interval": "20ms"}))
        recorder.wait_count("data", 10, 20)
        for number in range(1, 21):
            proxy.cut_after(dice.randrange(1, 6000))
            until(lambda n=number: proxy.cuts >= n, 20, f"cut {number}")
        mark = recorder.mark()
        recorder.wait_count("data", 30, 30, since=mark)
        assert gateway.stop() == 0
        recorder.wait_status("offline", 20, since=mark, reason="stopped")
    judge.assert_each_once_in_order(recorder.messages())
    assert_every_answer_arrived(bus, recorder.readings)


def test_a_network_that_swallows_everything_for_a_while(broker, recorder, sim, start, store):
    """Connections stay open and nothing passes: the gateway notices, and nothing is lost or doubled."""
    bus = sim(tcp_bus("net", UNITS))
    with Proxy(broker.port) as proxy:
        gateway = start(ini(proxy.url, store, body(bus), mqtt={"keepalive": "5s"}))
        recorder.wait_count("data", 10, 20)
        proxy.stall()
        asked = len(answers(bus, "net", 1))
        pass_time(9)
        assert len(answers(bus, "net", 1)) - asked > 0.9 * 9 / 0.025, "polling does not feel the stall"
        proxy.flow()
        mark = recorder.mark()
        recorder.wait_count("data", 30, 40, since=mark)
        assert gateway.stop() == 0
        recorder.wait_status("offline", 20, since=mark, reason="stopped")
    judge.assert_each_once_in_order(recorder.messages())
    assert_every_answer_arrived(bus, recorder.readings)


@pytest.mark.slow
def test_publishes_that_the_acl_denies_are_kept(tmp_path, sim, start, store):
    """Under MQTT 5 mosquitto answers a denied publish with reason 0x87, a refusal and not a delivery, and
    mosquitto 2.0.11 hangs up right behind it."""
    denied = "topic read #\ntopic readwrite railhead/gw/status\ntopic readwrite railhead/gw/state/#\n" \
             "topic readwrite railhead/gw/meta/#\n"
    bus = sim(tcp_bus("net", UNITS))
    with Mosquitto(tmp_path / "broker", acl=ALLOWED) as broker, Recorder(broker.port) as recorder:
        gateway = start(ini(broker.url, store, body(bus, "200ms"), mqtt={"version": "5"}))
        recorder.wait_count("data", 3, 20)
        broker.acl = denied
        broker.reload()
        until(lambda: broker.log().count("Denied PUBLISH") >= 3, 20, "denied publishes")
        mark = recorder.mark()
        pass_time(2)
        assert gateway.running() and not recorder.messages(mark, "data")
        broker.acl = ALLOWED
        broker.reload()
        recorder.wait_count("data", 5, 30, since=mark)
        until(lambda: len(_seqs(recorder)) == max(_seqs(recorder)), 90, "the refused batches, after their pause")
        assert gateway.stop(30) == 0
        recorder.wait_status("offline", 20, reason="stopped")
        seqs = [batch["seq"] for _m, batch in batches_of(recorder.messages())]
        assert sorted(seqs) == list(range(1, max(seqs) + 1)), "lost or doubled"
        for unit in UNITS:
            said = counter_values(bus, "net", unit, 3)
            arrived = sorted(r.value for r in recorder.readings(f"d{unit}"))
            assert arrived in (said, said[:-1])


def _seqs(recorder):
    return {batch["seq"] for _m, batch in batches_of(recorder.messages())}
