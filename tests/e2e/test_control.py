# SPDX-License-Identifier: MIT
"""The control socket: status, read and write of a running gateway, the socket itself, and requests."""
import json
import os
import pty
import socket
import stat
import subprocess

import pytest

from commanding import audit
from controlling import BODY, bus, clients, gate, place, text, wait_online  # noqa: F401
from daemon import binary, railhead, unprivileged
from waiting import SLOW, until

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
                                   env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **env})
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
