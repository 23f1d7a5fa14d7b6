# SPDX-License-Identifier: MIT
"""Starts, commands and stops the simulated bus (tests/sim, the executable railsim).

    with Sim(CONFIG) as sim:
        open(sim.link("a")) ...
        sim.cmd("late a 1 200ms 0.1")
        for event in sim.log("request"): ...

The configuration is a text; "{dir}" in it is a private folder, for links. `log` and `control` are set by this
module. Everything has a deadline; a simulator that does not answer is an error, never a hang.
"""
import json
import os
import select
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

START_S = 10
REPLY_S = 10
STOP_S = 10


class SimError(Exception):
    """The simulator refused a command, or is not there."""


def build_dir():
    """The build to test: $RAILHEAD_BUILD, else build/ at the root of the tree."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.environ.get("RAILHEAD_BUILD", os.path.join(root, "build"))


def free_port():
    """A TCP port nobody listens on. Prefer `port = 0` where the server can choose."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=5.0, what="condition", step=0.01):
    """The first true value of condition(); AssertionError when the deadline passes."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        select.select([], [], [], step)


def registers(hexes):
    """The `data` or `wrote` of a log event as a list of 16-bit registers."""
    raw = bytes.fromhex(hexes)
    return list(struct.unpack(f">{len(raw) // 2}H", raw))


class Sim:
    def __init__(self, config, build=None, realtime=False, seed=1):
        self.dir = tempfile.mkdtemp(prefix="railsim-")
        self.binary = os.path.join(build or build_dir(), "tests", "sim", "railsim")
        self.log_path = os.path.join(self.dir, "sim.log")
        self.config_path = os.path.join(self.dir, "sim.ini")
        self.process = None
        self.ready = None
        self._pending = b""
        head = f'[sim]\nlog = "{self.log_path}"\nseed = {seed}\nrealtime = {"yes" if realtime else "no"}\n'
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(head + config.replace("{dir}", self.dir))

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            shutil.rmtree(self.dir, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self):
        self.process = subprocess.Popen([self.binary, self.config_path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ready = self._line(START_S)
        return self

    @property
    def pid(self):
        return self.process.pid

    def _line(self, seconds):
        deadline = time.monotonic() + seconds
        fd = self.process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise SimError(f"railsim said nothing for {seconds} s")
                part = os.read(fd, 65536)
                if not part:
                    raise SimError("railsim ended: " + self.process.stderr.read().decode(errors="replace"))
                self._pending += part
        line, self._pending = self._pending.split(b"\n", 1)
        return json.loads(line)

    def cmd(self, line):
        """Sends one command; returns its reply. SimError when it is refused."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        reply = self._line(REPLY_S)
        if not reply["ok"]:
            raise SimError(f"{line}: {reply['error']}")
        return reply

    def link(self, bus):
        """The path at which a terminal is opened; it stays the same for the simulator's life."""
        return self.ready["buses"][bus]["link"]

    def port(self, bus):
        """The TCP port of a bus."""
        return self.ready["buses"][bus]["port"]

    def stats(self, bus):
        return self.cmd(f"stats {bus}")["buses"][bus]

    def get(self, bus, unit, table, span):
        return self.cmd(f"get {bus} {unit} {table} {span}")["values"]

    def log(self, event=None, **fields):
        """The events so far; of one kind, and with these values, when given."""
        with open(self.log_path, encoding="utf-8") as file:
            lines = file.read().split("\n")[:-1]
        events = [json.loads(line) for line in lines]
        return [e for e in events
                if (event is None or e["event"] == event) and all(e.get(k) == v for k, v in fields.items())]

    def stop(self):
        """Ends it (SIGTERM, then SIGKILL) and returns its exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass
        code, self.process = self.process.returncode, None
        return code
