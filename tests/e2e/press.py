# SPDX-License-Identifier: MIT
"""A device to command: a simulated press with points of every writable kind, and what its line was asked."""
import collections

from inifile import ini

WRITES = {5, 6, 15, 16}

# start: monotonic seconds of the request's first byte; data: what was written, as on the wire.
Write = collections.namedtuple("Write", "function address count data outcome start end")

BUS = """[bus t]
type = tcp
[slave t 1]
turnaround = {turnaround}
coil 0..15 = const 0
holding 0..7 = 20 200 0 1 50 0 0 0
holding 10..17 = const 0
holding 20..23 text = "none"
holding 30..33 = const 0
holding 40 = const 3
input 0..1 u32 = counter
"""

LINE = """[line t]
driver = modbus-tcp
host = 127.0.0.1:{port}
timeout = {timeout}
"""

POINTS = """[points press]
relay     = coil 0                 writable
lamp      = coil 1                 writable
horn      = coil 2                 writable
setpoint  = holding 0 u16          writable min=5 max=30
temp      = holding 1 s16          writable scale=0.1 min=-10 max=40 step=0.5
mode      = holding 3 u16          writable enum=0:off,1:auto,2:manual
fixed     = holding 4 u16
energy    = holding 10 u32         writable
real      = holding 12 f32         writable
wide      = holding 14 s64         writable
label     = holding 20 str len=4   writable
x0        = holding 30 u16         writable
x1        = holding 31 u16         writable
x2        = holding 32 u16         writable
count     = input 0 u32
"""


class Press:
    """`extra`: more points; `device`: more options of its row."""

    def __init__(self, sim, turnaround="1ms", extra_bus=""):
        self.sim = sim(BUS.format(turnaround=turnaround) + extra_bus)

    def body(self, interval="100ms", timeout="300ms", device="writes=allow", extra="", rest=""):
        return (LINE.format(port=self.sim.port("t"), timeout=timeout)
                + f"[devices]\npress = t 1 - interval={interval} {device}\n" + POINTS + extra + "\n" + rest)

    def config(self, broker, store, mqtt=None, commands="", keep=None, **how):
        return ini(broker.url, store, self.body(**how) + commands, mqtt={"qos": 1, **(mqtt or {})}, keep=keep)

    def writes(self):
        """Every write that reached the device, in the order in which they were over."""
        return [Write(e["function"], e.get("address"), e.get("count"), e.get("wrote", ""), e["outcome"],
                      e["request_us"] / 1e6, e.get("answer_end_us", 0) / 1e6)
                for e in self.sim.log("request") if e.get("function") in WRITES]

    def wrote(self):
        """(function, address, data) of them."""
        return [(w.function, w.address, w.data) for w in self.writes()]

    def requests(self):
        return self.sim.stats("t")["requests"]

    def holding(self, address, count=1):
        return self.sim.get("t", 1, "holding", f"{address}..{address + count - 1}")
