# SPDX-License-Identifier: MIT
"""Commands that are carried out: set of one point and of several, get, functions on the wire, where replies go."""
import time

import pytest
from pymodbus.register_write_message import WriteSingleRegisterRequest

from commanding import audit, gate, operator, operators, press  # noqa: F401
from operators import fresh_id, soon
from slave import TcpSlave
from waiting import until

# target, payload, what is written (function, address, data), value in the reply
BARE = [
    ("press/setpoint/set", "25", (6, 0, "0019"), 25),
    ("press/setpoint/set", " 25.0\n", (6, 0, "0019"), 25),
    ("press/setpoint/set", "0x10", (6, 0, "0010"), 16),
    ("press/temp/set", "-2.5", (6, 1, "ffe7"), -2.5),
    ("press/relay/set", "ON", (5, 0, "ff00"), True),
    ("press/relay/set", "false", (5, 0, "0000"), False),
    ("press/mode/set", "manual", (6, 3, "0002"), "manual"),
    ("press/mode/set", "0", (6, 3, "0000"), "off"),
    ("press/energy/set", "305419896", (16, 10, "12345678"), 305419896),
    ("press/real/set", "-0.5", (16, 12, "bf000000"), -0.5),
    ("press/wide/set", "-9007199254740993", (16, 14, "ffdfffffffffffff"), -9007199254740993),
    ("press/label/set", "abc", (16, 20, "6162630000000000"), "abc"),
]


@pytest.mark.sanitizer
def test_every_kind_of_point_is_set_by_a_bare_value_and_read_back(gate, operator, press):
    gate()
    for target, payload, write, value in BARE:
        before = len(press.writes())
        reply = operator.ask(target, payload)
        assert reply["status"] == "ok", (target, payload, reply)
        assert reply["value"] == value and reply["readback"] == value, (target, payload, reply)
        assert isinstance(reply["value"], type(value)), reply
        assert press.wrote()[before:] == [write], (target, payload)
        assert not set(reply) - {"status", "value", "readback", "t", "took_ms"}, reply
        assert abs(reply["t"] - time.time() * 1000) < 60000 and 0 <= reply["took_ms"] < 5000


@pytest.mark.parametrize("payload, value", [
    ({"value": 25}, 25), ({"id": "a-1", "value": 26.0}, 26), ({"id": "ü" * 40, "value": 27, "by": "scada"}, 27),
])
def test_a_json_request_names_its_id_in_the_reply(gate, operator, press, payload, value):
    gate()
    reply = operator.ask("press/setpoint/set", payload)
    assert reply["status"] == "ok" and reply["value"] == reply["readback"] == value
    assert reply.get("id") == payload.get("id")
    assert press.wrote() == [(6, 0, f"{value:04x}")]


def test_the_newest_value_is_an_ordinary_reading(gate, operator, press, recorder):
    gate(extra="quiet = holding 5 u16 writable every=1h\n", mqtt={"format": "json, value"})
    recorder.wait_reading("press", "quiet", value=0)
    mark = recorder.mark()
    assert operator.ask("press/quiet/set", "77")["status"] == "ok"
    recorder.wait_reading("press", "quiet", since=mark, value=77)
    recorder.wait(lambda m: m.topic.endswith("/value/press/quiet") and m.payload == b"77", 10, "the value", mark)


def test_several_points_are_written_in_the_order_given_with_one_reply(gate, operator, press):
    gate()
    values = {"temp": 21.5, "relay": True, "setpoint": 11, "mode": "auto"}
    reply = operator.ask("press/set", {"id": "many", "values": values})
    assert reply["status"] == "ok" and reply["id"] == "many" and list(reply["values"]) == list(values)
    for name, value in values.items():
        assert reply["values"][name] == {"status": "ok", "value": value, "readback": value}
    assert press.wrote() == [(6, 1, "00d7"), (5, 0, "ff00"), (6, 0, "000b"), (6, 3, "0001")]


def test_neighbours_of_one_command_share_a_write(gate, operator, press):
    gate()
    reply = operator.ask("press/set", {"id": fresh_id(), "values": {"x0": 1, "x1": 2, "x2": 3}})
    assert reply["status"] == "ok"
    reply = operator.ask("press/set", {"id": fresh_id(), "values": {"relay": True, "lamp": False, "horn": True}})
    assert reply["status"] == "ok"
    assert [v["readback"] for v in reply["values"].values()] == [True, False, True]
    assert press.wrote() == [(16, 30, "000100020003"), (15, 0, "05")]
    # Apart, nothing between them is written.
    operator.ask("press/set", {"id": fresh_id(), "values": {"x0": 7, "x2": 9}})
    assert press.wrote()[2:] == [(6, 30, "0007"), (6, 32, "0009")]


@pytest.mark.parametrize("bad, code", [
    ({"setpoint": 99}, "range"), ({"temp": 20.25}, "step"), ({"fixed": 1}, "read-only"), ({"nonsense": 1}, "unknown"),
    ({"mode": "sideways"}, "type"), ({"relay": 7}, "type"), ({"x1": None}, "type"),
])
def test_one_bad_value_among_several_and_nothing_is_written(gate, operator, press, bad, code):
    gate()
    for values in ({**bad, "x0": 5}, {"x0": 5, **bad}):
        reply = operator.ask("press/set", {"id": fresh_id(), "values": values})
        assert reply["status"] == "rejected" and reply["code"] == code and reply["message"], reply
    assert press.wrote() == []


def test_after_a_point_that_failed_the_rest_is_not_tried(gate, operator, press):
    gate()
    press.sim.cmd("exception t 1 holding 1 4")
    reply = operator.ask("press/set", {"id": "x", "values": {"x0": 5, "temp": 20, "x2": 6}})
    assert reply["status"] == "failed", reply
    values = reply["values"]
    assert values["x0"]["status"] == "ok" and values["x0"]["readback"] == 5
    assert (values["temp"]["status"], values["temp"]["code"]) == ("failed", "exception-4")
    assert values["x2"]["status"] == "rejected" and "readback" not in values["x2"]
    assert press.holding(32) == [0]


@pytest.mark.sanitizer
def test_get_reads_the_device_now(gate, operator, press):
    gate(interval="1h")
    press.sim.cmd("set t 1 holding 4 123")
    for payload in ("", {"id": "g1"}):
        reply = operator.ask("press/fixed/get", payload)
        assert reply["status"] == "ok" and reply.get("readback", reply.get("value")) == 123, reply
        assert reply.get("id") == (payload or {}).get("id")
    first = operator.ask("press/count/get")
    second = operator.ask("press/count/get")
    assert second["readback"] > first["readback"], "a new read each time, of a counter that no two answers share"
    assert press.writes() == []


def test_get_of_a_device_answers_with_all_of_its_points(gate, operator, press):
    gate(interval="1h")
    press.sim.cmd("set t 1 holding 1 -55")
    reply = operator.ask("press/get", {"id": "all"})
    assert reply["status"] == "ok" and reply["id"] == "all"
    assert list(reply["values"]) == ["relay", "lamp", "horn", "setpoint", "temp", "mode", "fixed", "energy", "real",
                                     "wide", "label", "x0", "x1", "x2", "count"]
    found = {name: value.get("readback") for name, value in reply["values"].items()}
    assert found["temp"] == -5.5 and found["mode"] == "auto" and found["label"] == "none" and found["relay"] is False


def test_a_device_of_more_points_than_a_command_holds_is_read_in_one_reply(broker, recorder, gate, operators, sim):
    with TcpSlave({1: {"holding": {n: n for n in range(200)}}}) as slave:
        points = "".join(f"p{n} = holding {n} u16\n" for n in range(150))
        gate(rest=f"[line big]\ndriver = modbus-tcp\nhost = {slave.host}\n[device big]\nline = big\naddress = 1\n"
             f"interval = 1h\n[points big]\n{points}")
        one = operators()
        reply = one.ask("big/get", {"id": "b"}, seconds=20)
        assert [v["readback"] for v in reply["values"].values()] == list(range(150))
        one.check()


def test_get_of_what_does_not_answer_says_why(gate, operator, press):
    gate(interval="1h")
    press.sim.cmd("exception t 1 holding 4 2")
    reply = operator.ask("press/fixed/get")
    assert (reply["status"], reply["code"]) == ("failed", "exception-2") and "readback" not in reply, reply
    press.sim.cmd("dead t 1 on")
    reply = operator.ask("press/x0/get")
    assert (reply["status"], reply["code"]) == ("failed", "timeout"), reply
    press.sim.cmd("dead t 1 off")


def test_a_dry_run_checks_everything_and_touches_nothing(gate, operator, press):
    gate()
    assert operator.ask("press/setpoint/set", {"id": "d1", "value": 25, "dry_run": True})["status"] == "ok"
    bad = operator.ask("press/setpoint/set", {"id": "d2", "value": 31, "dry_run": True})
    assert (bad["status"], bad["code"]) == ("rejected", "range")
    assert press.writes() == []


# ---- where replies go ----

def test_on_mqtt_5_the_response_topic_gets_the_reply_with_the_correlation_data(gate, operator, press):
    gate()
    operator.listen("answers/of/mine")
    reply = operator.ask("press/setpoint/set", {"id": "r", "value": 12}, response="answers/of/mine",
                         correlation=b"\x00\xff42")
    other = operator.ask("press/setpoint/set", "99", response="answers/of/mine", correlation=b"2")
    answers = operator.wait_responses(2)
    assert answers[0].payload == reply and answers[0].correlation == b"\x00\xff42"
    assert answers[1].payload == other and answers[1].correlation == b"2"
    assert other["code"] == "range"


@pytest.mark.parametrize("topic", ["railhead/gw/cmd/press/setpoint/set", "railhead/gw/cmd/gateway/fence"])
def test_a_response_topic_is_no_way_to_command(gate, operator, press, recorder, topic):
    gate()
    mark = recorder.mark()
    assert operator.ask("press/setpoint/set", "12", response=topic)["status"] == "ok"
    operator.ask("gateway/ping")
    sent = [m for m in recorder.messages(mark) if m.topic == topic and b'"status"' in m.payload]
    assert not sent, "the reply went to a command topic"
    assert press.wrote() == [(6, 0, "000c")]


def test_replies_are_not_retained(gate, operator, recorder):
    gate()
    operator.ask("press/setpoint/set", "12")
    assert all(not m.retain for m in recorder.messages() if "/reply/" in m.topic)


# ---- what the device does with it ----

# The record of what a TcpSlave was asked has a count in every entry.
WriteSingleRegisterRequest.count = 1


class Stubborn(TcpSlave):
    """Acknowledges every write and keeps what it has at the frozen addresses."""

    def __init__(self, frozen, values):
        super().__init__({1: {"holding": values}})
        context = self._context[1]
        keep, tell, claimed = context.setValues, context.getValues, {}

        def set_values(function, address, words):
            claimed[address] = words
            if address not in frozen:
                keep(function, address, words)

        def get_values(function, address, count=1):
            return claimed[address] if function == 6 else tell(function, address, count)

        context.setValues, context.getValues = set_values, get_values


def stubborn_body(slave, options):
    return (f"[line odd]\ndriver = modbus-tcp\nhost = {slave.host}\ntimeout = 300ms\n[device odd]\nline = odd\n"
            f"address = 1\ninterval = 100ms\nwrites = allow\n[points odd]\nlevel = holding 0 u16 writable {options}\n")


def test_verify_fails_where_the_device_keeps_its_value(gate, operator, recorder):
    with Stubborn({0}, {0: 7}) as slave:
        gate(rest=stubborn_body(slave, "verify"))
        recorder.wait_reading("odd", "level")
        reply = operator.ask("odd/level/set", "9")
        assert (reply["status"], reply["code"]) == ("failed", "verify"), reply
        assert reply["value"] == 9 and reply["readback"] == 7
        assert operator.ask("odd/level/set", "7")["status"] == "ok"
        operator.check()


def test_without_verify_the_readback_tells(gate, operator, recorder):
    with Stubborn({0}, {0: 7}) as slave:
        gate(rest=stubborn_body(slave, ""))
        recorder.wait_reading("odd", "level")
        reply = operator.ask("odd/level/set", "9")
        assert reply["status"] == "ok" and reply["value"] == 9 and reply["readback"] == 7
        operator.check()


@pytest.mark.parametrize("fault, code, mended", [
    ("exception t 1 holding 0 4", "exception-4", "exception t 1 holding 0 0"),
    ("exception t 1 holding 0 2", "exception-2", "exception t 1 holding 0 0"),
    ("hole t 1 holding 0", "exception-2", None),
    ("dead t 1 on", "timeout", "dead t 1 off"),
])
def test_what_the_device_refuses_has_failed_and_says_how(gate, operator, press, recorder, fault, code, mended):
    gate()
    recorder.wait_reading("press", "setpoint")
    press.sim.cmd(fault)
    reply = operator.ask("press/setpoint/set", {"id": "f", "value": 21})
    assert (reply["status"], reply["code"]) == ("failed", code) and reply["message"], reply
    assert "readback" not in reply
    assert len([w for w in press.writes() if w.function == 6]) <= 1, "a write is never repeated"
    if mended:
        press.sim.cmd(mended)
        assert press.holding(0) == [20]


def test_a_write_whose_answer_was_lost_is_judged_by_what_reads_back(gate, operator, press, recorder):
    gate()
    recorder.wait_reading("press", "setpoint")
    press.sim.cmd("drop t 1 on")
    mark = operator.send("press/setpoint/set", {"id": "lost", "value": 21})
    until(lambda: press.holding(0) == [21], 10, "the write")
    press.sim.cmd("drop t 1 off")
    reply = operator.reply("press/setpoint/set", mark, "lost")
    assert reply["status"] == "ok" and reply["readback"] == 21, reply
    assert len(press.writes()) == 1, "a write is never repeated"


def test_exception_5_means_accepted(gate, operator, press, recorder):
    gate()
    recorder.wait_reading("press", "setpoint")
    press.sim.cmd("exception t 1 holding 0 5")
    assert operator.ask("press/setpoint/set", "21")["status"] == "ok"


def test_a_busy_device_is_asked_again(gate, operator, press):
    gate(interval="1h")
    press.sim.cmd("busy t 1 on")
    mark = operator.send("press/setpoint/set", {"id": "b", "value": 21})
    until(lambda: len(press.writes()) >= 2, 10, "a second try")
    press.sim.cmd("busy t 1 off")
    assert operator.reply("press/setpoint/set", mark, "b")["status"] == "ok"


def test_a_line_that_is_away_fails_at_once(gate, operator, press):
    gate()
    press.sim.cmd("unplug t")
    until(lambda: operator.ask("press/setpoint/set", "21").get("code") == "offline", 15, "code offline")
    press.sim.cmd("plug t")
    until(lambda: operator.ask("press/setpoint/set", "22")["status"] == "ok", 20, "the line back")


# ---- the audit ----

def test_each_command_leaves_its_rows_in_the_store(gate, operator, press, recorder, store):
    gateway = gate(extra="guard = holding 6 u16 writable critical\n")
    recorder.wait_reading("press", "setpoint", value=20)
    operator.ask("press/setpoint/set", {"id": "a1", "value": 21, "by": "anna"})
    operator.ask("press/setpoint/set", "22")
    operator.ask("press/setpoint/set", {"id": "a2", "value": 99, "by": "ben"})
    operator.ask("press/set", {"id": "a3", "values": {"x0": 1, "mode": "auto"}, "by": "carl"})
    operator.ask("press/setpoint/get")
    press.sim.cmd("exception t 1 holding 0 4")
    operator.ask("press/setpoint/set", {"id": "a4", "value": 23})
    operator.ask("press/guard/set", {"id": "a5", "value": 1, "expires": soon()})
    operator.check()
    assert gateway.stop() == 0
    root = "railhead/gw/cmd/press/"
    found = audit(store)
    assert found[0] == (root + "setpoint/set", "a1", "anna", "press.setpoint", "20", "21", "ok")
    assert found[1] == (root + "setpoint/set", "", "", "press.setpoint", "21", "22", "ok")
    assert found[2][:3] == (root + "setpoint/set", "a2", "ben") and found[2][-1] == "rejected range"
    assert found[3][3:] == ("press.x0", "0", "1", "ok") and found[3][2] == "carl"
    assert found[4][3] == "press.mode" and found[4][-1] == "ok"
    assert found[5][1] == "a4" and found[5][-1] == "failed exception-4"
    assert found[6][1] == "a5" and found[6][-1] == "ok" and len(found) == 7, found


# ---- the gateway itself ----

def test_ping_and_resend_meta_are_allowed(gate, operator, recorder):
    gate()
    assert operator.ask("gateway/ping", {"id": "p"})["status"] == "ok"
    recorder.wait(lambda m: m.topic.endswith("/meta/press"), 10)
    mark = recorder.mark()
    assert operator.ask("gateway/resend-meta")["status"] == "ok"
    recorder.wait(lambda m: m.topic.endswith("/meta/press"), 10, "meta again", mark)


@pytest.mark.parametrize("verb", ["reload", "log-level", "store-stat", "scan", "resend", "nonsense", "fence-2"])
def test_other_verbs_are_refused_unless_allowed(gate, operator, verb):
    gateway = gate()
    before = gateway.mark()
    reply = operator.ask(f"gateway/{verb}", {"id": "v", "value": "debug"})
    assert reply["status"] == "rejected" and reply["id"] == "v", reply
    assert reply["code"] in ("unknown", "read-only")
    operator.ask("gateway/ping")
    assert not [line for line in gateway.lines(before) if "reload" in line and "configuration" in line]


def test_points_of_one_write_share_its_fate_and_each_is_judged(gate, operator, press, recorder):
    gate()
    recorder.wait_reading("press", "x0")
    press.sim.cmd("drop t 1 on")
    mark = operator.send("press/set", {"id": "lost", "values": {"x0": 1, "x1": 2, "x2": 3, "mode": "manual"}})
    until(lambda: press.holding(30, 3) == [1, 2, 3], 10, "the write")
    press.sim.cmd("drop t 1 off")
    values = operator.reply("press/set", mark, "lost")["values"]
    for name, value in {"x0": 1, "x1": 2, "x2": 3}.items():
        assert values[name]["status"] == "ok" and values[name]["readback"] == value, values
    press.sim.cmd("exception t 1 holding 31 4")
    values = operator.ask("press/set", {"id": "no", "values": {"x0": 5, "x1": 6, "x2": 7, "relay": 1}})["values"]
    assert [values[name].get("code") for name in ("x0", "x1", "x2")] == ["exception-4"] * 3, values
    assert values["relay"]["status"] == "rejected"


def test_what_reads_back_wrong_stops_the_rest_of_the_command(gate, operator, recorder):
    with Stubborn({0}, {0: 7}) as slave:
        gate(rest=stubborn_body(slave, "verify") + "other = holding 9 u16 writable\n")
        recorder.wait_reading("odd", "level")
        values = operator.ask("odd/set", {"id": "v", "values": {"level": 9, "other": 1}})["values"]
        assert (values["level"]["status"], values["level"]["code"]) == ("failed", "verify")
        assert values["other"]["status"] == "rejected", values
        assert operator.ask("odd/other/get")["readback"] == 0
        operator.check()
