# SPDX-License-Identifier: MIT
"""Options of lines and devices: each is changed, and the difference seen on the wire or at the broker."""
import json

import pytest

from daemon import railhead
from inifile import ini
from options import option
from slave import PtySlave, TcpSlave
from waiting import pass_time, until

ONE = {1: {"holding": {0: 11, 1: 12}}}


def body(slave, line="", device="interval=50ms", points="level = holding 0 u16", driver="modbus-tcp"):
    return (f"[line plc]\ndriver = {driver}\nhost = {slave.host}\n{line}\n[devices]\npress = plc 1 - {device}\n"
            f"[points press]\n{points}\n")


def serial_body(slave, line=""):
    return (f"[line bus]\nport = {slave.port}\n{line}\n[devices]\npress = bus 1 - interval=50ms\n"
            f"[points press]\nlevel = holding 0 u16\n")


@option("line", "driver")
def test_the_driver_decides_what_is_on_the_wire(broker, recorder, start, store):
    with TcpSlave(ONE, rtu=True) as framed, TcpSlave(ONE) as plain:
        start(ini(broker.url, store, body(framed, driver="modbus-rtu-tcp")))
        recorder.wait_reading("press", "level", value=11)
        start(ini(broker.url, str(store) + "2", body(plain), gateway={"name": "other"}), folder="two")
        recorder.wait(lambda m: m.topic == "railhead/other/data/press", 10)
        assert framed.heard[0][1][:6] == bytes([1, 3, 0, 0, 0, 1])
        assert plain.heard[0][1][2:] == bytes([0, 0, 0, 6, 1, 3, 0, 0, 0, 1])


@option("line", "host")
def test_the_host(broker, recorder, start, store):
    with TcpSlave(ONE) as one, TcpSlave({1: {"holding": {0: 99}}}) as two:
        start(ini(broker.url, store, body(two)))
        recorder.wait_reading("press", "level", value=99)
        assert not one.heard


@option("line", "enabled")
def test_a_line_that_is_not_wired_yet(broker, recorder, start, store):
    with TcpSlave(ONE) as on, TcpSlave(ONE) as off:
        start(ini(broker.url, store, body(on) + f"[line later]\ndriver = modbus-tcp\nhost = {off.host}\nenabled = no\n"
                  "[devices]\nx = later 1 - interval=50ms\n[points x]\nlevel = holding 0 u16\n"))
        recorder.wait_count("data", 5, 15)
        assert not off.heard and {r.dev for r in recorder.readings()} == {"press"}


@option("line", "port", "baud")
def test_port_and_baud(broker, recorder, start, store):
    with PtySlave(ONE) as one, PtySlave(ONE) as two:
        start(ini(broker.url, store, serial_body(two, "baud = 38400\nmode = 8N1")))
        recorder.wait_reading("press", "level", value=11)
        assert two.settings() == (38400, 1) and not one.heard


@option("line", "mode")
def test_the_mode(tmp_path, broker, recorder, start, store):
    """Stop bits are visible on a pty; parity is not, but the plan counts its bit."""
    with PtySlave(ONE) as slave:
        start(ini(broker.url, store, serial_body(slave, "baud = 9600\nmode = 8N2")))
        recorder.wait_reading("press", "level", value=11)
        assert slave.settings() == (9600, 2)
        costs = [cost(tmp_path, serial_body(slave, f"baud = 9600\nmode = {mode}")) for mode in ("8N1", "8E1", "8O2")]
        bit = 1000 / 9600 * (8 + 7 + 3.5)
        assert costs[1] - costs[0] == pytest.approx(bit, abs=0.01)
        assert costs[2] - costs[0] == pytest.approx(2 * bit, abs=0.01)


def cost(tmp_path, text):
    file = tmp_path / "plan.ini"
    file.write_text(ini("mqtt://127.0.0.1:1883", tmp_path / "never.db", text))
    result = railhead("plan", "-c", file, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["lines"][0]["blocks"][0]["cost_ms"]


@option("line", "timeout")
@pytest.mark.parametrize("timeout, state", [("100ms", "offline"), ("2s", "online")])
def test_the_timeout(timeout, state, broker, recorder, start, store):
    """A slave that answers after 400 ms: gone with the one timeout, slow with the other."""
    with TcpSlave(ONE) as slave:
        slave.delay = 0.4
        start(ini(broker.url, store, body(slave, f"timeout = {timeout}")))
        message = recorder.wait(lambda m: m.topic.endswith("/state/press"), 15)
        assert message.payload.decode().strip('"') == state


@option("device", "line", "address")
def test_line_and_address_of_a_device(broker, recorder, start, store):
    with TcpSlave(ONE) as one, TcpSlave({4: {"holding": {0: 44}}}) as two:
        text = (f"[line a]\ndriver = modbus-tcp\nhost = {one.host}\n[line b]\ndriver = modbus-tcp\nhost = {two.host}\n"
                "[device press]\nline = b\naddress = 4\ninterval = 50ms\n[points press]\nlevel = holding 0 u16\n")
        start(ini(broker.url, store, text))
        recorder.wait_reading("press", "level", value=44)
        assert not one.requests and {r[0] for r in two.requests} == {4}


@option("device", "profile")
def test_the_profile_brings_the_points(tmp_path, broker, recorder, start, store):
    folder = tmp_path / "profiles"
    folder.mkdir()
    (folder / "toy.ini").write_text("[profile]\nvendor = Toys\nmodel = T1\ntitle = A toy\n"
                                    "[parameters]\nat = 0 0..9 \"first register\"\n"
                                    "[points]\nfirst = holding {at} u16 unit=V\n")
    with TcpSlave(ONE) as slave:
        text = (f"[line plc]\ndriver = modbus-tcp\nhost = {slave.host}\n"
                "[devices]\np = plc 1 toy interval=50ms\nq = plc 1 toy interval=50ms at=1\n")
        start(ini(broker.url, store, text), env={"RAILHEAD_PROFILES": str(folder)})
        recorder.wait_reading("p", "first", value=11)
        recorder.wait_reading("q", "first", value=12)
        meta = json.loads(recorder.wait(lambda m: m.topic.endswith("/meta/p"), 5).payload)
        assert meta["profile"] == "toy" and meta["points"]["first"]["unit"] == "V"


@option("device", "interval")
def test_the_interval(broker, recorder, start, store):
    text = ("[devices]\nslow = plc 1 - interval=500ms\nquick = plc 1 - interval=100ms\n"
            "full = plc 1 - interval=fastest\n"
            "[points slow]\na = holding 0 u16\n[points quick]\nb = holding 5 u16\n[points full]\nc = holding 9 u16\n")
    with TcpSlave(ONE) as slave:
        start(ini(broker.url, store, f"[line plc]\ndriver = modbus-tcp\nhost = {slave.host}\n{text}"))
        until(lambda: len(slave.requests) > 10, 15, "polling")
        before = len(slave.requests)
        pass_time(4)
        counts = {address: sum(r[2] == address for r in slave.requests[before:]) for address in (0, 5, 9)}
        assert 7 <= counts[0] <= 9 and 37 <= counts[5] <= 42 and counts[9] > 200, counts


@option("device", "enabled")
def test_a_device_that_is_not_there_yet(broker, recorder, start, store):
    with TcpSlave({1: {}, 2: {}}) as slave:
        start(ini(broker.url, store, body(slave) + "[devices]\nlater = plc 2 - interval=50ms enabled=no\n"
                  "[points later]\nlevel = holding 0 u16\n"))
        recorder.wait_count("data", 5, 15)
        assert {r[0] for r in slave.requests} == {1}
        assert not [m for m in recorder.messages() if m.topic.endswith("/later")]


@option("device", "turnaround")
def test_the_turnaround_is_in_the_plan(tmp_path):
    with PtySlave(ONE) as slave:
        costs = [cost(tmp_path, serial_body(slave).replace("interval=50ms", f"interval=1s turnaround={value}"))
                 for value in ("5ms", "25ms")]
        assert costs[1] - costs[0] == pytest.approx(20, abs=0.01)


@option("device", "max_read")
def test_the_longest_read(broker, recorder, start, store):
    points = "\n".join(f"p{i} = holding {i} u16" for i in range(6))
    with TcpSlave(ONE) as slave:
        start(ini(broker.url, store, body(slave, device="interval=50ms max_read=2", points=points)))
        recorder.wait_reading("press", "p5")
        assert {r[3] for r in slave.requests} == {2}


@option("device", "base")
def test_addresses_that_count_from_one(broker, recorder, start, store):
    with TcpSlave(ONE) as slave:
        start(ini(broker.url, store, body(slave, device="interval=50ms base=1", points="level = holding 2 u16")))
        recorder.wait_reading("press", "level", value=12)
        assert {r[2] for r in slave.requests} == {1}
