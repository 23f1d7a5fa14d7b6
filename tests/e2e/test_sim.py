# SPDX-License-Identifier: MIT
"""The simulator: its pacing against the arithmetic of a serial line, the silence it watches, its faults."""
import os
import random
import select
import statistics
import time

import pytest

from simlib import registers, wait_for
from simmaster import bus  # noqa: F401 (a fixture)
from simmaster import crc, frame, mbap, read_request, rtu, tcp_client, transaction_s
from waiting import SLOW, pass_time

# Pacing


@pytest.mark.parametrize("baud", [9600, 115200])
def test_a_transaction_lasts_as_long_as_on_a_wire(bus, baud):
    sim, master = bus(rtu(baud))
    for count in (1, 10, 100, 125):
        expected = transaction_s(baud, count)
        for _ in range(4):  # a machine with other work gets a second chance; bytes too early never do
            median = statistics.median(timed_read(master, count, expected) for _ in range(7))
            if abs(median - expected) <= max(0.01 * expected, 0.0002) * SLOW:
                break
        else:
            pytest.fail(f"{count} registers: {median * 1e3:.3f} ms instead of {expected * 1e3:.3f}")
    assert sim.stats("a")["early"] == 0


def timed_read(master, count, expected):
    answer, seconds = master.ask(read_request(1, 0, count), 5 + 2 * count)
    assert answer[:3] == bytes([1, 3, 2 * count]) and crc(answer[:-2]) == answer[-2:]
    assert seconds >= expected, "bytes before their time"
    return seconds


def test_the_log_has_the_exact_times_of_the_wire(bus):
    sim, master = bus(rtu(9600))
    for _ in range(5):
        master.ask(read_request(1, 0, 10), 25)
    wait_for(lambda: len(sim.log("request")) == 5)
    for event in sim.log("request"):
        assert abs(event["request_end_us"] - event["request_us"] - 8 * 1041.67) < 3
        assert abs(event["answer_us"] - event["request_end_us"] - 5000) < 3
        assert event["answer_end_us"] - event["answer_us"] >= 25 * 1041.66 - 3
    late = [e["answer_end_us"] - e["answer_us"] - 25 * 1041.67 for e in sim.log("request")]
    assert statistics.median(late) < 200 * SLOW


def test_bytes_come_one_by_one_at_9600_baud(bus):
    _, master = bus(rtu(9600))
    start = time.monotonic()
    master.send(read_request(1, 0, 20))
    seen, total = [], 0
    while total < 45:
        assert select.select([master.fd], [], [], 2)[0]
        at = time.monotonic() - start
        total += len(os.read(master.fd, 512))
        seen.append((round(at, 5), total))
        assert at >= transaction_s(9600, 0) + (total - 5) * 10 / 9600, seen
    assert len(seen) > 20


def test_a_byte_of_a_second_chunk_is_queued_behind_the_first(bus):
    sim, master = bus(rtu(1200))
    request = read_request(1, 0, 1)
    master.send(request[:3])
    pass_time(0.005)  # three characters take 25 ms
    master.send(request[3:])
    assert len(master.receive(7)) == 7
    wait_for(lambda: sim.log("request"))
    event = sim.log("request")[0]
    assert abs(event["request_end_us"] - event["request_us"] - 8 * 8333.33) < 3


def test_parity_and_stop_bits_make_characters_longer(bus):
    sim, master = bus(rtu(9600, bus="mode = 8E1"))
    assert sim.stats("a")["char_us"] == pytest.approx(1145.833, abs=0.001)
    _, seconds = master.ask(read_request(1, 0, 50), 105)
    assert seconds >= 113 * 11 / 9600 + 0.005 - 0.0001


def test_waiting_costs_no_processor_time(bus):
    sim, master = bus(rtu(115200, turnaround="1ms"))

    def ticks():
        with open(f"/proc/{sim.pid}/stat", encoding="ascii") as file:
            return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))

    before, start = ticks(), time.monotonic()
    while time.monotonic() - start < 1.5:
        master.ask(read_request(1, 0, 125), 255)
    busy = (ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - start)
    assert busy < 0.15 * SLOW, f"{busy:.0%} of a processor on a busy line"
    before = ticks()
    pass_time(1)
    assert ticks() - before <= 1, "an idle line costs time"


# The silence between frames


def early_requests(bus):
    """Two requests about 1 ms after an answer: to a strict slave, then to one that does not mind. What was seen."""
    sim, master = bus(rtu(9600, slave="strict = yes\nholding 0..9 = ramp"))
    master.ask(read_request(1, 0, 1), 7)
    pass_time(0.001)  # t3.5 is 3.6 ms
    master.send(read_request(1, 0, 1))
    refused = master.quiet(0.1)
    assert len(master.ask(read_request(2, 0, 1), 7)[0]) == 7
    pass_time(0.001)
    master.send(read_request(2, 0, 1))
    assert len(master.receive(7)) == 7
    return sim, refused


def test_an_early_request_is_counted_and_a_strict_slave_ignores_it(bus):
    for _attempt in range(5):  # on a loaded machine the test itself may be too late to be early
        sim, refused = early_requests(bus)
        stats = sim.stats("a")
        if stats["early"] == 2:
            break
    assert refused and stats["early"] == 2 and 900 < stats["min_gap_us"] < 3600
    assert [e["outcome"] for e in sim.log("request")] == ["ok", "early", "ok", "ok"]
    assert stats["units"]["1"] == {"requests": 1, "answers": 1, "exceptions": 0, "early": 1}


@pytest.mark.parametrize("baud, silence", [(9600, 3645.8), (19200, 1822.9), (38400, 1750.0), (115200, 1750.0)])
def test_the_silence_by_the_baud_rate(bus, baud, silence):
    sim, _ = bus(rtu(baud))
    assert sim.stats("a")["silence_us"] == pytest.approx(silence, abs=0.1)


# Faults


def test_dead_drop_busy_and_back(bus):
    sim, master = bus(rtu())
    for command, outcome in (("dead a 1 on", "dead"), ("drop a 1 1", "dropped")):
        sim.cmd(command)
        master.send(read_request(1, 0, 1))
        assert master.quiet(0.1)
        assert sim.log("request")[-1]["outcome"] == outcome
        sim.cmd(command.split()[0] + " a 1 off")
    sim.cmd("busy a * 100%")
    assert master.ask(read_request(1, 0, 1), 5)[0] == frame("01 83 06")
    sim.cmd("busy a * off")
    assert master.ask(read_request(1, 0, 1), 7)[0] == frame("01 03 02 0000")


def test_a_late_answer_comes_at_its_time_after_others(bus):
    sim, master = bus(rtu())
    sim.cmd("late a 1 200ms")
    master.send(read_request(1, 7, 1))
    start = time.monotonic()
    assert master.quiet(0.05)
    sim.cmd("late a 1 off")
    assert master.ask(read_request(2, 0, 1), 7)[0] == frame("02 03 02 0002")
    assert master.receive(7) == frame("01 03 02 0007")
    assert 0.2 <= time.monotonic() - start <= 0.2 + 0.05 * SLOW
    assert sim.log("request")[-1]["fault"] == "late"


@pytest.mark.parametrize("defer", [False, True])
def test_a_late_answer_into_a_request(bus, defer):
    """Both are damaged; or, with `defer`, the slave waits until the line is free."""
    sim, master = bus(rtu(1200, bus="defer = yes" if defer else ""))
    sim.cmd("late a 1 100ms")
    master.send(read_request(1, 0, 1))
    pass_time(0.09 + 8 * 10 / 1200)
    master.send(read_request(2, 0, 1))
    got = master.receive(14, 0.4)
    wait_for(lambda: len(sim.log("request")) == 2)
    outcomes = {e.get("unit"): e["outcome"] for e in sim.log("request")}
    if defer:
        assert sorted([got[:7], got[7:]]) == [frame("01 03 02 0000"), frame("02 03 02 0002")]
        assert outcomes == {1: "ok", 2: "ok"}
    else:
        assert len(got) < 7 and outcomes == {None: "collided", 1: "collided"}


def test_noise_truncation_foreign_units_and_gaps_are_what_the_log_says(bus):
    sim, master = bus(rtu(), seed=7)
    good = frame("01 03 02 0000")
    sim.cmd("noise a 1 1 before")
    assert master.ask(read_request(1, 0, 1), 99, 0.1)[0].endswith(good)
    sim.cmd("noise a 1 1 after")
    assert master.ask(read_request(1, 0, 1), 99, 0.1)[0].startswith(good)
    sim.cmd("noise a 1 1 flip")
    got = master.ask(read_request(1, 0, 1), 99, 0.1)[0]
    assert len(got) == 7 and got != good and crc(got[:-2]) != got[-2:]
    sim.cmd("noise a 1 off")
    sim.cmd("truncate a 1 1")
    got = master.ask(read_request(1, 0, 1), 99, 0.1)[0]
    assert len(got) < 7 and good.startswith(got)
    sim.cmd("truncate a 1 off")
    sim.cmd("foreign a 1 1")
    assert master.ask(read_request(1, 0, 1), 7)[0] == frame("02 03 02 0000")
    sim.cmd("foreign a 1 off")
    sim.cmd("slow a 1 10ms")
    got, seconds = master.ask(read_request(1, 0, 1), 7)
    assert got == good and seconds > 0.06
    sim.cmd("slow a 1 off")
    sim.cmd("gap a 1 50ms")
    got, seconds = master.ask(read_request(1, 0, 100), 205)
    assert len(got) == 205 and crc(got[:-2]) == got[-2:] and seconds > 0.05
    outcomes = [e["outcome"] for e in sim.log("request")]
    assert outcomes == ["ok", "ok", "damaged", "truncated", "foreign", "ok", "ok"]


def test_shares_follow_the_seed(bus):
    def outcomes(seed):
        sim, master = bus(rtu(1000000, slave="drop = 0.3\nholding 0 = 1", turnaround="0ms"), seed=seed)
        for _ in range(40):
            master.ask(read_request(1, 0, 1), 7, 0.03)
        return [e["outcome"] for e in sim.log("request")]

    first = outcomes(11)
    assert 4 <= first.count("dropped") <= 22
    assert outcomes(11) == first and outcomes(12) != first


def test_an_echoing_adapter(bus):
    sim, master = bus(rtu(bus="echo = yes"))
    request = read_request(1, 0, 1)
    got, seconds = master.ask(request, 15)
    assert got == request + frame("01 03 02 0000")
    assert seconds >= transaction_s(115200, 1) - 0.0001
    sim.cmd("echo a off")
    assert master.ask(request, 7)[0] == frame("01 03 02 0000")


def test_holes_exceptions_max_read_and_groups(bus):
    sim, master = bus(rtu(slave="max_read = 10\nalign = 40\nholding 0..199 = ramp\nhole = holding 5..6\n"
                                "exception = holding 20..21 4"))
    cases = [((0, 5), None), ((4, 2), 2), ((6, 1), 2), ((7, 10), None), ((7, 11), 3), ((19, 2), 4), ((22, 2), None),
             ((38, 4), 2), ((40, 4), None)]
    for (first, count), exception in cases:
        got = master.ask(read_request(1, first, count), 5 if exception else 5 + 2 * count)[0]
        if exception:
            assert got == frame(f"01 83 {exception:02x}"), (first, count)
        else:
            assert registers(got[3:-2].hex()) == list(range(first, first + count))
    sim.cmd("exception a 1 holding 20..21 0")
    assert len(master.ask(read_request(1, 20, 2), 9)[0]) == 9
    sim.cmd("set a 1 holding 5 55")
    assert master.ask(read_request(1, 5, 1), 7)[0] == frame("01 03 02 0037")


def test_a_reboot_forgets(bus):
    sim, master = bus(rtu(slave="holding 0 = 7\ninput 0 = counter"))
    master.ask(frame("01 06 0000 0009"), 8)
    for value in (0, 1, 2):
        assert master.ask(read_request(1, 0, 1, 4), 7)[0] == frame(f"01 04 02 {value:04x}")
    sim.cmd("reboot a 1 200ms")
    master.send(read_request(1, 0, 1))
    assert master.quiet(0.05)
    wait_for(lambda: len(master.ask(read_request(1, 0, 1), 7, 0.05)[0]) == 7)
    assert sim.get("a", 1, "holding", "0") == [7]
    assert master.ask(read_request(1, 0, 1, 4), 7)[0] == frame("01 04 02 0000")


def test_broadcasts_are_obeyed_and_not_answered(bus):
    sim, master = bus(rtu())
    master.send(frame("00 06 0001 0063"))
    assert master.quiet(0.05)
    assert sim.get("a", 1, "holding", "1") == sim.get("a", 2, "holding", "1") == [99]


def test_random_bytes_do_no_harm(bus):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    sim, master = bus(rtu(1000000) + "\n[bus t]\ntype = tcp\n[slave t 1]\nholding 0..9 = ramp\n")
    for _ in range(60):
        data = bytearray(chance.randbytes(chance.choice([1, 3, 8, 60, 300, 2000])))
        if chance.random() < 0.5:
            data[:2] = bytes([1, chance.choice([1, 3, 5, 15, 16, 22, 23])])[:len(data)]
        if chance.random() < 0.5:
            data += crc(data)
        master.send(data)
        master.receive(999, 0.02)
        with tcp_client(sim, "t") as client:
            client.sendall(data if chance.random() < 0.5 else mbap(1, 1, bytes(data[1:250])))
    assert wait_for(lambda: len(master.ask(read_request(1, 0, 1), 7, 0.2)[0]) == 7)
    with tcp_client(sim, "t") as client:
        client.sendall(mbap(3, 1, bytes.fromhex("03 0002 0001")))
        assert client.recv(99) == mbap(3, 1, bytes.fromhex("03 02 0002"))
