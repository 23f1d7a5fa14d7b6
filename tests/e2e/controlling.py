# SPDX-License-Identifier: MIT
"""Fixtures of the tests of the control socket: a bus, a gateway with a socket that all can reach, and clients."""
import json
import pathlib
import shutil
import socket
import tempfile
import time

import pytest

from buses import answers, line_keys, rtu_bus
from daemon import railhead
from inifile import ini
from waiting import SLOW, free_port, until

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
