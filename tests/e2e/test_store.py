# SPDX-License-Identifier: MIT
"""The store from outside: its bounds, its damage, and a place it cannot have."""
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import tempfile
import threading

import pytest

import judge
from daemon import Gateway, unprivileged
from inifile import ini
from mosquitto import Mosquitto
from plc import Plc
from recorder import Recorder, batches_of
from slave import TcpSlave
from waiting import free_port, until

MIB = 1024 * 1024


@pytest.fixture
def plc():
    with Plc() as one:
        yield one


def wide_body(slave, points=100, interval="10ms", extra=""):
    """A device that fills a store quickly: many points with long names."""
    rows = "\n".join(f"a_point_with_quite_a_long_name_{i:03d} = holding {i} u16 {extra}" for i in range(points))
    return (f"[line plc]\ndriver = modbus-tcp\nhost = {slave.host}\n[devices]\nwide = plc 1 - interval={interval}\n"
            f"[points wide]\n{rows}\n")


class Scale:
    """Weighs the files of a store all the time and keeps the largest weight."""

    def __init__(self, store):
        self.largest, self.samples = 0, 0
        self._store, self._end = store, threading.Event()
        self._thread = threading.Thread(target=self._weigh, daemon=True)
        self._thread.start()

    def _weigh(self):
        while not self._end.wait(0.002):
            self.largest = max(self.largest, sum(
                path.stat().st_size for path in self._files() if path.exists()))
            self.samples += 1

    def _files(self):
        return [self._store, self._store.with_name(self._store.name + "-wal")]

    def stop(self):
        self._end.set()
        self._thread.join(5)
        return self.largest


@pytest.mark.slow
def test_the_cap_is_never_exceeded_and_the_newest_is_kept(tmp_path, start, store):
    """A broker away for long at a high rate: what goes is the oldest, never a `drop=last` point, and every
    dropped batch is counted."""
    with Mosquitto(tmp_path / "broker") as broker, TcpSlave({1: {}}) as slave, Recorder(broker.port) as recorder:
        body = wide_body(slave) + ("[devices]\nmeter = plc 1 - interval=200ms\n[points meter]\n"
                                   "energy = input 0 u16 drop=last\n")
        gateway = start(ini(broker.url, store, body, keep={"max_size": "1MiB"}))
        recorder.wait_count("data", 5, 20)
        broker.stop()
        scale = Scale(store)
        until(lambda: len(slave.requests) > 2000, 60, "more than a full store")
        count = len(slave.requests)
        until(lambda: len(slave.requests) > count + 1000, 60, "1000 more scans into a full store")
        last = len(slave.requests)
        broker.start()
        mark = recorder.mark()
        recorder.wait_status("online", 20, since=mark)
        until(lambda: len(slave.requests) > last + 20, 20, "polling goes on")
        assert gateway.stop() == 0
        recorder.wait_status("offline", 20, since=mark)
        largest = scale.stop()
        assert scale.samples > 500
        assert largest <= MIB, f"{largest} bytes with a cap of {MIB}"
        assert largest > MIB // 2, f"only {largest} bytes of {MIB} used before readings were dropped"
        check_drops(recorder.messages(), sum(request[1] == 4 for request in slave.requests))
        assert "drop" in gateway.log(), "the drops are not said on stderr"


def check_drops(messages, polls_of_meter):
    batches = [batch for _message, batch in batches_of(messages)]
    seqs = [batch["seq"] for batch in batches]
    assert seqs == sorted(set(seqs)), "repeats or disorder"
    missing = sorted(set(range(seqs[0], seqs[-1] + 1)) - set(seqs))
    assert missing, "nothing was dropped"
    kept = [batch["seq"] for batch in batches if batch["dev"] == "wide" and batch["seq"] > missing[0]]
    assert min(kept) > missing[-1], "something newer was dropped before something older"
    meter = [scan for batch in batches if batch["dev"] == "meter" for scan in batch["readings"]]
    assert polls_of_meter - 2 <= len(meter) <= polls_of_meter, (len(meter), polls_of_meter)


@pytest.mark.sanitizer
@pytest.mark.parametrize("garbage", ["text", "zeros", "header"])
def test_a_file_that_is_no_database_is_moved_aside(garbage, broker, recorder, plc, start, store):
    content = {"text": b"this is not a database\n" * 1000, "zeros": bytes(8192),
               "header": b"SQLite format 3\0" + os.urandom(20000)}[garbage]
    store.write_bytes(content)
    gateway = start(ini(broker.url, store, plc.body()))
    recorder.wait_reading("press", "level")
    gateway.wait_log("damaged|corrupt|not a database", 5)
    aside = [path for path in store.parent.iterdir() if path.name.startswith(store.name) and path != store
             and path.read_bytes()[:len(content)] == content]
    assert aside, f"the damaged file is gone: {list(store.parent.iterdir())}"
    judge.assert_each_once_in_order(recorder.messages())


def backlog(broker, slave, start, store):
    """A store with some hundred kilobytes that nobody has fetched."""
    broker.stop()
    gateway = start(ini(broker.url, store, wide_body(slave, points=30)))
    until(lambda: len(slave.requests) > 600, 60, "a backlog")
    assert gateway.stop() == 0
    assert store.stat().st_size > 200_000
    return gateway


def deliver(gateway, broker, recorder):
    """Starts it again with the broker there, waits for its word on the damage, and returns what arrived."""
    mark = gateway.mark()
    gateway.start()
    broker.start()
    recorder.wait_status("online", 20)
    recorder.wait_count("data", 20, 20)
    gateway.wait_log("damaged|corrupt", 20, since=mark)
    assert gateway.stop(30) == 0
    recorder.wait_status("offline", 10, reason="stopped")
    return [batch for _message, batch in batches_of(recorder.messages())]


@pytest.mark.parametrize("damage", ["payloads", "pages"])
def test_flipped_bytes_cost_little_and_never_the_start(damage, tmp_path, start, store):
    """Bytes inside messages, or whole pages of the database: it starts at once, says what happened, delivers
    what is whole, and never what is damaged."""
    with Mosquitto(tmp_path / "broker") as broker, TcpSlave({1: {}}) as slave, Recorder(broker.port) as recorder:
        gateway = backlog(broker, slave, start, store)
        written = waiting(store)
        data = bytearray(store.read_bytes())
        middle = len(data) // 2 // 1024 * 1024
        for at in range(middle, middle + 3 * 1024, 1024):
            if damage == "pages":
                data[at:at + 1024] = os.urandom(1024)
            else:
                data[at + 300] ^= 0x04
        store.write_bytes(data)
        batches = deliver(gateway, broker, recorder)
        names = {f"a_point_with_quite_a_long_name_{i:03d}" for i in range(30)}
        for batch in batches:
            for scan in batch["readings"]:
                assert set(scan) <= {"t", "v", "q"} and set(scan["v"]) <= names
                assert set(scan["v"].values()) <= {0}, "a damaged value was delivered"
        keys = {(batch["epoch"], batch["seq"]) for batch in batches}
        assert len(keys) == len(batches), "something came twice"
        assert len(written - keys) <= 12, f"{len(written & keys)} of {len(written)} messages rescued"


def waiting(store):
    """(epoch, seq) of every data message in the database."""
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as database:
        found = set(database.execute("SELECT epoch, seq FROM store, batch WHERE seq > 0"))
    database.close()
    return found


def test_a_store_of_a_newer_version_is_left_alone(plc, start, store):
    gateway = start(ini(f"mqtt://127.0.0.1:{free_port()}", store, plc.body()))
    until(lambda: store.exists() and len(plc.requests) > 3, 10, "a store")
    assert gateway.stop() == 0
    with sqlite3.connect(store) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        assert version >= 1
        database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    before = store.read_bytes()
    mark = gateway.mark()
    gateway.start()
    assert gateway.wait(10) == 78
    gateway.wait_log("newer", 1, since=mark)
    assert store.read_bytes() == before


@pytest.fixture
def public():
    """A folder that everybody may enter."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="railhead-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def run_as_nobody(public, text):
    wrapper, program = unprivileged(public)
    gateway = Gateway(public, text, wrapper=wrapper)
    gateway.file.chmod(0o644)
    gateway.program = program
    return gateway.start()


def test_a_folder_it_may_not_write_is_a_clear_end(public, plc):
    folder = public / "locked"
    folder.mkdir(mode=0o555)
    gateway = run_as_nobody(public, ini(f"mqtt://127.0.0.1:{free_port()}", folder / "store.db", plc.body()))
    assert gateway.wait(10) in (74, 77)
    assert str(folder) in gateway.log() and re.search("denied|permission", gateway.log())


def test_a_configuration_it_may_not_read_is_a_clear_end(public, plc):
    gateway = Gateway(public, ini(f"mqtt://127.0.0.1:{free_port()}", public / "store.db", plc.body()))
    gateway.file.chmod(0o000)
    gateway.wrapper, gateway.program = unprivileged(public)
    gateway.start()
    assert gateway.wait(10) in (74, 77, 78)
    assert str(gateway.file) in gateway.log() and re.search("denied|permission", gateway.log())


def test_a_folder_that_is_not_there_and_cannot_be(tmp_path, plc, start):
    """Below a plain file no folder can be made."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    gateway = start(ini(f"mqtt://127.0.0.1:{free_port()}", blocker / "deep" / "store.db", plc.body()))
    assert gateway.wait(10) in (74, 77)
    assert str(blocker) in gateway.log()


def test_two_gateways_do_not_share_a_store(tmp_path, broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body()))
    recorder.wait_status("online")
    second = start(ini(broker.url, store, plc.body(), gateway={"name": "other"}), folder="second")
    assert second.wait(15) not in (0, None)
    assert str(store) in second.log()


def test_readings_wait_in_the_store_over_a_clean_stop(tmp_path, plc, start, store):
    with Mosquitto(tmp_path / "broker") as broker, Recorder(broker.port) as recorder:
        broker.stop()
        gateway = start(ini(broker.url, store, plc.body(point="report=change")))
        until(lambda: len(plc.requests) > 2, 10, "the first polls")
        for value in range(2, 8):
            plc.set_level(value)
            count = len(plc.requests)
            until(lambda c=count: len(plc.requests) > c + 2, 5, "two polls")
        assert gateway.stop() == 0
        assert pathlib.Path(store).stat().st_size > 0
        broker.start()
        gateway.start()
        recorder.wait_reading("press", "level", 20, value=7)
        assert gateway.stop() == 0
        values = [r.value for r in recorder.readings(point="level")]
        assert [v for i, v in enumerate(values) if i == 0 or v != values[i - 1]] == list(range(1, 8))
        judge.assert_each_once_in_order(recorder.messages())


def test_an_end_by_interrupt_is_clean_too(broker, recorder, plc, start, store):
    gateway = start(ini(broker.url, store, plc.body()))
    recorder.wait_status("online")
    gateway.signal(signal.SIGINT)
    assert gateway.wait(15) == 0
    recorder.wait_status("offline", reason="stopped")
