# SPDX-License-Identifier: MIT
"""Commands that are refused, and that nothing is touched by them: limits, permissions, payloads, floods."""
import json
import threading
import time

import pytest

from buses import rtu_bus
from commanding import gate, operator, operators, press, ready  # noqa: F401
from inifile import ini
from operators import fresh_id, soon
from waiting import until


def refused(reply, code):
    return reply["status"] == "rejected" and reply["code"] == code and len(reply["message"]) > 5 and "took_ms" in reply


# ---- limits and permissions ----

REFUSED = [
    ("setpoint", "range", [4, 31, -1, 65536, 10 ** 15, 2 ** 63 - 1, 2 ** 64 - 1, "4", "31", "-1", 1e30]),
    ("temp", "range", [-10.5, 40.5, 1e300, -1e300]),
    ("temp", "step", [20.25, 0.1, "-9.75"]),
    ("x0", "range", [65536, -1, "65536", 2 ** 63]),
    ("energy", "range", [2 ** 32, "4294967296"]),
    ("real", "range", [3.5e38]),
    ("setpoint", "type", [True, "ON", "", "25 bar", "NaN", "25,0", 25.5, None, "٢٥"]),
    ("real", "type", ["nan", "inf", "ON", True, "1e999x"]),
    ("relay", "type", [2, -1, "maybe", 0.5, "2", "TRUEX"]),
    ("mode", "type", ["sideways", "Auto", "", True]),
    ("mode", "range", [3, -1, 99]),
    ("label", "type", [5, True]),
    ("label", "range", ["123456789", "ü" * 5]),
    ("fixed", "read-only", [1]),
    ("count", "read-only", [1]),
    ("nothing", "unknown", [1]),
]


@pytest.mark.sanitizer
def test_what_is_out_of_bounds_never_reaches_the_device(gate, operator, press):
    gate()
    for point, code, values in REFUSED:
        for value in values:
            reply = operator.ask(f"press/{point}/set", {"id": fresh_id(), "value": value})
            wrong_text = isinstance(value, str) and point in ("setpoint", "temp", "x0", "energy", "relay")
            assert refused(reply, "type" if wrong_text else code), (point, value, reply)
            if not isinstance(value, (str, int, float)) or isinstance(value, bool) or value == "":
                continue
            bare = operator.ask(f"press/{point}/set", str(value))
            if point == "label" and code == "type":
                assert bare["status"] == "ok", "bare text is text"
            else:
                assert bare["status"] == "rejected" and bare["code"] in (code, "range", "type"), (point, value, bare)
    assert [w for w in press.wrote() if w[1] != 20] == []


@pytest.mark.parametrize("device, code", [("", "read-only"), ("writes=deny", "read-only")])
def test_writable_points_of_a_device_without_writes_allow_are_read_only(gate, operator, press, device, code):
    gate(device=device)
    assert refused(operator.ask("press/setpoint/set", "25"), code)
    assert refused(operator.ask("press/set", {"id": "m", "values": {"setpoint": 25}}), code)
    assert operator.ask("press/setpoint/get")["status"] == "ok"
    assert press.writes() == []


@pytest.mark.parametrize("target", ["nobody/level/set", "nobody/level/get", "nobody/set", "nobody/get",
                                    "press/nothing/get", "press/nothing/set"])
def test_unknown_devices_and_points_are_refused(gate, operator, press, target):
    gate()
    payload = {"id": "u", "values": {"level": 1}} if target.count("/") == 1 else {"id": "u", "value": 1}
    reply = operator.ask(target, payload if target.endswith("set") else {"id": "u"})
    assert refused(reply, "unknown") and reply["id"] == "u", reply


def test_critical_and_momentary_points_demand_what_they_demand(gate, operator, press):
    gate(extra="guard = holding 6 u16 writable critical\nreset = holding 7 u16 writable momentary\n")
    for payload in ("1", {"value": 1}, {"id": "c1", "value": 1}, {"value": 1, "expires": soon()}):
        assert refused(operator.ask("press/guard/set", payload), "syntax"), payload
    for payload in ("1", {"value": 1}, {"value": 1, "expires": soon()}):
        assert refused(operator.ask("press/reset/set", payload), "syntax"), payload
    assert refused(operator.ask("press/set", {"id": "c2", "values": {"x0": 1, "guard": 1}}), "syntax")
    assert press.writes() == []
    assert operator.ask("press/guard/set", {"id": "c3", "value": 1, "expires": soon()})["status"] == "ok"
    assert operator.ask("press/reset/set", {"id": "c4", "value": 1})["status"] == "ok"
    assert press.wrote() == [(6, 6, "0001"), (6, 7, "0001")]


def test_min_interval_is_kept_over_every_way_to_the_point(gate, operator, press):
    gate(extra="pump = coil 9 writable min_interval=1h\nfan = coil 10 writable min_interval=300ms\n")
    assert operator.ask("press/pump/set", "1")["status"] == "ok"
    assert refused(operator.ask("press/pump/set", "0"), "rate")
    assert refused(operator.ask("press/set", {"id": "p", "values": {"x0": 1, "pump": 0}}), "rate")
    assert operator.ask("press/pump/get")["readback"] is True
    operator.ask("press/fan/set", "1")
    until(lambda: operator.ask("press/fan/set", "0")["status"] == "ok", 5, "the end of the interval")
    assert press.wrote() == [(5, 9, "ff00"), (5, 10, "ff00"), (5, 10, "0000")]


def test_max_delta_bounds_the_change_and_needs_a_known_value(gate, operator, press, recorder):
    gate(extra="ramp = holding 7 u16 writable max_delta=5\n")
    recorder.wait_reading("press", "ramp", value=0)
    assert refused(operator.ask("press/ramp/set", "6"), "range")
    assert operator.ask("press/ramp/set", "5")["status"] == "ok"
    assert operator.ask("press/ramp/set", "10")["status"] == "ok", "the write moved the value"
    assert refused(operator.ask("press/ramp/set", "4"), "range")
    reply = operator.ask("press/set", {"id": "r", "values": {"x0": 1, "ramp": 16}})
    assert reply["status"] == "rejected", reply
    assert press.wrote() == [(6, 7, "0005"), (6, 7, "000a")]


# ---- payloads ----

MALFORMED = [
    b"", b" ", b"{", b"}", b"{}", b"[]", b"[1]", b"null", b'{"value":}',
    b'{"value":25', b"{'value':25}", b'{"value":25,}',
    b'{"value":25}{"value":26}', b'{"value":25} x', b'{"value":25,"value":26}', b'{"value":NaN}', b'{"value":Infinity}',
    b'{"value":0x19}', b'{"value":025}', b'{"value":1e999}', b'{"value":25,"expire":1}', b'{"valu":25}', b'{"id":"a"}',
    b'{"id":"","value":25}', b'{"id":5,"value":25}', b'{"id":null,"value":25}',
    b'{"id":"a","value":25,"values":{"x0":1}}',
    b'{"values":{"x0":1}}', b'{"id":"' + b"x" * 129 + b'","value":25}', b'{"by":5,"value":25}',
    b'{"value":{"a":{"b":1}}}',
    b'{"value":25,"dry_run":"no"}', b'{"value":25,"dry_run":0}', b'{"id":"a\\u0000b","value":25}',
    b'{"value":"\\ud800"}',
    b'{"value":99999999999999999999999}', b"{" * 4000, b'{"a":' * 1500 + b"1" + b"}" * 1500, b"[" * 8000, b'"25', b'"',
    b"\xff\xfe", b"25\xff", b"2\x005", b"\x00", b"\x0025", b'{"id":"\xff","value":25}', b'{"value":"\xc0\x80"}',
    b"\xef\xbb\xbf25", b"\xed\xa0\x80", b"25" + b"0" * 8000, b"25;", b"--25", b"1_0", b"\xd9\xa2\xd9\xa5",
]


@pytest.mark.sanitizer
def test_malformed_payloads_are_refused_one_by_one(gate, operator, press):
    gate()
    for payload in MALFORMED:
        reply = operator.ask("press/setpoint/set", payload)
        assert reply["status"] == "rejected" and reply["code"] in ("syntax", "type", "range"), (payload[:60], reply)
        assert reply["message"] and len(json.dumps(reply)) < 1000
    assert operator.ask("press/setpoint/set", "25")["status"] == "ok"
    assert press.wrote() == [(6, 0, "0019")]


@pytest.mark.parametrize("payload", [
    {"values": {}}, {"values": []}, {"values": {f"x{n}": 1 for n in range(65)}}, {"value": 5}, {"values": {"x0": {}}},
    {"values": {"a/b": 1}}, {"values": {"": 1}}, {"values": {"x" * 65: 1}}, {"values": {"x0": 1}, "value": 1}, {},
])
def test_malformed_requests_to_a_device_are_refused(gate, operator, press, payload):
    gate()
    reply = operator.ask("press/set", payload)
    assert reply["status"] == "rejected" and reply["code"] in ("syntax", "type", "unknown"), reply
    assert press.writes() == []


def test_an_oversized_payload_is_refused_and_the_connection_stays(gate, operator, press, recorder):
    gateway = gate()
    for size in (8193, 65536, 1048576):
        reply = operator.ask("press/setpoint/set", b"1" * size)
        assert reply["status"] == "rejected" and reply["code"] == "syntax" and "large" in reply["message"]
    before = gateway.status_of("RssAnon")
    for _ in range(10):
        operator.send("press/setpoint/set", b"{" + b" " * 1048576)
    operator.check(30)
    assert gateway.status_of("RssAnon") < before + 12 * 1024, "memory stays bounded"
    assert [s for s in recorder.messages(topic="status")][-1].payload.count(b"online") == 1
    assert operator.ask("press/setpoint/set", "25")["status"] == "ok"


@pytest.mark.parametrize("topic", ["cmd", "cmd/", "cmd/press", "cmd/press/setpoint", "cmd/press/setpoint/put",
                                   "cmd/press/setpoint/set/now", "cmd//set", "cmd/press//set", "cmd/gateway/a b",
                                   "cmd/press/$x/set", "cmd/gateway/setpoint/set", "cmd/" + "x" * 65 + "/a/set",
                                   "cmd/gateway", "cmd/gateway/set/set/set/set"])
def test_what_is_no_command_topic_does_nothing_at_all(gate, operators, press, recorder, topic):
    gateway = gate()
    one = operators()
    one.raw(topic, "25")
    one.ask("gateway/ping")
    assert press.writes() == [] and gateway.running()
    odd = [r for r in one.replies() if r["status"] == "ok"]
    assert len(odd) == 1, "only the ping"


@pytest.mark.parametrize("payload", [
    {"id": "named", "value": [25]}, {"id": "named", "value": {"a": {"b": 1}}}, {"id": "named", "values": {"x0": [1]}},
    {"value": 2 ** 70, "id": "named"}, {"value": 25, "expire": 1, "id": "named"}, {"id": "named", "value": {}},
])
def test_a_refusal_names_the_id_of_a_valid_object(gate, operator, payload):
    gate()
    assert operator.ask("press/setpoint/set", payload)["status"] == "rejected"


# ---- floods ----

def peak(gateway, stop, found):
    while not stop.is_set():
        found.append(gateway.status_of("RssAnon"))
        stop.wait(0.05)


def test_of_a_flood_each_command_gets_one_reply_and_polling_goes_on(gate, operator, press, recorder):
    gateway = gate(interval="20ms")
    recorder.wait_reading("press", "setpoint")
    before = gateway.status_of("RssAnon")
    stop, found = threading.Event(), []
    watch = threading.Thread(target=peak, args=(gateway, stop, found))
    watch.start()
    reads = press.requests()
    for n in range(2000):
        operator.send("press/x0/set", {"id": f"f{n}", "value": n % 1000}, wait=False)
    operator.check(90)
    stop.set()
    watch.join()
    replies = operator.replies("press/x0/set")
    assert sorted(r["id"] for r in replies) == sorted(f"f{n}" for n in range(2000))
    kinds = {(r["status"], r.get("code")) for r in replies}
    assert kinds <= {("ok", None), ("rejected", "busy")}, kinds
    done = [r for r in replies if r["status"] == "ok"]
    writes = press.writes()
    assert len(writes) == len(done) > 0 and all(r["readback"] == r["value"] for r in done)
    assert press.requests() - reads - 2 * len(writes) > 20, "polls beside the flood"
    assert max(found) < before + 8 * 1024, f"{before} -> {max(found)} kB"


def test_a_flood_of_bare_commands_to_a_slow_device_is_bounded(gate, operator, press):
    gate(timeout="2s", interval="1h")
    press.sim.cmd("late t 1 50ms")
    for n in range(600):
        operator.send("press/x0/set", str(n), wait=False)
    operator.check(90)
    replies = operator.replies("press/x0/set")
    done = sum(r["status"] == "ok" for r in replies)
    assert len(replies) == 600 and done == len(press.writes()) and 0 < done < 600
    assert all(r.get("code") == "busy" for r in replies if r["status"] != "ok")


# ---- the order on the bus ----

SERIAL = 19200
POLLED = [f"holding {100 * n}..{100 * n + 99} ramp" for n in range(6)] + ["holding 900..901 const 0"]


@pytest.fixture
def busy_line(sim, broker, recorder, start, store):
    """A serial line whose polls take all of it: six blocks of 100 registers without end."""
    bus = sim(rtu_bus("a", {1: POLLED}, SERIAL, turnaround="2ms"))
    points = "".join(f"p{n} = holding {100 * n} str len=100\n" for n in range(6))
    points += "target = holding 900 u16 writable every=1h\n"
    start(ini(broker.url, store, f"[line a]\nport = {bus.link('a')}\nbaud = {SERIAL}\nmode = 8N1\n"
              f"[device d]\nline = a\naddress = 1\ninterval = fastest\nwrites = allow\n[points d]\n{points}"))
    ready(recorder)
    recorder.wait_reading("d", "target", 20)
    return bus


def test_a_write_goes_ahead_of_polls(busy_line, operator):
    for n in range(5):
        sent = time.monotonic()
        assert operator.ask("d/target/set", str(n))["status"] == "ok"
        log = busy_line.log("request")
        write = next(e for e in reversed(log) if e.get("function") == 6)
        longest = max(e["answer_end_us"] - e["request_us"] for e in log) / 1e6
        waited = write["request_us"] / 1e6 - sent
        assert waited < longest + 0.1, f"{waited:.3f} s; a transaction takes {longest:.3f} s, a round six"


def test_under_a_storm_of_writes_reads_keep_their_share(busy_line, operator):
    for n in range(25):
        operator.send("d/target/set", {"id": f"w{n}", "value": n}, wait=False)
    operator.check(60)
    log = busy_line.log("request")
    kinds = ["write" if e["function"] == 6 else "back" if e["address"] == 900 else "poll" for e in log]
    first, last = kinds.index("write"), len(kinds) - 1 - kinds[::-1].index("write")
    span = kinds[first:last + 1]
    assert span.count("write") == 25
    assert span.count("poll") >= 0.3 * len(span), f"{span.count('poll')} polls of {len(span)} transactions"
    run = longest = 0
    for kind in span:
        run = 0 if kind == "poll" else run + 1
        longest = max(longest, run)
    assert longest <= 3, f"{longest} transactions of commands in a row"
    values = [int(e["wrote"], 16) for e in log if e["function"] == 6]
    assert values == list(range(25)), "first come, first written"
