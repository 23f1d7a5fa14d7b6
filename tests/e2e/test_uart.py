# SPDX-License-Identifier: MIT
"""Sensors that are described by their frames, end to end: they push or are asked, vanish, fall silent, and lie."""
import fcntl
import json
import os
import select
import struct
import termios
import threading
import tty

import pytest

from buses import line_keys, rtu_bus
from inifile import ini
from recorder import qualities_of
from waiting import until

TICK_S = 0.03


class Player:
    """A sensor on a pty. `push`: bytes it sends again and again, in pieces with pauses if it is a list; the next
    round begins when the last one has been read. `answer(request, n)`: what it says to its n-th request, which ends
    with `mark`; None is silence."""

    def __init__(self, push=None, answer=None, mark=b"\n", delay=0.0, after=b"", pushing=True):
        self.pieces = [push] if isinstance(push, bytes) else list(push or [])
        self.answer, self.mark, self.delay, self.after = answer, mark, delay, after
        self.pushing = pushing
        self.heard = b""
        self.requests = 0
        self._master, self._slave = os.openpty()  # the slave stays open, so that the gateway may come and go
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._stop, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def send(self, data):
        """Once, beside what it pushes."""
        os.write(self._master, data)

    def _unread(self):
        return struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, bytes(4)))[0]

    def _hear(self, seconds):
        """What comes within that time; False at the end of the test."""
        ready, _, _ = select.select([self._master, self._stop], [], [], seconds)
        if self._master in ready:
            self.heard += os.read(self._master, 4096)
        return self._stop not in ready

    def _play(self):
        at, quiet = 0, 0
        while self._hear(TICK_S):
            if self.answer and not self._answer():
                return
            quiet = quiet + 1 if self._unread() == 0 else 0
            if self.pushing and self.pieces and quiet >= 2 and self.after in self.heard:
                os.write(self._master, self.pieces[at % len(self.pieces)])
                at, quiet = at + 1, 0

    def _answer(self):
        """A request that comes while it thinks about another one makes it forget that one."""
        while self.heard.count(self.mark) > self.requests:
            self.requests = self.heard.count(self.mark)
            if select.select([self._master, self._stop], [], [], self.delay)[0]:
                if not self._hear(0):
                    return False
                continue
            data = self.answer(self.heard.split(self.mark)[self.requests - 1] + self.mark, self.requests)
            if data:
                os.write(self._master, data)
        return True

    def close(self):
        os.write(self._wake, b"x")
        self._thread.join(5)
        for fd in (self._stop, self._wake, self._master, self._slave):
            os.close(fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def nmea(text):
    """The sentence with its checksum and end."""
    total = 0
    for byte in text.encode():
        total ^= byte
    return f"${text}*{total:02X}\r\n".encode()


def uart(name, port, more=""):
    return f"[line {name}]\ndriver = uart\nport = {port}\nbaud = 9600\nmode = 8N1\n{more}\n"


def wait_quality(recorder, dev, point, quality, seconds=10, since=0):
    recorder.wait(lambda m: (dev, point, quality) in qualities_of([m]), seconds, f"{dev}.{point} {quality}", since)


def wait_state(recorder, dev, state, seconds=10, since=0):
    recorder.wait(lambda m: m.topic.endswith(f"/state/{dev}") and m.payload.decode().strip('"') == state, seconds,
                  f"{dev} {state}", since)


WIND = """
[bus mast]
type = uart
link = {dir}/mast
baud = 9600
mode = 8N1
[sensor mast wind]
every = 100ms
line = "$WIMWV,{value},R,4.7,M,A*{nmea}\\r\\n"
value = counter 1 1
"""
SCALE = """
[bus bench]
type = uart
link = {dir}/bench
baud = 9600
mode = 8N1
[sensor bench scale]
request = "SI\\r\\n"
turnaround = 5ms
line = "S S     {value} g\\r\\n"
value = counter 100 1
decimals = 2
"""


@pytest.mark.sanitizer
def test_sensors_that_push_and_are_asked_beside_a_modbus_bus(broker, recorder, sim, start, store):
    bus = sim(rtu_bus("rs485", {1: ["holding 0..1 u32 counter 1 1"]}, baud=38400) + WIND + SCALE)
    body = (f"[line rs485]\n{line_keys(bus, 'rs485', 38400)}" + uart("mast", bus.link("mast")) +
            uart("bench", bus.link("bench")) +
            "[devices]\nmeter = rs485 1 - interval=100ms\nwind = mast - nmea0183 interval=fastest\n"
            "scale = bench - mt-sics interval=100ms\n[points meter]\ncount = holding 0 u32\n")
    gateway = start(ini(broker.url, store, body))
    for dev, point in (("meter", "count"), ("wind", "wind_angle"), ("scale", "weight")):
        recorder.wait_reading(dev, point)
        wait_state(recorder, dev, "online")
    until(lambda: len(recorder.readings("wind", "wind_angle")) > 10 and
          len(recorder.readings("scale", "weight")) > 10, 10, "ten readings of both")
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    for dev, point, step in (("wind", "wind_angle", 1), ("scale", "weight", 1)):
        values = [r.value for r in recorder.readings(dev, point)]
        assert values == [values[0] + i * step for i in range(len(values))], f"{dev}: each once, in order"
    assert {r.value for r in recorder.readings("wind", "wind_speed")} == {4.7}
    assert {r.value for r in recorder.readings("wind", "wind_unit")} == {"m/s"}
    assert {r.value for r in recorder.readings("scale", "stable")} == {"yes"}
    meta = json.loads(recorder.wait(lambda m: m.topic.endswith("/meta/scale"), 5).payload)
    assert meta["profile"] == "mt-sics" and meta["points"]["weight"]["unit"] == "g"


@pytest.mark.sanitizer
def test_a_port_that_is_pulled_out_and_plugged_in_again(broker, recorder, sim, start, store):
    bus = sim(WIND)
    body = uart("mast", bus.link("mast")) + "[devices]\nwind = mast - nmea0183 interval=fastest\n"
    gateway = start(ini(broker.url, store, body))
    recorder.wait_reading("wind", "wind_angle")
    bus.cmd("unplug mast")
    gateway.wait_log(r"\bmast\b.*(gone|lost|not there|vanished|closed|No such|Input/output)", 10)
    wait_state(recorder, "wind", "offline")
    mark = recorder.mark()
    bus.cmd("plug mast")
    recorder.wait_reading("wind", "wind_angle", 5, since=mark)
    wait_state(recorder, "wind", "online", since=mark)
    assert gateway.stop() == 0
    recorder.wait_status("offline", reason="stopped")
    values = [r.value for r in recorder.readings("wind", "wind_angle")]
    assert values == sorted(set(values)), "each once, in order"


@pytest.mark.sanitizer
def test_a_sensor_that_falls_silent_is_stale_then_offline_and_recovers(broker, recorder, start, store):
    with Player(push=nmea("WIMWV,214,R,4.7,M,A")) as player:
        body = uart("mast", player.port) + "[devices]\nwind = mast - nmea0183 interval=fastest stale_after=400ms\n"
        start(ini(broker.url, store, body))
        recorder.wait_reading("wind", "wind_angle", value=214)
        player.pushing = False
        mark = recorder.mark()
        wait_quality(recorder, "wind", "wind_angle", "stale", since=mark)
        wait_state(recorder, "wind", "offline", since=mark)
        assert len([q for q in qualities_of(recorder.messages(mark)) if q == ("wind", "wind_angle", "stale")]) == 1
        mark = recorder.mark()
        player.pushing = True
        recorder.wait_reading("wind", "wind_angle", since=mark, value=214)
        wait_state(recorder, "wind", "online", since=mark)


@pytest.mark.sanitizer
def test_wrong_checksums_and_half_sentences_never_become_readings(broker, recorder, start, store):
    good = [nmea(f"WIMWV,{n},R,4.7,M,A") for n in (1, 2)]
    lies = [good[0].replace(b",1,", b",99,"), b"$WIMWV,98,R,4.7,M,A*00\r\n", b"$WIMWV,97,R,4.7,M,A\r\n",
            b"$WIMWV,96,R", bytes(range(256))]
    stream = b"".join(piece for lie in lies for piece in (good[0], lie, good[1]))
    with Player(push=[stream[i:i + 37] for i in range(0, len(stream), 37)]) as player:
        body = uart("mast", player.port) + "[devices]\nwind = mast - nmea0183 interval=fastest\n"
        start(ini(broker.url, store, body))
        until(lambda: len(recorder.readings("wind", "wind_angle")) > 20, 15, "twenty readings")
        assert {r.value for r in recorder.readings("wind", "wind_angle")} == {1, 2}
        assert not [q for q in qualities_of(recorder.messages()) if q[2] != "na"]


@pytest.mark.sanitizer
def test_a_scale_that_says_nothing_is_offline_and_comes_back(broker, recorder, start, store):
    answers = {"it": b"S S     100.00 g\r\n"}
    with Player(answer=lambda _request, _n: answers.get("it")) as player:
        body = (uart("bench", player.port, "timeout = 100ms") +
                "[devices]\nscale = bench - mt-sics interval=100ms\n")
        start(ini(broker.url, store, body))
        recorder.wait_reading("scale", "weight", value=100)
        mark = recorder.mark()
        del answers["it"]
        wait_state(recorder, "scale", "offline", since=mark)
        mark = recorder.mark()
        answers["it"] = b"S D     -5.25 g\r\n"
        recorder.wait_reading("scale", "weight", since=mark, value=-5.25)
        recorder.wait_reading("scale", "stable", since=mark, value="no")
        assert set(player.heard.split(b"SI\r\n")) == {b""}, "nothing but requests"
