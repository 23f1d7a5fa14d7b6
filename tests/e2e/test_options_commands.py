# SPDX-License-Identifier: MIT
"""Options of commands, of the points they write, and of TLS: each is changed, and the difference seen outside."""
import re

import pytest

import test_commands_refused
import test_tls
from commanding import gate, operator, operators, press  # noqa: F401
from operators import soon
from options import option
from test_commands import Stubborn, stubborn_body

# The tests of the commands and of TLS change these, and see the difference.
option("device", "writes")(test_commands_refused.test_writable_points_of_a_device_without_writes_allow_are_read_only)
option("points", "critical", "momentary")(
    test_commands_refused.test_critical_and_momentary_points_demand_what_they_demand)
option("points", "min_interval")(test_commands_refused.test_min_interval_is_kept_over_every_way_to_the_point)
option("points", "max_delta")(test_commands_refused.test_max_delta_bounds_the_change_and_needs_a_known_value)
option("mqtt", "tls")(test_tls.test_plain_text_to_other_machines_must_be_said_aloud)
option("mqtt", "ca_file")(test_tls.test_a_broker_with_a_good_certificate_gets_everything)
option("mqtt", "cert_file", "key_file")(test_tls.test_a_client_certificate_is_shown_where_it_is_demanded)


@option("points", "writable")
def test_only_writable_points_are_written(gate, operator, press):
    gate(extra="open = holding 5 u16 writable\nshut = holding 6 u16\nno = holding 7 u16 writable=no\n")
    assert operator.ask("press/open/set", "1")["status"] == "ok"
    assert operator.ask("press/shut/set", "1")["code"] == "read-only"
    assert operator.ask("press/no/set", "1")["code"] == "read-only"
    assert press.wrote() == [(6, 5, "0001")]


@option("points", "step")
def test_the_step_counts_from_min_or_0(gate, operator, press):
    gate(extra="a = holding 5 u16 writable step=7\nb = holding 6 u16 writable min=3 step=7\n"
         "c = holding 7 s16 writable scale=0.01 min=-1 step=0.15\n")
    for target, good, bad in [("a", ["0", "7", "70"], ["1", "8"]), ("b", ["3", "10"], ["7", "4"]),
                              ("c", ["-1", "-0.85", "0.05", "0.2"], ["0", "0.06"])]:
        for value in good:
            assert operator.ask(f"press/{target}/set", value)["status"] == "ok", (target, value)
        for value in bad:
            assert operator.ask(f"press/{target}/set", value)["code"] == "step", (target, value)


@option("points", "verify", "tolerance")
@pytest.mark.parametrize("options, wanted, status", [
    ("", "9", "ok"), ("verify", "9", "failed"), ("verify", "7", "ok"),
    ("verify tolerance=1", "8", "ok"), ("verify tolerance=1", "9", "failed"), ("verify tolerance=2", "9", "ok"),
])
def test_verify_and_its_tolerance(gate, operator, recorder, options, wanted, status):
    with Stubborn({0}, {0: 7}) as slave:
        gate(rest=stubborn_body(slave, options))
        recorder.wait_reading("odd", "level")
        reply = operator.ask("odd/level/set", wanted)
        assert reply["status"] == status and reply.get("code", "verify") == "verify", reply
        operator.check()


@option("device", "write_fc")
@pytest.mark.parametrize("options, functions", [("", [6, 16, 5]), ("write_fc=16", [16, 16, 5])])
def test_the_function_of_a_single_register(gate, operator, press, options, functions):
    gate(device="writes=allow " + options)
    for target, value in (("x0", "258"), ("energy", "1"), ("relay", "1")):
        assert operator.ask(f"press/{target}/set", value)["status"] == "ok"
    assert [w.function for w in press.writes()] == functions
    assert press.writes()[0].data == "0102"


@option("commands", "verbs")
@pytest.mark.parametrize("verbs, good, bad", [
    (None, ["ping", "resend-meta"], ["reload", "log-level", "store-stat"]),
    ("store-stat, log-level", ["store-stat", "log-level"], ["ping", "resend-meta", "reload"]),
    ("none", [], ["ping", "resend-meta", "reload", "log-level", "store-stat"]),
])
def test_which_verbs_are_allowed(gate, operators, verbs, good, bad):
    gate(commands=f"\n[commands]\nverbs = {verbs}\n" if verbs else "")
    one = operators()
    for verb in good:
        assert one.ask(f"gateway/{verb}", {"id": verb, "value": "notice"})["status"] == "ok", verb
    for verb in bad:
        assert one.ask(f"gateway/{verb}", {"id": verb, "value": "notice"})["status"] == "rejected", verb
    one.check(ping=False)


def test_reload_log_level_and_store_stat_do_what_they_say(gate, operator, press, broker, store, recorder):
    verbs = "\n[commands]\nverbs = ping, reload, log-level, store-stat\n"
    gateway = gate(commands=verbs)
    assert re.search(r"\d+ messages in \d+ bytes", operator.ask("gateway/store-stat")["message"])
    assert operator.ask("gateway/log-level", "loud")["code"] in ("range", "type")
    assert operator.ask("gateway/log-level")["status"] == "rejected"
    mark = gateway.mark()
    assert operator.ask("gateway/log-level", "warning")["status"] == "ok"
    operator.ask("press/setpoint/set", "99")
    assert not [line for line in gateway.lines(mark) if "rejected range" in line], "a notice, which is below warning"
    assert operator.ask("gateway/log-level", {"id": "l", "value": "notice"})["status"] == "ok"
    operator.ask("press/setpoint/set", "99")
    gateway.wait_log("rejected range", 5, since=mark)
    gateway.configure(press.config(broker, store, commands=verbs, extra="added = holding 6 u16 writable\n"))
    assert operator.ask("gateway/reload")["status"] == "ok"
    recorder.wait_reading("press", "added")
    assert operator.ask("press/added/set", "3")["status"] == "ok"


@option("commands", "response_prefix")
def test_responses_go_only_below_the_prefix(gate, operator, press):
    gate(commands="\n[commands]\nresponse_prefix = {root}/answers/\n")
    operator.listen("#")
    for topic in ("elsewhere", "railhead/gw/answers/one", "railhead/gw/answersX", "railhead/other/answers/one",
                  "railhead/gw/data/press"):
        operator.ask("press/setpoint/set", {"id": topic, "value": 25, "expires": soon()}, response=topic)
    operator.ask("gateway/ping", response="railhead/gw/answers/end")
    answers = ("elsewhere", "railhead/gw/answers", "railhead/other")
    operator.wait(lambda r: r.topic == "railhead/gw/answers/end")
    found = [r.topic for r in operator.responses if r.topic.startswith(answers)]
    assert found == ["railhead/gw/answers/one", "railhead/gw/answers/end"]


def test_a_response_never_goes_where_the_gateway_itself_speaks(gate, operator, press):
    gate()
    operator.listen("#")
    for topic in ("railhead/gw/status", "railhead/gw/data/press", "railhead/gw/cmd/press/open/set", "$SYS/x"):
        operator.ask("press/setpoint/set", {"id": topic, "value": 25, "expires": soon()}, response=topic)
    operator.ask("gateway/ping", response="anywhere/else")
    operator.wait(lambda r: r.topic == "anywhere/else")
    replies = [r.topic for r in operator.responses if "took_ms" in str(r.payload)]
    assert set(replies) == {"railhead/gw/reply/press/setpoint", "railhead/gw/reply/gateway/ping", "anywhere/else"}
