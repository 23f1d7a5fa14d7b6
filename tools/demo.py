# SPDX-License-Identifier: MIT
"""What tools/demo runs: a simulated bus, a broker, the gateway, and a table of what arrives."""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

# pylint: disable=wrong-import-position
from buses import rtu_bus  # noqa: E402
from daemon import Gateway, build_folder  # noqa: E402
from mosquitto import Mosquitto  # noqa: E402
from recorder import Recorder, readings_of  # noqa: E402
from simlib import Sim, SimError  # noqa: E402

BAUD = 9600
NEEDED = 20  # readings of each device in 20 s

UNITS = {
    1: ["input 0..1 f32 sine 230 3 17s", "input 2..3 f32 sine 6.5 2 11s", "input 4..5 f32 sine 1500 400 11s",
        "input 6..7 f32 const 0.98", "input 8..9 f32 sine 50 0.02 7s", "input 10..11 u32 counter 1201250 1"],
    17: ["holding 0..1 s16 sine 215 12 23s", "holding 1 u16 sine 480 30 31s"],
    40: ["coil 0..3 1 0 1 0", "holding 5 u16 saw 0 2.99 9s", "discrete 8 saw 0 1.99 5s"],
}

CONFIG = """\
[gateway]
name = demo
tag.site = workbench

[mqtt]
broker = {broker}
qos = 2

[store]
path = {store}
commit_interval = 500ms

[line rs485]
port = {port}
baud = {baud}
mode = 8N1
timeout = 300ms

[line mast]
driver = uart
port = {mast}
baud = 4800
mode = 8N1

[devices]
;name   = line address profile
meter   = rs485  1 -   interval=500ms title="Energy meter"
climate = rs485 17 -   interval=500ms title="Temperature and humidity"
relays  = rs485 40 -   interval=500ms title="Relay board" writes=allow
wind    = mast   - -   title="Anemometer, NMEA 0183"

[device wind]
start    = "$"
end      = "\\r\\n"
checksum = nmea

[points meter]
voltage   = input  0 f32 unit=V
current   = input  2 f32 unit=A
power     = input  4 f32 unit=W
factor    = input  6 f32
frequency = input  8 f32 unit=Hz
energy    = input 10 u32 unit=kWh scale=0.01 kind=counter drop=last

[points climate]
temperature = holding 0 s16 scale=0.1 unit=°C min=-40 max=80
humidity    = holding 1 u16 scale=0.1 unit=%

[points relays]
pump  = coil 0 writable
fan   = coil 1
valve = coil 2
heater = coil 3
mode  = holding 5 u16 enum=0:off,1:auto,2:manual
alarm = discrete 8 urgent every=250ms report=change

[points wind]
angle = csv 1 f64 unit=°
speed = csv 3 f64 unit=m/s
"""

ANEMOMETER = """\
[bus mast]
type = uart
link = {{dir}}/mast
baud = 4800
mode = 8N1
[sensor mast wind]
every = 500ms
line = "$WIMWV,{{value}},R,4.7,M,A*{{nmea}}\\r\\n"
value = sine 214 25 13s
decimals = 1
""".replace("{{", "{").replace("}}", "}")

DEVICES = ("meter", "climate", "relays", "wind")
COMMAND = {"id": "demo-1", "value": False, "by": "tools/demo"}


def duration(text):
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|min|h)?", text)
    if not match or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 20s or 2min")
    return float(match[1]) * {None: 1, "s": 1, "min": 60, "h": 3600}[match[2]]


class Board:
    """What has arrived, by device and point."""

    def __init__(self, recorder, bus):
        self.recorder, self.bus = recorder, bus
        self.rows, self.latencies, self.urgent = {}, [], []
        self.units = {}
        self._seen = 0
        self._loads = [(0, 0)]
        self._wall = time.time() - time.monotonic()

    def update(self):
        messages = self.recorder.messages(self._seen)
        self._seen += len(messages)
        for message in messages:
            if "/meta/" in message.topic:
                meta = json.loads(message.payload)
                for point, what in meta["points"].items():
                    self.units[(meta["dev"], point)] = what.get("unit", "")
        for reading in readings_of(messages):
            latency = reading.at + self._wall - reading.t / 1000
            (self.urgent if reading.point == "alarm" else self.latencies).append(latency)
            count = self.rows.get((reading.dev, reading.point), (0,))[0]
            self.rows[(reading.dev, reading.point)] = (count + 1, reading.value, reading.at, latency)

    def counts(self):
        found = dict.fromkeys(DEVICES, 0)
        for (dev, _point), row in self.rows.items():
            found[dev] += row[0]
        return found

    def load(self):
        """The share of the last seconds in which the bus was taken, by the simulator's own count."""
        try:
            stats = self.bus.stats("rs485")
            self._loads = (self._loads + [(stats["busy_us"], stats["elapsed_us"])])[-20:]
        except (OSError, SimError):
            pass  # Ctrl-C on a terminal ends the simulator as well
        then, now = self._loads[0], self._loads[-1]
        return (now[0] - then[0]) / max(now[1] - then[1], 1)

    def summary_line(self):
        def median(values):
            return f"{statistics.median(values[-200:]) * 1000:.0f} ms" if values else "-"

        return (f"bus load {self.load() * 100:.0f} % of {BAUD} baud · bus to subscriber, median: "
                f"urgent {median(self.urgent)}, gathered {median(self.latencies)}")

    def table(self):
        now = time.monotonic()
        lines = [f"{'device':<9}{'point':<13}{'value':>12} {'unit':<5}{'readings':>9}{'age':>8}{'latency':>10}"]
        for (dev, point), (count, value, at, latency) in sorted(self.rows.items()):
            shown = f"{value:.2f}" if isinstance(value, float) else json.dumps(value).strip('"')
            lines.append(f"{dev:<9}{point:<13}{shown:>12} {self.units.get((dev, point), ''):<5}{count:>9}"
                         f"{now - at:>7.1f}s{latency * 1000:>7.0f} ms")
        return lines


class Screen:
    """Draws over itself on a terminal; elsewhere one line per device and second."""

    def __init__(self):
        self.live = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.bold, self.plain = ("\x1b[1m", "\x1b[0m") if self.live and not os.environ.get("NO_COLOR") else ("", "")
        self._height = 0
        self._last = 0.0

    def show(self, board, operator):
        if self.live:
            lines = board.table() + ["", board.summary_line(), operator.line()]
            width = shutil.get_terminal_size().columns
            print(f"\x1b[{self._height}A" if self._height else "", end="")
            for number, line in enumerate(lines):
                line = line[:width - 1]
                print(f"\x1b[2K{self.bold}{line}{self.plain}" if number == 0 else f"\x1b[2K{line}")
            self._height = len(lines)
        elif time.monotonic() - self._last >= 1:
            self._last = time.monotonic()
            for dev in board.counts():
                values = " ".join(f"{point}={json.dumps(row[1])}" for (d, point), row in sorted(board.rows.items())
                                  if d == dev)
                if values:
                    print(f"{time.strftime('%H:%M:%S')} {dev}: {values}")
            print(f"{time.strftime('%H:%M:%S')} {board.summary_line()}")
            print(f"{time.strftime('%H:%M:%S')} {operator.line()}")
        sys.stdout.flush()


class Operator:
    """Switches the pump off over MQTT once everything is seen to work, and says what came back."""

    def __init__(self, recorder):
        self.recorder, self.mark, self.reply = recorder, None, None

    def step(self, board):
        if self.mark is None and all(count >= 5 for count in board.counts().values()):
            self.mark = self.recorder.mark()
            self.recorder.publish("railhead/demo/cmd/relays/pump/set", json.dumps(COMMAND))
        if self.mark is None or self.reply:
            return
        for message in self.recorder.messages(self.mark):
            if message.topic == "railhead/demo/reply/relays/pump":
                self.reply = message.payload.decode()

    def line(self):
        if self.mark is None:
            return "command: none sent yet"
        return f"command: cmd/relays/pump/set {json.dumps(COMMAND)} -> {self.reply or 'no reply yet'}"


def watch(board, screen, gateway, operator, seconds):
    """Shows what arrives until the time is over, Ctrl-C comes, or the gateway ends. Returns seconds watched."""
    start = time.monotonic()
    mark = board.recorder.mark()
    while seconds is None or time.monotonic() < start + seconds:
        if not gateway.running():
            raise RuntimeError("the gateway ended by itself:\n" + gateway.log())
        try:
            board.recorder.wait(lambda _message: True, 0.25, since=mark)
        except AssertionError:
            pass
        mark = board.recorder.mark()
        board.update()
        operator.step(board)
        screen.show(board, operator)
    return time.monotonic() - start


def run(folder, options):
    stopped = False
    text = rtu_bus("rs485", UNITS, baud=BAUD, turnaround="4ms") + ANEMOMETER
    with Mosquitto(folder / "broker", port=options.port) as broker, Sim(text, build_folder()) as bus, \
            Recorder(broker.port, name="demo") as recorder:
        config = CONFIG.format(broker=broker.url, store=folder / "store.db", port=bus.link("rs485"), baud=BAUD,
                               mast=bus.link("mast"))
        print(config)
        print(f"watch it yourself: mosquitto_sub -p {broker.port} -t 'railhead/demo/#' -v\n", flush=True)
        began = time.monotonic()
        with Gateway(folder, config) as gateway:
            board, screen, operator = Board(recorder, bus), Screen(), Operator(recorder)
            try:
                watch(board, screen, gateway, operator, options.seconds)
            except KeyboardInterrupt:
                stopped = True
            code = gateway.stop()
            try:
                recorder.wait_status("offline", 5)
            except AssertionError:
                pass
            board.update()
            operator.step(board)
        return verdict(board, operator, code, time.monotonic() - began, stopped)


def verdict(board, operator, code, seconds, stopped):
    needed = NEEDED if seconds >= 20 else int(seconds * NEEDED / 20)
    print(f"\n{seconds:.0f} s: " + ", ".join(f"{count} readings of {dev}" for dev, count in board.counts().items()))
    print(board.summary_line())
    print(operator.line())
    short = [dev for dev, count in board.counts().items() if count < needed]
    if short and not stopped:
        print(f"fewer than {needed} readings of {', '.join(short)}", file=sys.stderr)
    replied = operator.reply is not None and json.loads(operator.reply)["status"] == "ok"
    if not replied and seconds >= 20 and not stopped:
        print("the command got no reply that says ok", file=sys.stderr)
        return 1
    if code != 0:
        print(f"the gateway ended with status {code}", file=sys.stderr)
    return 1 if code != 0 or (short and not stopped) else 0


def main():
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--for", dest="seconds", type=duration)
    parser.add_argument("--port", type=int)
    try:
        options = parser.parse_args()
    except SystemExit as wrong:
        return 64 if wrong.code else 0

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="railhead-demo-"))
    try:
        return run(folder, options)
    except KeyboardInterrupt:
        return 130
    except (RuntimeError, AssertionError, OSError) as wrong:
        print(f"demo: {wrong}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
