# SPDX-License-Identifier: MIT
"""An id is carried out once: before and after restarts, clean ones and kills, and while the first still runs."""
import json

import pytest

from commanding import again, gate, operator, operators, press, rows  # noqa: F401
from operators import fresh_id, soon
from waiting import until


def end(gateway, operator, how):
    if how == "kill":
        gateway.kill()
        operator.killed()
    else:
        assert gateway.stop() == 0


def assert_repeated(text, first):
    """The stored reply, verbatim, plus one key."""
    assert text == first[:-1] + b',"duplicate":true}'


def put(operator, target, payload):
    """Sends, and returns the reply as it came."""
    mark = operator.send(target, payload)
    return operator.reply_text(target, mark, payload.get("id"))


@pytest.mark.sanitizer
@pytest.mark.parametrize("how", ["running", "stop", "kill"])
def test_a_repeated_id_gets_the_stored_reply_and_touches_nothing(gate, again, operator, press, how):
    gateway = gate()
    asked = {
        "press/setpoint/set": {"id": "s", "value": 25},
        "press/set": {"id": "m", "values": {"x0": 1, "mode": "manual"}},
        "press/temp/set": {"id": "bad", "value": 99},
        "press/fixed/get": {"id": "g"},
        "gateway/ping": {"id": "p"},
    }
    first = {target: put(operator, target, payload) for target, payload in asked.items()}
    writes = press.wrote()
    assert len(writes) == 3
    if how != "running":
        end(gateway, operator, how)
        press.sim.cmd("set t 1 holding 4 999")
        again(gateway)
    for target, payload in asked.items():
        assert_repeated(put(operator, target, payload), first[target])
    # Whatever the payload now.
    for other in ({"value": 26}, {"value": 99}, {}, {"value": 1, "expires": 1}, {"value": 25, "dry_run": True},
                  {"values": {"x0": 2}}):
        other = {"id": "s", **other}
        assert_repeated(put(operator, "press/setpoint/set", other), first["press/setpoint/set"])
    assert press.wrote() == writes


def test_an_id_belongs_to_its_topic(gate, operator, press):
    gate()
    for target in ("press/x0/set", "press/x1/set", "press/x0/get", "gateway/ping"):
        reply = operator.ask(target, {"id": "same", "value": 1} if target.endswith("set") else {"id": "same"})
        assert reply["status"] == "ok" and "duplicate" not in reply
    assert len(press.writes()) == 2


@pytest.mark.sanitizer
def test_an_id_of_which_the_first_still_runs_is_a_duplicate(gate, operator, press):
    gate(interval="1h", timeout="5s")
    press.sim.cmd("late t 1 600ms")
    mark = operator.send("press/x0/set", {"id": "slow", "value": 1})
    until(lambda: press.holding(30) == [1], 10, "the write on its way")
    assert operator.ask("press/x0/set", {"id": "slow", "value": 2})["status"] == "duplicate"
    text = operator.recorder.wait(lambda m: m.topic.endswith("/reply/press/x0") and b'"ok"' in m.payload, 10,
                                  since=mark)
    press.sim.cmd("late t 1 off")
    assert json.loads(text.payload)["readback"] == 1
    assert_repeated(put(operator, "press/x0/set", {"id": "slow", "value": 3}), text.payload)
    assert press.wrote() == [(6, 30, "0001")]


@pytest.mark.sanitizer
@pytest.mark.parametrize("target, payload", [
    ("press/x0/set", {"id": "cut", "value": 7}),
    ("press/set", {"id": "cut", "values": {"x0": 7, "mode": "manual"}, "by": "anna"}),
])
def test_killed_between_write_and_reply_it_is_unconfirmed_and_never_done_again(
        gate, again, operator, press, store, target, payload):
    gateway = gate(interval="1h", timeout="20s")
    press.sim.cmd("late t 1 10s")
    mark = operator.send(target, payload)
    until(lambda: press.holding(30) == [7], 10, "the write at the device")
    gateway.kill()
    operator.killed()
    assert not operator.replies(target)
    press.sim.cmd("late t 1 off")
    press.sim.cmd("set t 1 holding 30 0")
    again(gateway)
    first = operator.reply_text(target, mark, "cut")
    assert json.loads(first)["status"] == "unconfirmed" and json.loads(first)["message"]
    for expires in ({}, {"expires": soon()}):
        assert_repeated(put(operator, target, {**payload, **expires}), first)
    assert gateway.stop() == 0
    again(gateway)
    assert_repeated(put(operator, target, payload), first)
    assert press.holding(30) == [0], "carried out again"
    assert len([r for r in operator.replies(target) if "duplicate" not in r]) == 1


def test_an_id_is_on_disk_before_the_device_hears_of_it(gate, operator, press, store):
    gateway = gate(interval="1h", timeout="20s")
    press.sim.cmd("late t 1 10s")
    operator.send("press/x0/set", {"id": "early", "value": 7}, replies=0)
    until(lambda: press.holding(30) == [7], 10, "the write at the device")
    gateway.kill()
    operator.killed()
    press.sim.cmd("late t 1 off")
    assert rows(store, "SELECT id, reply FROM seen") == [("early", None)]


def test_a_command_that_was_queued_and_is_repeated_is_done_once(gate, again, operator, press):
    """An operator who sees no reply sends again, with the same id and a time until which it is good."""
    gateway = gate()
    assert gateway.stop() == 0
    for _ in range(4):
        operator.send("press/x0/set", {"id": "retry", "value": 3, "expires": soon()})
    again(gateway)
    operator.check()
    replies = operator.replies("press/x0/set")
    assert replies[0]["status"] in ("ok", "duplicate") and press.wrote() == [(6, 30, "0003")]
    assert sum(r["status"] == "ok" and "duplicate" not in r for r in replies) == 1


def test_killed_at_any_moment_nothing_is_done_twice_and_everything_is_answered(gate, again, operator, press):
    """Commands without end, kills in between: each id is written at most once, and answered in the end."""
    gateway = gate()
    sent = {}
    for turn in range(6):
        for n in range(12):
            value = 12 * turn + n + 1
            ident = fresh_id()
            sent[ident] = value
            operator.send("press/x1/set", {"id": ident, "value": value, "expires": soon()}, wait=False)
        until(lambda t=turn: len(press.writes()) >= t + 1 + min(t, 4), 20, "some writes")
        gateway.kill()
        operator.killed()
        again(gateway)
    operator.check(30)
    written = [w.data for w in press.writes()]
    assert len(written) == len(set(written)), "a value was written twice"
    outcomes = {r["id"]: r for r in operator.replies("press/x1/set")}
    assert set(outcomes) == set(sent)
    for ident, reply in outcomes.items():
        assert reply["status"] in ("ok", "unconfirmed") or reply.get("code") in ("busy", "offline"), reply
        done = f"{sent[ident]:04x}" in written
        assert done == (reply["status"] == "ok") or reply["status"] == "unconfirmed", (done, reply)


def test_what_was_replied_while_the_broker_was_away_comes_later(gate, operators, press, broker, recorder):
    gate(interval="1h", timeout="5s")
    one = operators()
    press.sim.cmd("late t 1 1500ms")
    mark = one.send("press/x0/set", {"id": "gap", "value": 4})
    until(lambda: press.holding(30) == [4], 10, "the write")
    broker.stop()
    until(lambda: len(press.writes()) == 1, 10, "the answer")
    press.sim.cmd("late t 1 off")
    broker.start()
    assert one.reply("press/x0/set", mark, "gap", 20)["status"] == "ok"
    assert len(press.writes()) == 1
