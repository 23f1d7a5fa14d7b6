# SPDX-License-Identifier: MIT
"""Every type in every order, read from slaves made of pymodbus: over TCP, on a serial line, and RTU in TCP."""
import struct

import pytest

from inifile import ini
from slave import PtySlave, TcpSlave


def words(data, order="ABCD"):
    """Bytes, most significant first, as the registers of a device with this order."""
    found = [data[i:i + 2] for i in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        found.reverse()
    if order in ("BADC", "DCBA"):
        found = [word[::-1] for word in found]
    return [int.from_bytes(word, "big") for word in found]


NUMBERS = [
    ("u16", struct.pack(">H", 48879), 48879),
    ("s16", struct.pack(">h", -2), -2),
    ("f16", struct.pack(">e", -1.5), -1.5),
    ("bcd16", bytes.fromhex("9075"), 9075),
    ("u24", bytes.fromhex("00abcdef"), 0xABCDEF),
    ("s24", bytes.fromhex("00fffffe"), -2),
    ("u32", struct.pack(">I", 4294967294), 4294967294),
    ("s32", struct.pack(">i", -1234567), -1234567),
    ("f32", struct.pack(">f", 230.1), 230.1),
    ("bcd32", bytes.fromhex("12345678"), 12345678),
    ("u48", bytes.fromhex("123456789abc"), 0x123456789ABC),
    ("u64", struct.pack(">Q", 18446744073709551614), 18446744073709551614),
    ("s64", struct.pack(">q", -9223372036854775807), -9223372036854775807),
    ("f64", struct.pack(">d", 1 / 3), 1 / 3),
    ("bcd64", bytes.fromhex("1234567890123456"), 1234567890123456),
]
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]


def layout():
    """(rows of [points], registers, expected values): all numbers in all orders, then the odd ones."""
    rows, registers, expected, at = [], {}, {}, 0

    def put(name, kind, found, value, options=""):
        nonlocal at
        rows.append(f"{name} = holding {at} {kind} {options}")
        registers.update(enumerate(found, at))
        expected[name] = value
        at += len(found)

    for kind, data, value in NUMBERS:
        for order in ORDERS if len(data) > 2 else ["ABCD", "BADC"]:
            put(f"{kind}_{order}", f"{kind} {order}", words(data, order), value)
    put("u8_hi", "u8 hi", [0xFE01], 0xFE)
    put("u8_lo", "u8 lo", [0xFE01], 1)
    put("s8_hi", "s8 hi", [0xFE01], -2)
    put("s8_lo", "s8 lo", [0x01FD], -3)
    put("text", "str", words(b"Pump 7  \0\0"), "Pump 7", "len=5")
    put("blob", "hex", [0x00FF, 0xA55A], "00ffa55a", "len=2")
    put("scaled", "s16", [0xFF9C], -10.0, "scale=0.1")
    put("whole", "u16", [12], 1200, "scale=100")
    put("shifted", "u16", [250], -15.0, "scale=0.1 offset=-40")
    put("label", "u16", [2], "manual", "enum=0:off,1:auto,2:manual")
    put("unnamed", "u16", [9], 9, "enum=0:off,1:auto,2:manual")
    put("alarm", "u16", [0b1000], True, "bits=3:1")
    put("nibble", "u16", [0xA5C3], 0x5C, "bits=4:8")
    put("exponent", "u16", [2315, 0xFFFF], 231.5, f"scale_reg={at + 1}")
    return rows, registers, expected


INPUTS = {0: 0x4366, 1: 0x199A}  # 230.1 as f32
COILS = {0: 1, 1: 0, 9: 1}
DISCRETES = {3: 1, 4: 0}
OTHERS = """
voltage = input 0 f32 unit=V
on      = coil 0
off     = coil 1
far     = coil 9
door    = discrete 3
window  = discrete 4
"""
OTHERS_EXPECTED = {"voltage": 230.1, "on": True, "off": False, "far": True, "door": True, "window": False}


def make(transport, units):
    """(slave, keys of the line)."""
    if transport == "modbus-rtu":
        slave = PtySlave(units)
        return slave, f"port = {slave.port}\nbaud = 115200\nmode = 8N1\n"
    slave = TcpSlave(units, rtu=transport == "modbus-rtu-tcp")
    return slave, f"host = {slave.host}\n"


@pytest.mark.sanitizer
@pytest.mark.parametrize("transport", ["modbus-tcp", "modbus-rtu", "modbus-rtu-tcp"])
def test_every_type_and_order_reads_as_it_was_written(transport, broker, recorder, start, store):
    rows, registers, expected = layout()
    tables = {"holding": registers, "input": INPUTS, "coil": COILS, "discrete": DISCRETES}
    slave, keys = make(transport, {5: tables})
    with slave:
        start(ini(broker.url, store, f"[line l]\ndriver = {transport}\n{keys}[devices]\nmeter = l 5 - interval=200ms\n"
                  "[points meter]\n" + "\n".join(rows) + OTHERS))
        expected = {**expected, **OTHERS_EXPECTED}
        got = {}
        for name in expected:
            got[name] = recorder.wait_reading("meter", name, 10).value
        assert got == expected
        kinds = {name: type(value) for name, value in got.items()}
        assert kinds == {name: type(value) for name, value in expected.items()}
        assert all(unit == 5 for unit, *_rest in slave.requests)


def test_sentinels_are_na_and_not_values(broker, recorder, start, store):
    rows = """
a = holding 0 u16 invalid=0xFFFF
b = holding 1 s16 invalid=0x8000,0x7FFF scale=0.1
c = holding 2 u32 CDAB invalid=0xFFFFFFFE
d = holding 4 s16 invalid=sunspec
e = holding 5 u32 invalid=sunspec
f = holding 7 f32
g = holding 9 u16 invalid=0xFFFF
h = holding 10 u16 scale_reg=11
"""
    registers = dict(enumerate([0xFFFF, 0x7FFF, 0xFFFE, 0xFFFF, 0x8000, 0xFFFF, 0xFFFF, 0x7FC0, 0, 0xFFFE, 5, 0x8000]))
    with TcpSlave({1: {"holding": registers}}) as slave:
        start(ini(broker.url, store, f"[line l]\ndriver = modbus-tcp\nhost = {slave.host}\n"
                  f"[devices]\nd = l 1 - interval=100ms\n[points d]\n{rows}"))
        assert recorder.wait_reading("d", "g").value == 0xFFFE
        slave.set(1, "holding", 0, [7])
        assert recorder.wait_reading("d", "a").value == 7
        from recorder import qualities_of
        found = set(qualities_of(recorder.messages()))
        assert {("d", point, "na") for point in "abcdefh"} <= found
        assert {r.point for r in recorder.readings()} == {"a", "g"}
        assert all(r.value == 7 for r in recorder.readings(point="a"))


def test_one_address_past_the_end_disturbs_no_neighbour(broker, recorder, start, store):
    """The slave refuses every request that touches address 256; what lies below is read all the same."""
    with TcpSlave({1: {"holding": {250 + i: i for i in range(6)}}}) as slave:
        points = "\n".join(f"p{i} = holding {250 + i} u16" for i in range(8))
        start(ini(broker.url, store, f"[line l]\ndriver = modbus-tcp\nhost = {slave.host}\n"
                  f"[devices]\nd = l 1 - interval=100ms\n[points d]\n{points}"))
        for i in range(6):
            assert recorder.wait_reading("d", f"p{i}", 15).value == i
        assert not recorder.readings(point="p6") and not recorder.readings(point="p7")
