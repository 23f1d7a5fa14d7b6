# SPDX-License-Identifier: MIT
"""The simulator: its frames against the examples of the Modbus specifications, and against pymodbus."""
import socket
import struct
import sys
import types

import pytest

from simlib import registers
from simmaster import bus  # noqa: F401 (a fixture)
from simmaster import frame, mbap, rtu, spec_bus, tcp_client, SPEC_MAP

# Frames


# Request and answer as in the Modbus Application Protocol Specification V1.1b3, chapter 6 and 7.
SPEC = [
    ("01 0013 0013", "01 03 CD6B05"),
    ("02 00C4 0016", "02 03 ACDB35"),
    ("03 006B 0003", "03 06 022B 0000 0064"),
    ("04 0008 0001", "04 02 000A"),
    ("05 00AC FF00", "05 00AC FF00"),
    ("06 0001 0003", "06 0001 0003"),
    ("0F 0013 000A 02 CD01", "0F 0013 000A"),
    ("10 0001 0002 04 000A 0102", "10 0001 0002"),
    ("16 0004 00F2 0025", "16 0004 00F2 0025"),
    ("17 0003 0006 000E 0003 06 00FF 00FF 00FF", "17 0C 00FE 0ACD 0001 0003 000D 00FF"),
    ("01 04A1 0001", "81 02"),
]


@pytest.mark.parametrize("request_pdu, answer_pdu", SPEC, ids=[r[:2] + "-" + a[:2] for r, a in SPEC])
def test_examples_of_the_specification_over_rtu(bus, request_pdu, answer_pdu):
    _, master = bus(spec_bus("rtu", SPEC_MAP))
    if request_pdu.startswith("16"):
        master.ask(frame("11 06 0004 0012"), 8)
    expected = frame("11" + answer_pdu)
    got, _ = master.ask(frame("11" + request_pdu), len(expected))
    assert got.hex() == expected.hex()
    if request_pdu.startswith("16"):
        assert master.ask(frame("11 03 0004 0001"), 7)[0] == frame("11 03 02 0017")


# Whole frames whose CRC others have computed: the serial line specification's and of devices in the field.
FRAMES = [
    ("01 01 00 00 00 02 BD CB", "01 01 01 02 D0 49"),
    ("01 02 00 14 00 01 F9 CE", "01 02 01 01 60 48"),
    ("01 03 00 46 00 01 65 DF", "01 03 02 00 15 79 8B"),
    ("01 04 00 28 00 01 B1 C2", "01 04 02 00 66 39 1A"),
    ("01 03 00 1E 00 04 24 0F", "01 03 08 01 02 03 04 05 06 07 08 65 13"),
    ("01 03 27 2E 00 01 EE B7", "01 03 02 11 78 B4 36"),
]


@pytest.mark.parametrize("request_hex, answer_hex", FRAMES)
def test_known_frames_byte_for_byte(bus, request_hex, answer_hex):
    _, master = bus(rtu(slave="coil 0 = 0 1\ndiscrete 20 = 1\nholding 70 = 21\ninput 40 = 0x66\n"
                              "holding 30 u64 = 0x0102030405060708\nholding 10030 = 0x1178"))
    expected = bytes.fromhex(answer_hex)
    assert master.ask(bytes.fromhex(request_hex), len(expected))[0].hex() == expected.hex()


@pytest.mark.parametrize("pdu, exception", [
    ("07", 1), ("2B 0E 01 00", 1),          # functions it does not have
    ("03 0000 0000", 3), ("03 0000 007E", 3), ("01 0000 07D1", 3), ("05 0013 1234", 3),
    ("10 0001 0002 05 0000 0000 00", 3), ("0F 0000 0001 02 0000", 3),
    ("03 0100 0001", 2), ("03 0014 0002", 2), ("06 0100 0000", 2), ("03 FFFF 0002", 2),
    ("17 0003 0001 0100 0001 02 0000", 2), ("17 0100 0001 0003 0001 02 0000", 2),
])
def test_exceptions(bus, pdu, exception):
    sim, master = bus(spec_bus("rtu", SPEC_MAP))
    before = sim.get("a", 17, "holding", "0..20")
    function = int(pdu[:2], 16)
    got, _ = master.ask(frame("11" + pdu), 5)
    assert got == frame(f"11 {function | 0x80:02x} {exception:02x}")
    assert sim.get("a", 17, "holding", "0..20") == before


def test_tcp_frames_of_the_specification_in_any_cut(bus):
    sim, _ = bus(spec_bus("tcp", SPEC_MAP))
    pairs = [(bytes.fromhex(a), bytes.fromhex(b)) for a, b in SPEC if not a.startswith("16")]
    stream = b"".join(mbap(0x1500 + i, 17, a) for i, (a, _) in enumerate(pairs))
    expected = b"".join(mbap(0x1500 + i, 17, b) for i, (_, b) in enumerate(pairs))
    for cut in (len(stream), 1, 9):
        sim.cmd("reboot a 17 0s")
        with tcp_client(sim) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(stream), cut):
                client.sendall(stream[at:at + cut])
            got = b""
            while len(got) < len(expected):
                got += client.recv(4096)
            assert got.hex() == expected.hex()


def test_tcp_clients_get_their_own_answers_and_bad_headers_end_a_connection(bus):
    sim, _ = bus(spec_bus("tcp", SPEC_MAP))
    with tcp_client(sim) as one, tcp_client(sim) as two, tcp_client(sim) as three:
        one.sendall(mbap(1, 17, bytes.fromhex("04 0008 0001")))
        two.sendall(mbap(2, 17, bytes.fromhex("03 006B 0001")))
        assert one.recv(99) == mbap(1, 17, bytes.fromhex("04 02 000A"))
        assert two.recv(99) == mbap(2, 17, bytes.fromhex("03 02 022B"))
        three.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert three.recv(99) == b""
        sim.cmd("wrongid a 17 on")
        one.sendall(mbap(7, 17, bytes.fromhex("04 0008 0001")))
        answer = one.recv(99)
        assert answer[:2] != b"\0\7" and answer[2:] == mbap(7, 17, bytes.fromhex("04 02 000A"))[2:]
    assert sim.log("request", outcome="wrongid")


# pymodbus


def pymodbus_client():
    """pymodbus' clients want the asynchronous serial module even where they never use it."""
    try:
        import serial_asyncio  # noqa: F401
    except ImportError:
        stand_in = types.ModuleType("serial_asyncio")
        stand_in.create_serial_connection = None
        sys.modules["serial_asyncio"] = stand_in
    return pytest.importorskip("pymodbus.client")


def pymodbus_clients(sim):
    from pymodbus.framer.rtu_framer import ModbusRtuFramer
    module = pymodbus_client()
    yield module.ModbusSerialClient(sim.link("a"), baudrate=115200, timeout=2)
    yield module.ModbusTcpClient("127.0.0.1", port=sim.port("t"), timeout=2)
    yield module.ModbusTcpClient("127.0.0.1", port=sim.port("r"), framer=ModbusRtuFramer, timeout=2)


PYMODBUS_MAP = """turnaround = 2ms
holding 0..199 = ramp 1000 3
input 0 f32 = const 230.5
input 2 u32 CDAB = counter 70000
coil 0..31 = const 0
discrete 0..19 = 1 0 0 1 1 1 0 0 1 0 1 0 1 0 1 0 0 0 0 1
"""


def test_pymodbus_reads_and_writes(bus):
    sim, master = bus("[bus a]\ntype = rtu\nlink = {dir}/a\nbaud = 115200\n[bus t]\ntype = tcp\n"
                      "[bus r]\ntype = rtu-tcp\nbaud = 115200\n"
                      + "".join(f"[slave {b} 5]\n{PYMODBUS_MAP}" for b in "atr"))
    master.close()
    for client in pymodbus_clients(sim):
        assert client.connect()
        try:
            assert client.read_holding_registers(0, 125, slave=5).registers == [1000 + 3 * i for i in range(125)]
            raw = client.read_input_registers(0, 4, slave=5).registers
            assert struct.unpack(">f", struct.pack(">HH", *raw[:2]))[0] == 230.5
            assert [raw[3] * 65536 + raw[2]] == [70000]
            again = client.read_input_registers(2, 2, slave=5).registers
            assert again[1] * 65536 + again[0] == 70001
            bits = client.read_discrete_inputs(0, 20, slave=5).bits[:20]
            assert bits == [c == "1" for c in "10011100101010100001"]
            assert not client.write_coils(3, [True, False, True], slave=5).isError()
            assert client.read_coils(0, 8, slave=5).bits == [False, False, False, True, False, True, False, False]
            assert not client.write_coil(0, True, slave=5).isError()
            assert not client.write_register(10, 4711, slave=5).isError()
            assert not client.write_registers(11, [1, 2, 3], slave=5).isError()
            assert client.read_holding_registers(10, 4, slave=5).registers == [4711, 1, 2, 3]
            assert not client.mask_write_register(10, 0xFF00, 0x0012, unit=5).isError()
            both = client.readwrite_registers(read_address=10, read_count=2, write_address=11,
                                              write_registers=[9], unit=5)
            assert both.registers == [(4711 & 0xFF00) | 0x12, 9]
            assert client.read_holding_registers(500, 1, slave=5).exception_code == 2
        finally:
            client.close()
    for name in "atr":
        assert sim.get(name, 5, "holding", "10..13") == [(4711 & 0xFF00) | 0x12, 9, 2, 3]
        assert sim.get(name, 5, "coil", "0..5") == [1, 0, 0, 1, 0, 1]
