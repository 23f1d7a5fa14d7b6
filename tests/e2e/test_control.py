# SPDX-License-Identifier: MIT
"""The control socket: status, read and write of a running gateway, and clients that mean harm."""
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

import pytest

from buses import answers, line_keys, rtu_bus
from commanding import audit
from daemon import binary, railhead, unprivileged
from inifile import ini
from waiting import SLOW, Deadline, free_port, until

UNITS = {
    1: ["input 0..1 f32 const 230.1", "input 2..3 u32 counter 1 1"],
    2: ["holding 0..3 const 5", "coil 0 const 0"],
}
BODY = """
[devices]
meter = rs485 1 - interval=100ms
valve = rs485 2 - interval=100ms writes=allow
[points meter]
voltage = input 0 f32 unit=V
count   = input 2 u32
[points valve]
level   = holding 0 s16 scale=0.5 unit=°C writable min=-20 max=50
slow    = holding 1 u16 writable min_interval=1h
grave   = holding 2 u16 writable critical
mode    = holding 3 u16 writable enum=0:off,1:auto,5:manual
lamp    = coil 0 writable
fixed   = holding 1 u16
"""
CLIENTS = 32


class Client:
    """A connection with one line each way."""

    def __init__(self, path, seconds=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds * SLOW)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else json.dumps(data).encode() + b"\n")
        return self

    def receive(self):
        """The next answer; None when the gateway has closed."""
        try:
            line = self.file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def ask(self, request):
        return self.send(request).receive()

    def close(self):
        self.file.close()
        self.socket.close()


@pytest.fixture
def clients():
    made = []

    def connect(path):
        made.append(Client(path))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def place():
    """A folder of its own that anybody can reach, for the socket."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="railhead-ctl-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


class Gate:
    def __init__(self, gateway, path, bus):
        self.gateway, self.path, self.bus = gateway, path, bus

    def cli(self, *arguments, **how):
        return railhead(arguments[0], "-c", self.gateway.file, *arguments[1:], **how)


@pytest.fixture
def bus(sim):
    return sim(rtu_bus("rs485", UNITS, baud=38400))


@pytest.fixture
def text(bus, store, place):
    def run(body=BODY, **gateway):
        keys = {"socket": place / "ctl.sock", **gateway}
        return ini(f"mqtt://127.0.0.1:{free_port()}", store, "[line rs485]\n"
                   + line_keys(bus, "rs485", 38400, "timeout = 200ms\n") + body, gateway=keys)

    return run


@pytest.fixture
def gate(start, text, bus, place):
    gateway = start(text())
    path = place / "ctl.sock"
    until(path.exists, 10, "the socket")
    until(lambda: answers(bus, "rs485", 2), 10, "the first poll")
    return Gate(gateway, path, bus)


def wait_online(gate):
    def online():
        result = gate.cli("status", "--json")
        return result.returncode == 0 and all(
            device["state"] == "online" for device in json.loads(result.stdout)["status"]["devices"].values())

    until(online, 20, "all devices online")


def assert_polls_go_on(bus, since, most=1.0):
    """No unit was left alone for long: the bus log shows its requests up to now."""
    for unit in UNITS:
        times = [since, *(entry.start for entry in answers(bus, "rs485", unit) if entry.start >= since)]
        gaps = [b - a for a, b in zip(times, times[1:])]
        assert len(times) > 5 and max(gaps) < most * SLOW, f"unit {unit}: {max(gaps):.2f} s without a poll"


def now():
    return time.monotonic()


# ---- the three verbs ----

@pytest.mark.sanitizer
def test_status_read_and_write(gate, store):
    wait_online(gate)
    page = gate.cli("status")
    assert page.returncode == 0 and page.stderr == "" and "\033" not in page.stdout
    for word in ("railhead", "uplink", "away", "store", "rs485", "open", "meter", "valve", "online", "TIMEOUTS", "["):
        assert word in page.stdout, page.stdout
    status = json.loads(gate.cli("status", "--json").stdout)
    assert status["ok"] and set(status["status"]["devices"]) == {"meter", "valve"}
    assert status["status"]["lines"]["rs485"]["transactions"] > 0

    read = gate.cli("read", "meter.voltage")
    assert (read.returncode, read.stdout, read.stderr) == (0, "230.1 V\n", "")
    reply = json.loads(gate.cli("read", "meter.voltage", "--json").stdout)
    assert reply["ok"] and reply["unit"] == "V" and reply["reply"]["readback"] == 230.1
    counts = [int(gate.cli("read", "meter.count").stdout) for _ in range(3)]
    assert counts == sorted(set(counts)), "each read is a transaction of its own"

    for value, shown in (("21.5", "21.5 °C\n"), ("-5", "-5.0 °C\n"), ("-.5", "-0.5 °C\n")):
        written = gate.cli("write", "valve.level", value)
        assert (written.returncode, written.stdout) == (0, shown), written
    assert gate.bus.get("rs485", 2, "holding", "0") == [0xffff]
    assert gate.cli("write", "valve.mode", "auto").stdout == "auto\n"
    assert gate.cli("write", "valve.lamp", "on").stdout == "true\n"
    assert gate.cli("write", "valve.grave", "7").stdout == "7\n", "the command line brings id and expires"

    gate.gateway.stop()
    rows = audit(store)
    assert [(row[0], *row[3:]) for row in rows[:2]] == [
        ("control", "valve.level", "2.5", "21.5", "ok"), ("control", "valve.level", "21.5", "-5.0", "ok")]
    assert len(rows) == 6 and all(row[2].startswith(f"uid {os.getuid()}") for row in rows), rows


def test_what_cannot_be_done_says_why_and_fails(gate, store):
    wait_online(gate)
    cases = [
        (("read", "meter.nothing"), 1, 'meter has no point "nothing"'),
        (("read", "nobody.x"), 1, "no such device"),
        (("read", "meter"), 64, "DEVICE.POINT"),
        (("write", "meter.voltage", "1"), 1, "read-only"),
        (("write", "valve.level", "50.5"), 1, "min..max"),
        (("write", "valve.level", "warm"), 1, "wrong kind"),
        (("write", "valve.level"), 64, "it needs DEVICE.POINT VALUE"),
        (("write", "valve.level", "1", "2"), 64, "too many"),
        (("read", "meter.voltage", "-5"), 64, "too many"),
        (("status", "valve"), 64, "too many"),
    ]
    for arguments, code, words in cases:
        result = gate.cli(*arguments)
        assert result.returncode == code and words in result.stderr and result.stdout == "", (arguments, result)
    assert gate.cli("write", "valve.slow", "1").returncode == 0
    again = gate.cli("write", "valve.slow", "2")
    assert again.returncode == 1 and "min_interval" in again.stderr
    gate.bus.cmd("dead rs485 2 on")
    dead = gate.cli("write", "valve.level", "3")
    assert dead.returncode == 1 and "did not answer" in dead.stderr
    document = gate.cli("write", "valve.level", "99", "--json")
    assert document.returncode == 1 and json.loads(document.stdout)["code"] == "range"
    gate.gateway.stop()
    outcomes = [row[6] for row in audit(store)]
    assert outcomes == ["rejected read-only", "rejected range", "rejected type", "ok", "rejected rate",
                        "failed timeout", "rejected range"]


@pytest.mark.parametrize("arguments", [("status",), ("read", "meter.voltage"), ("write", "valve.level", "1")])
def test_without_a_gateway_it_is_unavailable_and_says_what_to_do(text, tmp_path, arguments):
    file = tmp_path / "railhead.ini"
    for body in (text(), text(socket="none")):
        file.write_text(body)
        result = railhead(arguments[0], "-c", file, *arguments[1:])
        assert result.returncode == 69 and result.stdout == ""
        assert "no gateway answers" in result.stderr and "systemctl" in result.stderr


def test_the_socket_is_found_in_a_drop_in_and_in_a_configuration_with_mistakes(gate, tmp_path):
    file = tmp_path / "other.ini"
    file.write_text("[gateway]\nsocket = /nowhere/ctl.sock\n[mqtt]\nkey_file = /not/readable\nqos = 9\n")
    assert railhead("status", "-c", file).returncode == 69
    assert railhead("status", "-c", file, "--socket", gate.path).returncode == 0
    (tmp_path / "other.d").mkdir()
    (tmp_path / "other.d" / "10.ini").write_text(f'[gateway]\nsocket = "{gate.path}"\n')
    assert railhead("status", "-c", file).returncode == 0
    missing = railhead("status", "-c", tmp_path / "missing.ini")
    assert missing.returncode == 78 and "--socket" in missing.stderr


def test_colours_only_where_they_are_wanted(gate):
    def on_terminal(**env):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([str(binary()), "status", "-c", str(gate.gateway.file)], stdout=theirs,
                                   env={**os.environ, "TERM": "xterm", **env})
        os.close(theirs)
        output = b""
        try:
            while part := os.read(ours, 65536):
                output += part
        except OSError:  # the terminal's end
            pass
        os.close(ours)
        assert process.wait(20) == 0
        return output

    wait_online(gate)
    assert b"\033[32m" in on_terminal()
    assert b"\033" not in on_terminal(NO_COLOR="1")
    assert b"\033" not in on_terminal(TERM="dumb")


# ---- the socket ----

def test_the_socket_is_for_its_owner_and_group_and_goes_with_the_gateway(start, text, place):
    gateway = start(text(), wrapper=["sh", "-c", 'umask 0077; exec "$0" "$@"'])
    path = place / "ctl.sock"
    until(path.exists, 10, "the socket")
    gateway.wait_log("runs as")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), os.getegid())
    assert gateway.stop() == 0
    assert not path.exists()


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(start, text, place, clients, tmp_path):
    path = place / "ctl.sock"
    first = start(text())
    until(path.exists, 10, "the socket")
    first.kill()
    assert path.exists()
    first.start()
    until(lambda: railhead("status", "-c", first.file).returncode == 0, 10, "the socket to be replaced")
    second = start(text().replace("store.db", "second.db"), folder="second")
    second.wait_log("no control socket .*another process")
    assert second.running()
    second.stop()
    assert clients(path).ask({"verb": "ping"})["ok"], "the live one stays"


@pytest.mark.parametrize("what", ["no folder", "a file"])
def test_a_socket_that_cannot_be_made_is_a_warning(start, text, place, what):
    path = place / ("none/ctl.sock" if what == "no folder" else "file")
    if what == "a file":
        path.write_text("precious")
    gateway = start(text(socket=path))
    gateway.wait_log("no control socket")
    gateway.wait_log("runs as")
    assert gateway.stop() == 0
    assert what == "no folder" or path.read_text() == "precious"


def test_a_reload_moves_the_socket_and_takes_new_points(gate, text, place):
    gate.gateway.configure(text(BODY.replace("voltage =", "volts ="), socket=place / "new.sock"))
    gate.gateway.reload()
    gate.gateway.wait_log("is in force")
    until(lambda: gate.cli("read", "meter.volts").stdout == "230.1 V\n", 10, "the point under its new name")
    assert not gate.path.exists()
    assert gate.cli("read", "meter.voltage").returncode == 1


@pytest.mark.sanitizer
def test_commands_under_way_during_a_reload_are_answered(gate, text, clients):
    """Each gets one answer, whichever comes first, and the points they meant are not used after their end."""
    wait_online(gate)
    for round_ in range(6):
        some = [clients(gate.path) for _ in range(12)]
        for n, client in enumerate(some):
            client.send({"verb": "write", "point": "valve.level", "value": n, "id": f"{round_}-{n}"})
        gate.gateway.configure(text(BODY.replace("interval=100ms", f"interval={101 + round_}ms")))
        mark = gate.gateway.mark()
        gate.gateway.reload()
        for n, client in enumerate(some):
            answer = client.receive()
            assert answer["reply"]["id"] == f"{round_}-{n}"
            assert answer["reply"]["status"] in ("ok", "unconfirmed", "failed", "rejected"), answer
            client.close()
        gate.gateway.wait_log("is in force", since=mark)
    assert gate.gateway.running()
    assert gate.cli("read", "meter.voltage").returncode == 0


def test_strangers_are_turned_away(start, text, place, store):
    if os.geteuid() != 0:
        pytest.skip("not run: only root can be somebody else")
    path = place / "ctl.sock"
    gateway = start(text())
    until(path.exists, 10, "the socket")
    wrapper, copy = unprivileged(place)

    def stranger(*groups):
        command = [word for word in wrapper if word != "--clear-groups"] + \
            ["--groups=" + groups[0] if groups else "--clear-groups"]
        return subprocess.run([*command, str(copy), "status", "--socket", str(path)], capture_output=True, text=True,
                              timeout=30 * SLOW)

    result = stranger()
    assert result.returncode == 77 and "permission" in result.stderr, result
    assert stranger(str(path.stat().st_gid)).returncode == 0, "members of its group may"
    path.chmod(0o666)  # somebody loosened it: the credentials are looked at all the same
    result = stranger()
    assert result.returncode == 77 and "not a member" in result.stderr, result
    gateway.wait_log("uid 65534 .*not allowed")
    assert stranger(str(path.stat().st_gid)).returncode == 0


# ---- requests ----

WRONG = [b"", b"{}", b"[]", b"null", b"nonsense", b"\x00\xff\xfe", b'{"verb":"fly"}', b'{"verb":1}',
         b'{"verb":"status","verb":"status"}', b'{"verb":"status","point":"a.b"}', b'{"verb":"read"}',
         b'{"verb":"read","point":"a"}', b'{"verb":"read","point":"a.b.c"}', b'{"verb":"read","point":"a.b","value":1}',
         b'{"verb":"write","point":"valve.level"}', b'{"verb":"write","point":"valve.level","value":[1]}',
         b'{"verb":"write","point":"valve.level","value":1,"text":"1"}', b'{"verb":"write","point":"valve.level","v":1}',
         b'{"verb":"write","point":"valve.level","value":1e999}', b'{"verb":"write","values":{"a":1},"point":"a.b"}',
         b"[" * 8000, b'{"a":' * 1500, b'{"verb":"read","point":"' + b"a" * 70 + b'.b"}']


def test_wrong_requests_are_answered_and_the_connection_stays(gate, clients):
    client = clients(gate.path)
    for line in WRONG:
        answer = client.ask(line + b"\n")
        assert answer["ok"] is False and answer["error"] and answer["code"] in ("syntax", "type"), (line[:60], answer)
    assert client.ask({"verb": "ping"})["ok"]


def test_many_requests_in_one_packet_and_one_in_many(gate, clients):
    client = clients(gate.path)
    client.send(b"".join(b'{"verb":"%s"}\n' % verb for verb in (b"ping", b"status", b"nope", b"ping") * 50))
    for _ in range(50):
        ping, status, wrong, last = (client.receive() for _ in range(4))
        assert ping["ok"] and status["status"] and not wrong["ok"] and "status" not in last
    client.send(b'{"verb":"read","point":"meter.count"}\n' * 10)
    counts = [client.receive()["reply"]["readback"] for _ in range(10)]
    assert counts == sorted(set(counts)), "answered in their order"
    for byte in b'{"verb":"ping"}\n':
        client.send(bytes([byte]))
    assert client.receive()["ok"]
    client.send(b'{"verb":"ping"}\n{"verb":"ping"}\n{"verb":"pi')
    client.socket.shutdown(socket.SHUT_WR)
    assert client.receive()["ok"] and client.receive()["ok"]
    assert client.receive() is None, "a half line is no request"


def test_a_request_has_a_limit(gate, clients):
    long = b'{"verb":"ping"' + b" " * (8192 - 15) + b"}"
    assert len(long) == 8192
    client = clients(gate.path)
    assert client.ask(long + b"\n")["ok"]
    answer = client.ask(long[:-1] + b" }")
    assert "8192" in answer["error"] and client.receive() is None
    flood = clients(gate.path)
    try:
        flood.send(b"x" * (1 << 20))
    except OSError:  # it does not listen that long
        pass
    assert flood.receive()["code"] == "syntax"


# ---- clients that mean harm ----

@pytest.mark.sanitizer
def test_a_hundred_clients_at_once(gate, clients):
    since = now()
    some = [clients(gate.path) for _ in range(100)]
    for client in some:
        try:
            client.send({"verb": "read", "point": "meter.count"})
        except BrokenPipeError:
            pass  # turned away already
    results = [client.receive() for client in some]
    served = [answer for answer in results if answer["ok"]]
    assert len(served) == CLIENTS and all(answer["code"] == "busy" for answer in results if not answer["ok"])
    for client in some:
        client.close()
    until(lambda: gate.cli("status").returncode == 0, 10, "room again")
    until(lambda: now() - since > 1, 5, "some polls")
    assert_polls_go_on(gate.bus, since)


@pytest.mark.sanitizer
def test_hostile_clients_neither_stall_nor_crash_it(gate, clients, store):
    """All at once, for a few seconds: flooding, not reading, garbage, half lines, leaving in the middle."""
    wait_online(gate)
    since, deadline = now(), Deadline(4)
    problems = []

    def attack(act):
        while not deadline.over():
            client = None
            try:
                client = Client(gate.path)
                act(client)
            except (BrokenPipeError, ConnectionResetError, BlockingIOError, TimeoutError):
                pass
            except Exception as error:  # noqa: BLE001: shown below
                problems.append(repr(error))
                return
            finally:
                if client:
                    client.close()

    def never_reads(client):
        client.socket.settimeout(0.5)
        while not deadline.over():
            client.send(b'{"verb":"status"}\n' * 100)

    def garbage(client):
        client.send(os.urandom(4000) + b"\n")
        client.receive()

    def leaves(client):
        client.send({"verb": "write", "point": "valve.level", "value": 7})

    def half(client):
        client.send(b'{"verb":"write","point":"valve.level","value":4')

    def floods(client):
        client.send(b'{"verb":"ping"}\n' * 500)
        client.receive()

    def refused(client):
        for _ in range(200):
            client.ask({"verb": "write", "point": "valve.level", "value": 1000})

    threads = [threading.Thread(target=attack, args=(act,))
               for act in (never_reads, never_reads, garbage, leaves, leaves, half, floods, refused)]
    for thread in threads:
        thread.start()
    served = 0
    while not deadline.over():
        served += gate.cli("status").returncode == 0
    for thread in threads:
        thread.join()
    assert not problems and served > 0
    assert_polls_go_on(gate.bus, since)
    until(lambda: gate.cli("write", "valve.level", "9").stdout == "9.0 °C\n", 10, "ordinary service")
    assert gate.gateway.status_of("VmRSS") < 200_000
    mark = now()
    gate.gateway.signal(signal.SIGTERM)
    assert gate.gateway.wait() == 0 and now() - mark < 15 * SLOW
    rows = audit(store)
    assert not any(row[5] == "4.0" for row in rows), "a half line was carried out"
    assert sum(row[6] == "rejected range" for row in rows) < 80, "a flood of refusals fills the audit trail"


def test_one_that_does_not_read_is_dropped_and_one_that_is_idle_too(gate, clients):
    idle, half, stuck = clients(gate.path), clients(gate.path), clients(gate.path)
    idle.send({"verb": "ping"})
    half.send(b'{"verb":')
    stuck.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            stuck.send(b'{"verb":"status"}\n' * 100)
    began = now()
    assert idle.receive()["ok"]
    poke = clients(gate.path)
    for client in (idle, half):
        client.socket.settimeout(45)
        assert client.receive() is None
    assert 25 < now() - began < 40
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        stuck.send({"verb": "ping"})
    assert poke.receive() is None


def test_a_client_that_leaves_does_not_undo_its_write(gate, clients, store):
    wait_online(gate)
    client = clients(gate.path)
    client.send({"verb": "write", "point": "valve.level", "value": 12, "by": "somebody"})
    client.close()
    until(lambda: gate.bus.get("rs485", 2, "holding", "0") == [24], 10, "the write")
    assert gate.cli("read", "valve.level").stdout == "12.0 °C\n"  # behind it on the line
    gate.gateway.stop()
    assert [row[2:] for row in audit(store)] == [(f"uid {os.getuid()}: somebody", "valve.level", "2.5", "12.0", "ok")]
