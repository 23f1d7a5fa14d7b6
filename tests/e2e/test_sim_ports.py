# SPDX-License-Identifier: MIT
"""The simulator: its ports, text sensors, log, commands and configuration."""
import fcntl
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import time

import pytest

from simlib import SimError, build_dir, registers, wait_for
from simmaster import bus  # noqa: F401 (a fixture)
from simmaster import frame, open_line, read_request, rtu, spec_bus, tcp_client, SPEC_MAP
from waiting import SLOW, pass_time

# Ports


def test_unplug_and_plug(bus):
    sim, master = bus(rtu())
    link = sim.link("a")
    master.ask(read_request(1, 0, 1), 7)
    sim.cmd("unplug a")
    assert not os.path.lexists(link)
    with pytest.raises(OSError):
        if os.read(master.fd, 1) == b"":
            raise OSError("end of file")
    sim.cmd("plug a")
    fresh = open_line(sim)
    assert fresh.ask(read_request(1, 0, 1), 7)[0] == frame("01 03 02 0000")
    fresh.close()


def test_a_fresh_terminal_after_the_last_close(bus):
    """An exclusive lock must not outlive its owner, nor an old answer reach the next one."""
    sim, master = bus(rtu())
    fcntl.ioctl(master.fd, termios.TIOCEXCL)
    sim.cmd("late a 1 150ms")
    old = os.readlink(sim.link("a"))
    master.send(read_request(1, 0, 1))
    pass_time(0.05)
    master.close()
    wait_for(lambda: os.readlink(sim.link("a")) != old)
    wait_for(lambda: sim.log("request", outcome="unheard"))
    fresh = open_line(sim)
    assert fresh.quiet(0.05)
    sim.cmd("late a 1 off")
    assert len(fresh.ask(read_request(1, 0, 1), 7)[0]) == 7
    fresh.close()


def test_the_link_is_valid_at_every_moment(bus):
    sim, master = bus(rtu())
    master.close()
    for _ in range(200):
        assert os.path.lexists(sim.link("a"))
        try:
            os.close(os.open(sim.link("a"), os.O_RDWR | os.O_NOCTTY))
        except OSError:  # the old terminal was taken away between the look-up and the open
            pass

    def answered():
        try:
            fresh = open_line(sim)
        except (OSError, termios.error):
            return False
        try:
            return len(fresh.ask(read_request(1, 0, 1), 7, 0.2)[0]) == 7
        except OSError:  # renewed between open and first use, as it may be right after a close
            return False
        finally:
            fresh.close()

    wait_for(answered)


def test_reopen_hangs_up_at_once(bus):
    sim, master = bus(rtu())
    sim.cmd("reopen a")
    assert select.select([master.fd], [], [], 2)[0]
    fresh = open_line(sim)
    assert len(fresh.ask(read_request(1, 0, 1), 7)[0]) == 7
    fresh.close()


def test_tcp_unplugged_keeps_its_port(bus):
    sim, _ = bus(spec_bus("tcp", SPEC_MAP))
    with tcp_client(sim) as client:
        sim.cmd("unplug a")
        assert client.recv(9) == b""
        with pytest.raises(OSError):
            tcp_client(sim)
        sim.cmd("plug a")
        tcp_client(sim).close()


def test_a_master_at_another_speed(bus):
    sim, master = bus(rtu(19200, bus="match_speed = yes"))

    def set_speed(speed):
        settings = termios.tcgetattr(master.fd)
        settings[4] = settings[5] = speed
        termios.tcsetattr(master.fd, termios.TCSANOW, settings)

    set_speed(termios.B9600)
    master.send(read_request(1, 0, 1))
    assert master.quiet(0.1)
    set_speed(termios.B19200)
    assert len(master.ask(read_request(1, 0, 1), 7)[0]) == 7
    assert [e["outcome"] for e in sim.log("request")] == ["speed", "ok"]
    assert sim.stats("a")["speed"] == 19200


# Sensors


UART = """[bus u]
type = uart
link = {dir}/u
baud = 9600
[sensor u gps]
every = 100ms
value = counter 5
decimals = 1
line = "$GPXTE,A,{n},{value}*{nmea}\\r\\n"
[sensor u scale]
request = "SI\\r\\n"
turnaround = 20ms
line = "S S {value} g\\r\\n"
value = const 12.345
"""


def test_a_sensor_pushes_and_another_answers(bus):
    sim, _ = bus(UART)
    master = open_line(sim, "u")
    lines = master.receive(120).split(b"\r\n")[1:-1]
    for line in lines:
        body, check = line[1:].split(b"*")
        total = 0
        for byte in body:
            total ^= byte
        assert int(check, 16) == total
        n, value = body.split(b",")[2:]
        assert float(value) == 5 + int(n)
    assert len(lines) >= 3
    sim.cmd("dead u gps on")
    while master.receive(1, 0.15):
        pass
    start = time.monotonic()
    master.send(b"\x00SI\r\n")
    assert master.receive(13) == b"S S 12.35 g\r\n"
    assert time.monotonic() - start >= 18 * 10 / 9600 + 0.020 - 0.0001
    assert sim.log("line", sensor="scale")[0]["text"] == "S S 12.35 g\r\n"
    master.close()


# The log, the commands, the file


def test_every_answer_is_distinguishable_and_in_the_log_even_after_a_kill(bus):
    sim, master = bus(rtu(1000000, slave="holding 0 u32 = counter 1", turnaround="0ms"))
    got = []
    for _ in range(100):
        got.append(master.ask(read_request(1, 0, 2), 9)[0][3:7].hex())
        assert len(got[-1]) == 8
    sim.process.send_signal(signal.SIGKILL)
    sim.process.wait()
    assert [e["data"] for e in sim.log("request", outcome="ok")] == got
    assert got == [f"{i:08x}" for i in range(1, 101)]


def test_writes_are_in_the_log(bus):
    sim, master = bus(rtu(slave="holding 0..9 = const 0\ncoil 0..9 = const 0"))
    for pdu in ("06 0002 1234", "10 0003 0002 04 0001 0002", "05 0001 FF00", "0F 0002 0003 01 05",
                "17 0000 0001 0007 0001 02 00AA"):
        master.ask(frame("01" + pdu), 8 if pdu[:2] != "17" else 7)
    wait_for(lambda: len(sim.log("request")) == 5)
    writes = [(e["write_address"], e["wrote"]) for e in sim.log("request")]
    assert writes == [(2, "1234"), (3, "00010002"), (1, "ff00"), (2, "05"), (7, "00aa")]
    assert sim.get("a", 1, "coil", "0..9") == [0, 1, 1, 0, 1, 0, 0, 0, 0, 0]


def test_values_of_all_types_and_generators(bus):
    sim, _ = bus(rtu(slave='''input 0 s16 = -2 -1
input 2 s32 = -2
input 4 f64 = const 1.5
input 8 u64 DCBA = 0x0102030405060708
input 12 u32 BADC = 0x01020304
input 14..15 text = "AB\\x43"
input 20..29 = random 5 6
input 30 f32 = sine 100 10 1s
input 32..35 u32 = ramp 65536 2
input 36 = saw 0 10 1s'''))
    words = sim.get("a", 1, "input", "0..15")
    assert words[:4] == [0xFFFE, 0xFFFF, 0xFFFF, 0xFFFE]
    assert struct.unpack(">d", struct.pack(">4H", *words[4:8]))[0] == 1.5
    assert words[8:12] == [0x0807, 0x0605, 0x0403, 0x0201]
    assert words[12:14] == [0x0201, 0x0403]
    assert words[14:16] == [0x4142, 0x4300]
    assert set(sim.get("a", 1, "input", "20..29")) <= {5, 6}
    assert 90 <= struct.unpack(">f", struct.pack(">2H", *sim.get("a", 1, "input", "30..31")))[0] <= 110
    assert sim.get("a", 1, "input", "32..35") == [1, 0, 1, 2]
    assert 0 <= sim.get("a", 1, "input", "36")[0] < 10


def test_refused_commands_say_why(bus):
    sim, _ = bus(rtu())
    for line in ("", "nonsense", "dead", "dead b 1 on", "dead a 9 on", "late a 1 5", "set a 1 holding", "get a 1 x 0",
                 "set a 1 holding 0 f32", "inject a xyz", "stats z", 'set a 1 holding 0 "', "x" * 9000,
                 "get a 1 holding 65530..70000", "exception a 1 holding 3", "unplug"):
        with pytest.raises(SimError):
            sim.cmd(line)
    sim.cmd("inject a 00ff55")
    assert sim.cmd("help")["commands"]


def railsim(*arguments, stdin=subprocess.DEVNULL):
    return subprocess.run([os.path.join(build_dir(), "tests", "sim", "railsim"), *arguments], stdin=stdin,
                          capture_output=True, text=True, timeout=20 * SLOW, check=False)


@pytest.mark.parametrize("text, line, word", [
    ("[bus a]\ntype = rtuu\nlink = /x", 1, "type"),
    ("[bus a]\ntype = rtu\nlink = /x\nbaud = fast", 4, "baud"),
    ("[bus a]\ntype = rtu\nlink = /x\nbaud = 9600\nbaud = 9600", 5, "twice"),
    ("[bus a]\ntype = rtu", 1, "link"),
    ("[bus a]\ntype = tcp\n[slave b 1]", 3, "bus from above"),
    ("[bus a]\ntype = tcp\n[slave a 1]\n[slave a 1]", 4, "not used before"),
    ("[bus a]\ntype = tcp\n[slave a 1]\nholding 0..3 = 1 2", 4, "2 values"),
    ("[bus a]\ntype = tcp\n[slave a 1]\nholding 65535 f32 = 1", 4, "65535"),
    ("[bus a]\ntype = tcp\n[slave a 1]\nholding 0 = sine 1 2", 4, "sine MEAN"),
    ("[bus a]\ntype = tcp\n[slave a 1]\nlate = 1", 4, "late DELAY"),
    ("[bus a]\ntype = tcp\n[slave a 1]\ninclude = /none/such", 1, "opened"),
    ("type = tcp", 1, "first section"),
    ("[bus a", 1, "]"),
    ("[bus a]\ntype = uart\nlink = /x\n[sensor a s]\nevery = 1s", 4, "needs a line"),
    ("[bus a]\ntype = tcp\nlink = \"x", 3, "quote"),
])
def test_mistakes_in_the_file_are_shown_with_their_line(tmp_path, text, line, word):
    path = tmp_path / "bad.ini"
    path.write_text(text + "\n", encoding="utf-8")
    result = railsim("--check", str(path))
    assert result.returncode == 78
    shown = result.stderr.splitlines()[0]
    where = "/none/such:0: " if "none" in text else f"{path}:{line}: "
    assert shown.startswith(where) and word in shown, result.stderr


def test_a_map_from_a_file(bus, tmp_path):
    (tmp_path / "map.txt").write_text("# registers\nholding 0 = 5 6 7\ninput 9 = 3\n", encoding="utf-8")
    sim, _ = bus(rtu(slave=f"include = {tmp_path}/map.txt\nholding 1 = 66"))
    assert sim.get("a", 1, "holding", "0..2") == [5, 66, 7]


def test_help_example_and_wrong_use(tmp_path):
    assert "railsim" in railsim("--help").stdout
    example = tmp_path / "example.ini"
    example.write_text(railsim("--example").stdout, encoding="utf-8")
    assert railsim("--check", str(example)).returncode == 0
    assert railsim().returncode == 64 and railsim("--nonsense").returncode == 64
    assert railsim("/none/such").returncode == 78


@pytest.mark.parametrize("end", ["quit", "eof", "term", "int"])
def test_every_end_is_clean(bus, end):
    sim, master = bus(rtu())
    master.ask(read_request(1, 0, 1), 7)
    link, process = sim.link("a"), sim.process
    if end == "quit":
        sim.cmd("quit")
    elif end == "eof":
        process.stdin.close()
    else:
        process.send_signal(signal.SIGTERM if end == "term" else signal.SIGINT)
    assert process.wait(5 * SLOW) == 0
    assert not os.path.lexists(link)


def test_commands_over_a_socket(tmp_path):
    path, config = tmp_path / "ctl", tmp_path / "sim.ini"
    config.write_text(f"[sim]\ncontrol = {path}\n[bus a]\ntype = tcp\n[slave a 1]\nholding 0 = 4\n", encoding="utf-8")
    process = subprocess.Popen([os.path.join(build_dir(), "tests", "sim", "railsim"), str(config)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert b'"ready":true' in process.stdout.readline()
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5 * SLOW)
            client.connect(str(path))
            client.sendall(b"get a 1 holding 0\nstats\n")
            with client.makefile() as replies:
                assert replies.readline() == '{"ok":true,"values":[4]}\n'
                assert '"buses":{"a":' in replies.readline()
                client.sendall(b"quit\n")
                assert replies.readline() == '{"ok":true}\n'
        assert process.wait(5 * SLOW) == 0 and not path.exists()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
