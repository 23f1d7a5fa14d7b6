# SPDX-License-Identifier: MIT
"""Simulated buses: their configuration, and what their log says of every request (tests/sim/README.md)."""
import collections
import json
import weakref

# Times are monotonic seconds: `start` of the request's first byte, `end` of the answer's last one (0: none).
# `gap` is the silence before the request, None where nothing was before it.
Answer = collections.namedtuple("Answer", "unit function address count outcome fault start sent end gap data")


class Entry(Answer):
    __slots__ = ()

    @property
    def good(self):
        """A whole, right answer with values reached the wire."""
        return self.outcome == "ok"

    def u32(self, order="ABCD", at=0):
        """The 32-bit number at byte `at` of the answer's data."""
        words = [self.data[at:at + 2], self.data[at + 2:at + 4]]
        if order in ("CDAB", "DCBA"):
            words.reverse()
        if order in ("BADC", "DCBA"):
            words = [word[::-1] for word in words]
        return int.from_bytes(b"".join(words), "big")

    @property
    def counter(self):
        return self.u32()


def _slaves(name, units, turnaround):
    return "".join(f"[slave {name} {unit}]\nturnaround = {turnaround}\n" + "".join(
        _definition(line) + "\n" for line in lines) for unit, lines in units.items())


def _definition(line):
    """`holding 0..1 u32 counter 7 1` with its `=`: behind the address, or behind `hole`."""
    words = line.split()
    at = 1 if words[0] in ("hole", "exception") else 2
    return " ".join(words[:at] + ["="] + words[at:])


def rtu_bus(name, units, baud, mode="8N1", turnaround="1ms", extra=""):
    """A paced serial line with these slaves: {unit: ["holding 0..1 u32 counter 7 1", …]}."""
    keys = f"type = rtu\nlink = {{dir}}/{name}\nbaud = {baud}\nmode = {mode}\n{extra}\n"
    return f"[bus {name}]\n{keys}" + _slaves(name, units, turnaround)


def tcp_bus(name, units, turnaround="1ms", extra=""):
    return f"[bus {name}]\ntype = tcp\n{extra}\n" + _slaves(name, units, turnaround)


def line_keys(bus, name, baud, extra="", mode="8N1"):
    """The keys of a [line …] of the gateway on this bus."""
    return f"port = {bus.link(name)}\nbaud = {baud}\nmode = {mode}\n{extra}"


_READ = weakref.WeakKeyDictionary()  # simulator -> [bytes of its log read so far, entries]


def entries(bus):
    """(bus, Entry) of every request in the log, in the order in which they were over. Each line is read once."""
    progress = _READ.setdefault(bus, [0, []])
    with open(bus.log_path, "rb") as file:
        file.seek(progress[0])
        fresh = file.read()
    fresh = fresh[:fresh.rfind(b"\n") + 1]
    progress[0] += len(fresh)
    progress[1] += [_entry(event) for event in map(json.loads, fresh.splitlines()) if event["event"] == "request"]
    return progress[1]


def _entry(event):
    def seconds(key):
        return event.get(key, 0) / 1e6

    gap = event.get("gap_us")
    return event["bus"], Entry(event.get("unit"), event.get("function"), event.get("address"), event.get("count"),
                               event["outcome"], event.get("fault"), seconds("request_us"), seconds("request_end_us"),
                               seconds("answer_end_us"), None if gap is None else gap / 1e6,
                               bytes.fromhex(event.get("data", "")))


def answers(bus, name, unit=None, function=None, address=None):
    """The requests of a bus that were for this unit, function and address."""
    return [entry for on, entry in entries(bus) if on == name and unit in (None, entry.unit)
            and function in (None, entry.function) and address in (None, entry.address)]


def counter_values(bus, name, unit, function, address=None, order="ABCD"):
    """What a counter said in whole answers, in their order."""
    return [entry.u32(order) for entry in answers(bus, name, unit, function, address) if entry.good]
