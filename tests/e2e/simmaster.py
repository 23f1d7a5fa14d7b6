# SPDX-License-Identifier: MIT
"""A raw Modbus master for the tests of the simulator, and the buses it talks to."""
import os
import select
import socket
import struct
import time
import tty

import pytest

from simlib import Sim, build_dir
from waiting import SLOW, pass_time

PLAIN = """
[bus a]
type = rtu
link = {dir}/a
baud = %d
%s
[slave a 1]
turnaround = %s
%s
[slave a 2]
turnaround = 5ms
holding 0..9 = const 2
"""


def rtu(baud=115200, bus="", slave="holding 0..199 = ramp", turnaround="5ms"):
    return PLAIN % (baud, bus, turnaround, slave)


def crc(data):
    """CRC-16/MODBUS by its definition, low byte first."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


def frame(text):
    data = bytes.fromhex(text)
    return data + crc(data)


def read_request(unit, first, count, function=3):
    data = struct.pack(">BBHH", unit, function, first, count)
    return data + crc(data)


class Master:
    """One end of a line: writes a request, collects what comes."""

    def __init__(self, fd, silence=0.004):
        self.fd = fd
        self.silence = silence

    def close(self):
        os.close(self.fd)

    def send(self, data):
        os.write(self.fd, data)

    def receive(self, count, seconds=2.0):
        """Up to `count` bytes; fewer when nothing comes for `seconds`."""
        got = b""
        while len(got) < count and select.select([self.fd], [], [], seconds * SLOW)[0]:
            part = os.read(self.fd, 4096)
            if not part:
                break
            got += part
        return got

    def quiet(self, seconds):
        return self.receive(1, seconds / SLOW) == b""

    def ask(self, data, count, seconds=2.0):
        pass_time(self.silence)  # t3.5, which is the master's duty
        start = time.monotonic()
        self.send(data)
        got = self.receive(count, seconds)
        return got, time.monotonic() - start


def open_line(sim, bus="a"):
    fd = os.open(sim.link(bus), os.O_RDWR | os.O_NOCTTY)
    tty.setraw(fd)
    return Master(fd)


@pytest.fixture
def bus():
    """bus(config) -> (simulator, master on line a)"""
    opened = []

    def start(config, **options):
        sim = Sim(config, build_dir(), **options)
        opened.append(sim)
        sim.__enter__()
        master = open_line(sim) if "a" in sim.ready["buses"] and "link" in sim.ready["buses"]["a"] else None
        if master:
            opened.append(master)
        return sim, master

    yield start
    for one in reversed(opened):
        if isinstance(one, Sim):
            one.__exit__(None, None, None)
        else:
            try:
                one.close()
            except OSError:
                pass


def transaction_s(baud, count, turnaround=0.005):
    return (8 + 5 + 2 * count) * 10 / baud + turnaround


SPEC_MAP = """
turnaround = 0ms
coil 0..400 = const 0
coil 19..37 = 1 0 1 1 0 0 1 1 1 1 0 1 0 1 1 0 1 0 1
discrete 196..217 = 0 0 1 1 0 1 0 1 1 1 0 1 1 0 1 1 1 0 1 0 1 1
holding 0..20 = const 0
holding 107 = 555 0 100
holding 3 = 0xFE 0x0ACD 1 3 13 0xFF
input 8 = 10
"""


def spec_bus(kind, slave):
    port = "link = {dir}/a\nbaud = 115200" if kind == "rtu" else ""
    return f"[bus a]\ntype = {kind}\n{port}\n[slave a 17]\n{slave}"


def mbap(tid, unit, pdu):
    return struct.pack(">HHHB", tid, 0, len(pdu) + 1, unit) + pdu


def tcp_client(sim, bus="a"):
    return socket.create_connection(("127.0.0.1", sim.port(bus)), timeout=5 * SLOW)
