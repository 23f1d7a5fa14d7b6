# SPDX-License-Identifier: MIT
"""What tools/bench runs: one line, one gateway, one broker; figures as medians of short runs."""
import argparse
import json
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
from buses import answers, rtu_bus  # noqa: E402
from daemon import Gateway, build_folder  # noqa: E402
from mosquitto import Mosquitto  # noqa: E402
from recorder import Recorder, readings_of  # noqa: E402
from simlib import Sim  # noqa: E402
from waiting import pass_time, until  # noqa: E402

REGISTERS = 100
TURNAROUND_S = 0.002
RATES = (9600, 115200)
SHARE_AT_LEAST = 0.97
ANON_KIB_AT_MOST = 5 * 1024
RSS_KIB_AT_MOST = 12 * 1024

COMMON = """\
[gateway]
name = bench
[mqtt]
broker = {broker}
qos = 1
[store]
path = {store}
"""


# The wait counts from the publish: at 9600 baud a transaction of 100 registers lasts a quarter of a second, and the
# few ms of the broker hardly show.
COMMAND_WAIT_AT_MOST = 1.10


def character_s(baud):
    return 10 / baud  # 8N1


def silence_s(baud):
    """t3.5: fixed above 19200 baud."""
    return 3.5 * character_s(baud) if baud <= 19200 else 0.00175


def transaction_s(baud, registers):
    """T(n) of one read with no time for host and adapter: what the wire allows."""
    return (8 + 5 + 2 * registers) * character_s(baud) + TURNAROUND_S + silence_s(baud)


class Run:
    """One simulated line and its gateway, ended together."""

    def __init__(self, folder, broker, baud, units, lines):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
        self.bus = Sim(rtu_bus("bus", units, baud=baud, turnaround=f"{TURNAROUND_S * 1000:g}ms"), build_folder())
        self.broker, self.baud, self.lines = broker, baud, lines
        self.gateway = None

    def __enter__(self):
        self.bus.__enter__()
        text = COMMON.format(broker=self.broker.url, store=self.folder / "store.db") + self.lines.format(
            port=self.bus.link("bus"), baud=self.baud)
        self.gateway = Gateway(self.folder, text).start()
        return self

    def __exit__(self, *_):
        self.gateway.clear()
        self.bus.__exit__(None, None, None)

    def asked(self):
        return [entry for entry in answers(self.bus, "bus") if entry.good]

    def cpu_s(self):
        """Processor time of all threads, from the scheduler's own count in nanoseconds."""
        tasks = pathlib.Path(f"/proc/{self.gateway.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


FASTEST = """\
[line bus]
port = {port}
baud = {baud}
mode = 8N1
[devices]
meter = bus 1 - interval=fastest
[points meter]
r{{0..%d}} = holding {{0..%d}} u16
""" % (REGISTERS - 1, REGISTERS - 1)


def measure_line(folder, broker, baud, seconds):
    """Share of the wire's limit, silence, processor, memory and bytes to the disk at full speed."""
    units = {1: [f"holding 0..{REGISTERS - 1} ramp 1000 7"]}
    with Run(folder, broker, baud, units, FASTEST) as run, Recorder(broker.port, "railhead/#", qos=0) as recorder:
        recorder.wait_status("online", 20)
        recorder.wait_count("data", 2, 30)
        warm, cpu = time.monotonic(), run.cpu_s()
        io = io_of(run.gateway)
        pass_time(seconds)
        cpu, wrote, end = run.cpu_s() - cpu, io_of(run.gateway) - io, time.monotonic()
        anon, rss = run.gateway.status_of("RssAnon"), run.gateway.status_of("VmRSS")
        found = run.asked()
        code = run.gateway.stop()
        assert code == 0, run.gateway.log()
        log = run.gateway.log()
    inside = [entry for entry in found if entry.start >= warm and entry.end <= end]
    cycle = (inside[-1].start - inside[0].start) / (len(inside) - 1)
    readings = len(inside) * REGISTERS
    gap = min(entry.gap for entry in found if entry.gap is not None)
    return {
        "share": transaction_s(baud, REGISTERS) / cycle,
        "gap_over_t35": gap / silence_s(baud),
        "cpu_us_per_reading": cpu * 1e6 / readings,
        "rss_anon_kib": anon,
        "rss_kib": rss,
        "disk_bytes_per_reading": wrote / readings,
        **farewell(log, len(found) * REGISTERS),
    }


def io_of(gateway):
    """Bytes that the process sent to the block layer."""
    text = pathlib.Path(f"/proc/{gateway.pid}/io").read_text()
    return int(re.search(r"^write_bytes: (\d+)", text, re.MULTILINE)[1])


def farewell(log, readings):
    """The store's own counts, from the last lines on stderr."""
    found = {}
    for name, pattern in (("store_bytes_per_reading", r"(\d+) bytes"), ("syncs_per_reading", r"(\d+) syncs")):
        matches = re.findall(pattern, log)
        if matches:
            found[name] = int(matches[-1]) / readings
    return found


IDLE = """\
[line bus]
port = {port}
baud = {baud}
mode = 8N1
[devices]
meter = bus 1 - interval=1h
[points meter]
level = holding 0 u16
"""


def measure_idle(folder, broker, seconds):
    with Run(folder, broker, 9600, {1: ["holding 0 const 7"]}, IDLE) as run, \
            Recorder(broker.port, "railhead/#", qos=0) as recorder:
        recorder.wait_status("online", 20)
        recorder.wait_count("data", 1, 20)
        pass_time(1)
        cpu = run.cpu_s()
        pass_time(seconds)
        return {"idle_cpu_percent": (run.cpu_s() - cpu) / seconds * 100}


URGENT = """\
[line bus]
port = {port}
baud = {baud}
mode = 8N1
[devices]
alarm = bus 1 - interval=50ms
[points alarm]
count = holding 0 u32 urgent
"""


def measure_urgent(folder, broker, count):
    """From the last byte of the answer on the wire to the subscriber, for each answer of an urgent point."""
    with Run(folder, broker, 115200, {1: ["holding 0..1 u32 counter 1 1"]}, URGENT) as run, \
            Recorder(broker.port, "railhead/#", qos=0) as recorder:
        recorder.wait_status("online", 20)
        until(lambda: len(recorder.messages(topic="data")) >= count + 10, 60, "urgent readings")
        ends = {entry.counter: entry.end for entry in run.asked()}
        delays = sorted(reading.at - ends[reading.value] for reading in list(readings_of(recorder.messages()))[10:]
                        if reading.value in ends)
    return {"urgent_p50_ms": delays[len(delays) // 2] * 1000, "urgent_p95_ms": delays[int(len(delays) * 0.95)] * 1000}


COMMANDED = """\
[line bus]
port = {port}
baud = {baud}
mode = 8N1
[devices]
meter = bus 1 - interval=fastest writes=allow
[points meter]
limit = holding 200 u16 writable
"""


def measure_command(folder, broker, baud, count):
    """How long a command waits on a line that is read as fast as it can be: from the publish to the first byte of
    the write on the wire, as a share of the longest transaction of that line."""
    points = "".join(f"r{n} = holding {n} u16\n" for n in range(REGISTERS))
    with Run(folder, broker, baud, {1: ["holding 0..99 const 1", "holding 200 const 0"]}, COMMANDED + points) as run, \
            Recorder(broker.port, "railhead/#", qos=0) as recorder:
        recorder.wait_status("online", 20)
        recorder.wait_count("data", 2, 20)
        waits = []
        for value in range(1, count + 1):
            mark, asked = recorder.mark(), time.monotonic()
            recorder.publish("railhead/bench/cmd/meter/limit/set", str(value))
            recorder.wait(lambda message: message.topic.endswith("/reply/meter/limit"), 10, since=mark)
            written = [entry for entry in run.asked() if entry.function == 6]
            waits.append(written[-1].start - asked)
    waits.sort()
    return {"command_wait": waits[int(len(waits) * 0.95)] / transaction_s(baud, REGISTERS)}


def medians(runs):
    return {key: statistics.median(run[key] for run in runs if key in run) for key in runs[0]}


LABELS = [
    ("share", "share of the wire's limit", "{:.4f}", f">= {SHARE_AT_LEAST}"),
    ("gap_over_t35", "shortest silence before a request, in t3.5", "{:.3f}", ">= 1"),
    ("cpu_us_per_reading", "CPU per reading, us", "{:.2f}", ""),
    ("rss_anon_kib", "RssAnon, KiB", "{:.0f}", f"<= {ANON_KIB_AT_MOST}"),
    ("rss_kib", "RSS, KiB", "{:.0f}", f"<= {RSS_KIB_AT_MOST}"),
    ("disk_bytes_per_reading", "bytes to the device per reading", "{:.1f}", ""),
    ("store_bytes_per_reading", "of these, counted by the store", "{:.1f}", ""),
    ("syncs_per_reading", "syncs per reading", "{:.5f}", ""),
    ("command_wait", "a write waits for the line, p95, in transactions", "{:.2f}", f"<= {COMMAND_WAIT_AT_MOST} at 9600"),
    ("idle_cpu_percent", "idle CPU, %", "{:.3f}", ""),
    ("urgent_p50_ms", "urgent: last wire byte -> subscriber, p50 ms", "{:.2f}", ""),
    ("urgent_p95_ms", "urgent: last wire byte -> subscriber, p95 ms", "{:.2f}", ""),
]


def missed(figures):
    """The limits that do not hold, in words."""
    found = []
    for baud, values in figures["lines"].items():
        if values["share"] < SHARE_AT_LEAST:
            found.append(f"{baud} baud: {values['share']:.4f} of the wire's limit, {SHARE_AT_LEAST} wanted")
        if values["gap_over_t35"] < 0.999:
            found.append(f"{baud} baud: a request came after {values['gap_over_t35']:.3f} of t3.5")
        if values["rss_anon_kib"] > ANON_KIB_AT_MOST:
            found.append(f"{baud} baud: RssAnon {values['rss_anon_kib']:.0f} KiB, at most {ANON_KIB_AT_MOST}")
        if values["rss_kib"] > RSS_KIB_AT_MOST:
            found.append(f"{baud} baud: RSS {values['rss_kib']:.0f} KiB, at most {RSS_KIB_AT_MOST}")
    if figures["lines"][9600]["command_wait"] > COMMAND_WAIT_AT_MOST:
        found.append(f"9600 baud: a write waited {figures['lines'][9600]['command_wait']:.2f} transactions")
    return found


def show(figures):
    columns = [(f"{baud} baud", values) for baud, values in figures["lines"].items()] + [("either", figures["either"])]
    print(f"{'':46}" + "".join(f"{name:>13}" for name, _values in columns) + "   limit")
    for key, label, form, limit in LABELS:
        if any(key in values for _name, values in columns):
            cells = "".join(f"{form.format(values[key]) if key in values else '':>13}" for _name, values in columns)
            print(f"{label:46}{cells}   {limit}".rstrip())


def measure(folder, runs, short):
    with Mosquitto(folder / "broker") as broker:
        lines = {}
        for baud in RATES:
            seconds = (6 if baud == 9600 else 4) if short else 15
            lines[baud] = medians([{**measure_line(folder, broker, baud, seconds),
                                    **measure_command(folder, broker, baud, 12 if short else 40)} for _ in range(runs)])
        either = medians([{**measure_idle(folder, broker, 3 if short else 10),
                           **measure_urgent(folder, broker, 60 if short else 200)} for _ in range(runs)])
    return {"registers": REGISTERS, "runs": runs, "turnaround_ms": TURNAROUND_S * 1000, "lines": lines,
            "either": either}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--runs", type=int)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="railhead-bench-"))
    try:
        figures = measure(folder, options.runs or (3 if options.ci else 5), options.ci)
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    wrong = missed(figures)
    if options.json:
        print(json.dumps({**figures, "missed": wrong}, indent=2))
    else:
        show(figures)
    for text in wrong:
        print("missed: " + text, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
