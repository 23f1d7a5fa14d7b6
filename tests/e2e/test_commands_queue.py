# SPDX-License-Identifier: MIT
"""Commands that must not be carried out any more: retained ones, queued ones, expired ones."""
import paho.mqtt.client as mqtt
import pytest

from commanding import again, gate, operator, operators, press, ready  # noqa: F401
from inifile import ini
from mosquitto import Mosquitto
from operators import fresh_id, soon
from proxy import Proxy
from waiting import until

VERSIONS = pytest.mark.parametrize("version", ["5", "3.1.1"])
CLIENTS = {"5": mqtt.MQTTv5, "3.1.1": mqtt.MQTTv311}


@pytest.fixture
def broker(tmp_path):
    """One that queues messages of QoS 0 as well."""
    with Mosquitto(tmp_path / "broker", extra="queue_qos0_messages true") as one:
        yield one


# ---- retained ----

@VERSIONS
@pytest.mark.sanitizer
def test_what_was_retained_before_the_gateway_starts_is_never_carried_out(gate, operators, press, version):
    one = operators(version=CLIENTS[version])
    due = 0 if version == "5" else 1  # retain handling 2 keeps it away; 3.1.1 brings it, with its flag
    one.send("press/setpoint/set", "25", retain=True, replies=due)
    one.send("press/relay/set", {"id": "kept", "value": True, "expires": soon()}, retain=True, replies=due)
    gate(mqtt={"version": version})
    one.check()
    assert press.writes() == []
    for reply in one.replies("press/setpoint/set") + one.replies("press/relay/set"):
        assert (reply["status"], reply["code"]) == ("rejected", "retained")


@VERSIONS
def test_what_is_retained_while_the_gateway_is_away_is_never_carried_out(gate, again, operators, press, version):
    gateway = gate(mqtt={"version": version})
    assert gateway.stop() == 0
    one = operators()
    # A durable subscriber gets it from its queue as well, there without the flag: one that came while away.
    one.send("press/setpoint/set", "25", retain=True)
    one.expected.clear()
    again(gateway)
    one.ask("gateway/ping")
    assert press.writes() == []
    for reply in one.replies("press/setpoint/set"):
        assert reply["status"] == "expired" or reply["code"] == "retained", reply
    assert len(one.replies("press/setpoint/set")) == (1 if version == "5" else 2)


def test_what_is_retained_while_the_gateway_is_connected_is_refused(gate, again, operator, press, recorder):
    gateway = gate()
    reply = operator.ask("press/setpoint/set", {"id": "r", "value": 25, "expires": soon()}, retain=True)
    assert (reply["status"], reply["code"], reply["id"]) == ("rejected", "retained", "r")
    assert gateway.wait_log("retain", 5)
    # The id was not used up: the same command without retain is carried out.
    assert operator.ask("press/setpoint/set", {"id": "r", "value": 25})["status"] == "ok"
    assert gateway.stop() == 0
    again(gateway)
    operator.ask("gateway/ping")
    assert press.wrote() == [(6, 0, "0019")]


def test_on_3_1_1_a_retained_command_is_done_at_most_once_and_never_from_the_brokers_memory(
        gate, again, operators, press):
    """To a subscriber that is there the broker passes it on like any other: the flag is only on stored ones."""
    gateway = gate(mqtt={"version": "3.1.1"})
    one = operators()
    one.ask("press/setpoint/set", "25", retain=True)
    assert len(press.writes()) <= 1
    for _ in range(2):
        assert gateway.stop() == 0
        mark = one.recorder.mark()
        again(gateway)
        reply = one.reply("press/setpoint/set", mark)
        assert (reply["status"], reply["code"]) == ("rejected", "retained")
    assert len(press.writes()) <= 1


# ---- queued ----

class Away:
    """Ways in which a gateway is away from its broker."""

    def __init__(self, how, gateway, recorder, proxy):
        self.how, self.gateway, self.recorder, self.proxy = how, gateway, recorder, proxy

    def leave(self):
        if self.how == "stopped":
            assert self.gateway.stop() == 0
        elif self.how == "killed":
            self.gateway.kill()
        else:
            self.proxy.stall()
            self.proxy.cut()
            self.gateway.wait_log("lost", 20)

    def come_back(self):
        mark = self.recorder.mark()
        if self.how == "cut":
            self.proxy.flow()
        else:
            self.gateway.start()
        ready(self.recorder, mark)


@pytest.fixture
def proxy(broker):
    one = Proxy(broker.port)
    yield one
    one.close()


@pytest.mark.sanitizer
@pytest.mark.parametrize("how", ["stopped", "killed", "cut"])
@VERSIONS
def test_what_was_queued_during_an_outage_is_expired_unless_it_says_how_long_it_is_good(
        recorder, start, store, press, operators, proxy, version, how):
    mark = recorder.mark()
    gateway = start(ini(proxy.url, store, press.body(), mqtt={"version": version, "qos": 1}))
    ready(recorder, mark)
    away = Away(how, gateway, recorder, proxy)
    one = operators(version=CLIENTS[version])
    assert one.ask("press/x2/set", "9")["status"] == "ok", "before the outage"
    away.leave()
    one.killed()
    for qos in (0, 1, 2):
        one.send("press/setpoint/set", "25", qos=qos)
        one.send("press/setpoint/set", {"id": f"plain{qos}", "value": 26}, qos=qos)
        one.send("press/x0/set", {"id": f"good{qos}", "value": 100 + qos, "expires": soon(60)}, qos=qos)
        one.send("press/x1/set", {"id": f"old{qos}", "value": 200, "expires": soon(0.01)}, qos=qos)
    one.send("gateway/ping", {"id": "ping"})
    away.come_back()
    one.check()
    for qos in (0, 1, 2):
        for ident in (f"plain{qos}", f"old{qos}"):
            (reply,) = [r for r in one.replies() if r.get("id") == ident]
            assert reply["status"] == "expired" and "code" not in reply, reply
        (reply,) = [r for r in one.replies() if r.get("id") == f"good{qos}"]
        assert reply["status"] == "ok" and reply["readback"] == 100 + qos
    bare = [r for r in one.replies("press/setpoint/set") if "id" not in r]
    assert [r["status"] for r in bare] == ["expired"] * 3
    (ping,) = [r for r in one.replies("gateway/ping") if r.get("id") == "ping"]
    assert ping["status"] == "expired"
    assert press.wrote() == [(6, 32, "0009"), (6, 30, "0064"), (6, 30, "0065"), (6, 30, "0066")]
    assert one.ask("press/x2/set", "10")["status"] == "ok", "after the outage"


@pytest.mark.sanitizer
@pytest.mark.parametrize("how", ["stopped", "cut"])
def test_a_rogue_message_does_not_open_the_fence(recorder, start, store, press, operators, proxy, how):
    """Neither a guess, nor nothing, nor a nonce of an earlier connect."""
    mark = recorder.mark()
    gateway = start(ini(proxy.url, store, press.body(), mqtt={"qos": 1}))
    ready(recorder, mark)
    away = Away(how, gateway, recorder, proxy)
    one = operators()
    one.ask("gateway/ping")
    away.leave()
    one.killed()
    for payload in ["guessed", "", "\0", *(m.payload for m in recorder.messages(topic="cmd/gateway/fence"))]:
        one.raw("cmd/gateway/fence", payload)
        one.send("press/setpoint/set", {"id": fresh_id(), "value": 21})
    away.come_back()
    one.check()
    assert {r["status"] for r in one.replies("press/setpoint/set")} == {"expired"}
    assert press.writes() == []
    one.raw("cmd/gateway/fence", "x")
    assert one.ask("press/setpoint/set", "21")["status"] == "ok", "and does not shut it"


def test_a_session_that_the_broker_lost_brings_nothing_and_opens_the_fence_again(broker, gate, operators, recorder,
                                                                                 press):
    broker.persistence = False
    broker.stop()
    broker.start()
    gate()
    mark = recorder.mark()
    broker.stop()
    broker.start()
    ready(recorder, mark)
    one = operators()
    assert one.ask("press/setpoint/set", "21")["status"] == "ok"


# ---- expires ----

def test_expires(gate, operator, press):
    gate()
    for ident, expires, status in [("future", soon(30), "ok"), ("past", soon(-1), "expired"), ("epoch", 0, "expired"),
                                   ("far", soon(10 * 365 * 86400), "ok"), ("largest", 2 ** 63 - 1, "ok")]:
        reply = operator.ask("press/setpoint/set", {"id": ident, "value": 21, "expires": expires})
        assert reply["status"] == status, reply
    for wrong in (-1, 1.5, "1795163955698", True, None):
        reply = operator.ask("press/setpoint/set", {"id": "w" + fresh_id(), "value": 22, "expires": wrong})
        assert (reply["status"], reply["code"]) == ("rejected", "type"), reply
    assert press.wrote() == [(6, 0, "0015")] * 3


def test_a_command_that_expires_while_the_line_is_busy_is_not_begun(gate, operator, press):
    gate(interval="1h", timeout="3s")
    press.sim.cmd("late t 1 700ms")
    operator.send("press/x0/set", {"id": "slow", "value": 1})
    until(lambda: press.holding(30) == [1], 10, "the first write on its way")
    reply = operator.ask("press/x1/set", {"id": "late", "value": 1, "expires": soon(0.3)})
    press.sim.cmd("late t 1 off")
    assert reply["status"] == "expired", reply
    assert [w.address for w in press.writes()] == [30]


def test_an_expired_id_stays_answered(gate, operator, press):
    gate()
    first = operator.ask("press/setpoint/set", {"id": "e", "value": 21, "expires": soon(-1)})
    second = operator.ask("press/setpoint/set", {"id": "e", "value": 21})
    assert second == {**first, "duplicate": True} and press.writes() == []
