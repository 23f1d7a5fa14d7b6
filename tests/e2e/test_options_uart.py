# SPDX-License-Identifier: MIT
"""Options of the UART driver: each is changed, and the difference seen at the broker or by the sensor.

Most are rows of a table. One gateway runs them all: each row is a line with a pty of its own, whose sensor sends the
same bytes to several devices, and these differ in the option alone.
"""
import collections
import contextlib

import pytest

from daemon import Gateway
from inifile import ini
from mosquitto import Mosquitto
from options import option
from recorder import Recorder, qualities_of
from test_uart import Player, nmea, uart, wait_quality, wait_state
from waiting import TooLate, until

# `push`: what the sensor sends. `devices`: {name: (keys, point, values)}: all that ever arrives, and nothing else.
Row = collections.namedtuple("Row", "option name push devices line", defaults=("",))
INVALID = {"invalid"}  # what arrives is the quality alone
NA = {"na"}
NOTHING = set()
NMEA = 'start = "$"\nchecksum = nmea'
PLACE = "GGA,1,5230.88855,N,01327.85591,W"

ROWS = [
    Row("start", "text", b"noise$12\n", {
        "with": ('start = "$"', "raw", {"$12"}), "without": ("", "raw", {"noise$12"})}),
    Row("start", "several", b"a!1\na$2\n", {
        "both": ('start = "$", "!"', "raw", {"!1", "$2"}), "one": ('start = "$"', "raw", {"$2"})}),
    Row("end", "text", b"7;\n", {"with": ('end = ";"', "raw", {"7"}), "without": ("", "raw", {"7;"})}),
    Row("length", "fixed", b"\x42\x4d\x00\x02\x01\xf4", {
        "fixed": ("start = 42 4D\nlength = 6", "bytes 4 u16be", {500}),
        "told": ("start = 42 4D\nlength = u16be@2+4", "bytes 4 u16be", {500}),
        "short": ("start = 42 4D\nlength = 5", "bytes -1 u8", {1}),
        "without": ("start = 42 4D", "bytes 4 u16be", NOTHING)}),
    Row("trailer", "count", b"/x!7A\n", {
        "with": ('start = "/"\nend = "!"\ntrailer = 2', "bytes -2 str len=2", {"7A"}),
        "without": ('start = "/"\nend = "!"', "bytes -2 str len=2", {"x!"})}),
    Row("trailer", "line", b"/x!7A3\r\n", {
        "with": ('start = "/"\nend = "!"\ntrailer = line', "bytes 3 str len=3", {"7A3"}),
        "without": ('start = "/"\nend = "!"', "bytes 3 str len=3", INVALID)}),
    Row("idle", "gap", b"12", {"with": ("idle = 20ms", "raw", {"12"}), "without": ("", "raw", NOTHING)}),
    Row("max", "line", b"123456\n12\n", {"with": ("max = 4", "raw", {"12"}), "without": ("", "raw", {"123456", "12"})}),
    Row("decode", "hex", b"\x0201F4\x03", {
        "with": ("start = 02\nend = 03\ndecode = hex", "bytes 0 u16be", {500}),
        "without": ("start = 02\nend = 03", "bytes 1 u16be", {0x3031})}),
    Row("decode", "iec", b"\xb1\xb2\n", {
        "with": ("decode = iec", "bytes 0 u8", {0x31}), "without": ("", "bytes 0 u8", {0xb1})}),
    Row("decode", "sml", bytes.fromhex("1b1b1b1b01010101 1b1b1b1b1b1b1b1b 000001f4 1b1b1b1b1a 000000"), {
        "with": ("start = 1B 1B 1B 1B 01 01 01 01\nend = 1B 1B 1B 1B 1A\ntrailer = 3\ndecode = sml", "bytes 12 u32be",
                 {500}),
        "without": ("start = 1B 1B 1B 1B 01 01 01 01\nend = 1B 1B 1B 1B 1A\ntrailer = 3", "bytes 12 u32be",
                    {0x1b1b1b1b})}),
    Row("strip", "interleaved", b"1:AB;2\n", {
        "with": ("strip = /:[0-9A-F]+;/", "raw", {"12"}), "without": ("", "raw", {"1:AB;2"})}),
    Row("checksum", "nmea", nmea("A,1") + b"$A,2*00\r\n", {
        "with": ('start = "$"\nend = "\\r\\n"\nchecksum = nmea', "csv 1 u8", {1}),
        "without": ('start = "$"\nend = "\\r\\n"', "regex /A,(\\d)/ u8", {1, 2})}),
    Row("checksum", "places", bytes([0xaa, 1, 2, 3, 0xaa, 9, 2, 3]), {
        "with": ("start = AA\nlength = 4\nchecksum = sum8 over 1..-2 at -1 as u8", "bytes 1 u8", {1}),
        "without": ("start = AA\nlength = 4", "bytes 1 u8", {1, 9})}),
    Row("checksum", "hex", b"12*03\n12*04\n", {
        "with": ("checksum = xor8 over 0..1 at 3 as hex2", "cols 0-1 u8", {12}),
        "low": ("checksum = neg-sum8 over 0..1 at 3 as hex2", "cols 0-1 u8", NOTHING)}),
    Row("checksum", "crc", bytes.fromhex("02630000 02074112 02641241"), {
        "modbus": ("start = 02\nlength = 4\nchecksum = crc16-modbus", "bytes 1 u8", {7}),
        "own": ("start = 02\nlength = 4\nchecksum = crc:16,0x8005,0xFFFF,yes,yes,0 as u16le", "bytes 1 u8", {7}),
        "other": ("start = 02\nlength = 4\nchecksum = crc16-kermit", "bytes 1 u8", NOTHING)}),
    Row("match", "prefix", b"$GPGGA,1\n$GPRMC,2\n", {
        "with": ("match = $??GGA", "csv 1 u8", {1}), "without": ("", "csv 1 u8", {1, 2})}),
    Row("match", "regex", b"T=1 C\nH=2 %\n", {
        "with": ("match = /^T=(?<t>\\d)/", "regex t u8", {1}), "without": ("", "regex /=(\\d)/ u8", {1, 2})}),
    Row("match", "bytes", bytes([0xff, 0x86, 1, 0xff, 0x87, 2]), {
        "with": ("start = FF\nlength = 3\nmatch = 86 at 1", "bytes 2 u8", {1}),
        "without": ("start = FF\nlength = 3", "bytes 2 u8", {1, 2})}),
    Row("source", "key", b"ID=7 T=21.5 rH=40\n", {"t": ("", "key T f64", {21.5}), "h": ("", "key rH u8", {40})}),
    Row("source", "cols", b"  12ab\n", {"number": ("", "cols 0-3 u8", {12}), "text": ("", "cols 4-5", {"ab"})}),
    Row("source", "json", b'{"a":{"t":[1,2.5]}}\n', {"there": ("", "json /a/t/1 f64", {2.5})}),
    Row("source", "obis", b"1-0:1.8.0(000004.426*kWh)\n", {"there": ("", "obis 1-0:1.8.0 f64", {4.426})}),
    Row("source", "csv", b"1;2.5\n", {"own": ("", 'csv 1 ";" f64', {2.5}), "comma": ("", "csv 1 f64", INVALID)}),
    Row("mode", "seven bits", b"\xb1\n", {"masked": ("", "bytes 0 u8", {0x31})}, "mode = 7E1"),
    Row("mode", "eight bits", b"\xb1\n", {"plain": ("", "bytes 0 u8", {0xb1})}),
    Row("points len", "text", b"abcdef\n", {
        "three": ("", "bytes 0 str len=3", {"abc"}), "two": ("", "bytes 0 str len=2", {"ab"})}),
    Row("points invalid", "text", b"9999\n", {
        "with": ("", "raw u16 invalid=9999", NA), "without": ("", "raw u16", {9999})}),
    Row("points invalid", "bytes", b"\x01\xff\xff\n", {
        "with": ("", "bytes 1 u16be invalid=0xFFFF", NA), "without": ("", "bytes 1 u16be", {0xffff})}),
    Row("points nmea-latlon", "north", nmea(PLACE), {
        "with": (NMEA, "csv 2 nmea-latlon", {52.5148091667}), "without": (NMEA, "csv 2 f64", {5230.88855})}),
    Row("points nmea-latlon", "west", nmea(PLACE), {
        "with": (NMEA, "csv 4 nmea-latlon", {-13.464265167}), "without": (NMEA, "csv 4 f64", {1327.85591})}),
]


def device_of(row, number, name):
    return f"r{number}-{name}"


def body_of(number, row, port):
    text = uart(f"r{number}", port).replace("mode = 8N1\n", f"{row.line or 'mode = 8N1'}\n")
    for name, (keys, point, _values) in row.devices.items():
        device = device_of(row, number, name)
        text += (f"[device {device}]\nline = r{number}\ninterval = fastest\n{keys}\n"
                 f"[points {device}]\nv = {point}\n")
    return text


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """What one gateway with all rows publishes."""
    folder = tmp_path_factory.mktemp("uart")
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        recorder = stack.enter_context(Recorder(broker.port))
        players = [stack.enter_context(Player(push=row.push)) for row in ROWS]
        body = "".join(body_of(n, row, players[n].port) for n, row in enumerate(ROWS))
        stack.enter_context(Gateway(folder / "gateway", ini(broker.url, folder / "store.db", body)))
        recorder.wait_status("online")
        yield recorder


def near(value, wanted):
    return value == wanted or isinstance(value, float) and isinstance(wanted, float) and abs(value - wanted) < 1e-8


def arrived(recorder, device):
    """What the device's frames became: values, and qualities where there is no value. Silence is none of them."""
    return ({r.value for r in recorder.readings(device, "v")}
            | {q for d, p, q in qualities_of(recorder.messages()) if (d, p) == (device, "v")} & (INVALID | NA))


def all_came(values, wanted):
    return all(any(near(value, one) for value in values) for one in wanted)


@option("points", "nmea-latlon")
@option("device", "start", "end", "length", "trailer", "idle", "max", "decode", "strip", "checksum", "match")
@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{row.option}-{row.name}" for row in ROWS])
def test_what_makes_a_frame_and_what_a_point_is(number, record):
    row = ROWS[number]
    wanted = {device_of(row, number, name): values for name, (_k, _p, values) in row.devices.items()}
    try:
        until(lambda: all(all_came(arrived(record, device), values) for device, values in wanted.items()), 10,
              "what should arrive")
        first = next(device for device, values in wanted.items() if values and values not in (NA, INVALID))
        seen = len(record.readings(first, "v"))
        until(lambda: len(record.readings(first, "v")) >= seen + 2, 5, "two more rounds")
    except TooLate as late:
        raise TooLate(f"{late}: {({device: arrived(record, device) for device in wanted})}") from None
    for device, values in wanted.items():
        strange = [value for value in arrived(record, device) if not any(near(value, one) for one in values)]
        assert not strange, f"{device} says {strange}"


# ---- what sensors hear ----

def asked(name, player, keys, point="raw", line="", interval="100ms"):
    return (uart(name, player.port, line) + f"[device {name}]\nline = {name}\ninterval = {interval}\n{keys}\n"
            f"[points {name}]\nv = {point}\n")


@option("device", "request")
def test_the_request(broker, recorder, start, store):
    """What the device is asked, with its address, and nothing where it speaks unasked."""
    with Player(answer=lambda _request, _n: b"asked\n") as one, Player(push=b"unasked\n") as two:
        start(ini(broker.url, store, asked("one", one, 'address = 7\nrequest = "{address}M?\\n"') +
                  asked("two", two, "", interval="fastest")))
        recorder.wait_reading("one", "v", value="asked")
        recorder.wait_reading("two", "v", value="unasked")
        assert set(one.heard.split(b"7M?\n")) == {b""} and two.heard == b""


@option("device", "reply")
def test_an_answer_of_several_frames(broker, recorder, start, store):
    def talk(_request, _n):
        return b"1\n2\nOK\n"

    with Player(answer=talk) as whole, Player(answer=talk) as first:
        keys = 'request = "Q\\n"\nmatch = /^\\d/\n'
        start(ini(broker.url, store, asked("whole", whole, keys + "reply = until:/^OK/") + asked("first", first, keys)))
        until(lambda: len(recorder.readings("whole")) > 8 and len(recorder.readings("first")) > 4, 10, "some answers")
        assert {r.value for r in recorder.readings("whole")} == {"1", "2"}
        assert {r.value for r in recorder.readings("first")} == {"1"}


@option("device", "timeout")
@option("line", "timeout")
def test_how_long_an_answer_may_take(broker, recorder, start, store):
    def talk(_request, _n):
        return b"7\n"

    with contextlib.ExitStack() as stack:
        players = [stack.enter_context(Player(answer=talk, delay=0.3)) for _ in range(4)]
        keys = 'request = "Q\\n"\n'
        start(ini(broker.url, store,
                  asked("patient", players[0], keys + "timeout = 2s", line="timeout = 100ms") +
                  asked("hasty", players[1], keys + "timeout = 100ms", line="timeout = 2s") +
                  asked("patient-line", players[2], keys, line="timeout = 2s") +
                  asked("hasty-line", players[3], keys, line="timeout = 100ms")))
        for name in ("hasty", "hasty-line"):
            wait_state(recorder, name, "offline")
        for name in ("patient", "patient-line"):
            recorder.wait_reading(name, "v", value="7")
        until(lambda: len(recorder.readings("patient")) > 3, 10, "four slow answers")
        assert {r.dev for r in recorder.readings()} == {"patient", "patient-line"}


@option("device", "retries")
def test_how_often_a_request_is_sent_again(broker, recorder, start, store):
    """Sensors that hear every third request only."""
    def talk(_request, n):
        return b"%d\n" % n if n % 3 == 0 else None

    with Player(answer=talk) as stubborn, Player(answer=talk) as meek:
        keys = 'request = "Q\\n"\ntimeout = 100ms\n'
        start(ini(broker.url, store, asked("stubborn", stubborn, keys + "retries = 2", "raw u16") +
                  asked("meek", meek, keys, "raw u16")))
        until(lambda: len(recorder.readings("stubborn")) >= 4, 10, "four answers")
        wait_state(recorder, "meek", "offline")
        states = {m.payload for m in recorder.messages(topic="state") if m.topic.endswith("/stubborn")}
        assert states == {b"online"} and "stubborn" not in {q[0] for q in qualities_of(recorder.messages())}
        values = [r.value for r in recorder.readings("stubborn")]
        assert values == [3 * (i + 1) for i in range(len(values))], "three requests for each poll"


@option("device", "init")
def test_what_is_sent_when_the_port_is_opened(broker, recorder, start, store):
    with Player(push=b"go\n", after=b"START\n") as told, Player(push=b"go\n", after=b"START\n") as untold:
        start(ini(broker.url, store, asked("told", told, 'init = "START\\n"', interval="fastest") +
                  asked("untold", untold, "", interval="fastest")))
        until(lambda: len(recorder.readings("told")) > 5, 10, "what the sensor pushes")
        assert told.heard == b"START\n" and untold.heard == b""
        assert not recorder.readings("untold")


@option("device", "interval")
@option("points", "every")
def test_a_sensor_that_pushes_is_read_as_often_as_asked_for(broker, recorder, start, store):
    with Player(push=b"1\n") as player:
        devices = "".join(f"[device {name}]\nline = mast\n{keys}\n[points {name}]\nv = raw u8 {point}\n"
                          for name, keys, point in (("all", "", ""), ("seconds", "interval = 1s", ""),
                                                    ("point", "interval = fastest", "every=1s")))
        start(ini(broker.url, store, uart("mast", player.port) + devices))
        until(lambda: len(recorder.readings("all")) >= 25, 10, "all that is pushed")
        took = (recorder.readings("all")[-1].t - recorder.readings("all")[0].t) / 1000
        for name in ("seconds", "point"):
            assert took / 2 <= len(recorder.readings(name)) <= took + 2, f"{name} in {took} s"


@option("device", "stale_after")
def test_the_silence_after_which_values_are_stale(broker, recorder, start, store):
    with Player(push=b"1\n") as player:
        limits = {"soon": "stale_after = 400ms", "late": "stale_after = 60s", "plain": ""}
        devices = "".join(f"[device {name}]\nline = mast\ninterval = fastest\n{keys}\n[points {name}]\nv = raw u8\n"
                          for name, keys in limits.items())
        start(ini(broker.url, store, uart("mast", player.port) + devices))
        for name in limits:
            recorder.wait_reading(name, "v")
        player.pushing = False
        wait_quality(recorder, "soon", "v", "stale")
        assert {q[0] for q in qualities_of(recorder.messages())} == {"soon"}, "unless set, it is five seconds or more"
