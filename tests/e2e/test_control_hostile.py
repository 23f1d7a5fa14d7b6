# SPDX-License-Identifier: MIT
"""Clients of the control socket that mean harm: the gateway goes on polling, answering and ending in time."""
import os
import signal
import threading

import pytest

from commanding import audit
from controlling import Client, assert_polls_go_on, bus, clients, gate, now, place, text, wait_online  # noqa: F401
from waiting import SLOW, Deadline, until

CLIENTS = 32


@pytest.mark.sanitizer
def test_a_hundred_clients_at_once(gate, clients):
    since = now()
    some = [clients(gate.path) for _ in range(100)]
    for client in some:
        try:
            client.send({"verb": "read", "point": "meter.count"})
        except BrokenPipeError:
            pass  # turned away already
    results = [client.receive() for client in some]
    served = [answer for answer in results if answer["ok"]]
    assert len(served) == CLIENTS and all(answer["code"] == "busy" for answer in results if not answer["ok"])
    for client in some:
        client.close()
    until(lambda: gate.cli("status").returncode == 0, 10, "room again")
    until(lambda: now() - since > 1, 5, "some polls")
    assert_polls_go_on(gate.bus, since)


@pytest.mark.sanitizer
def test_hostile_clients_neither_stall_nor_crash_it(gate, clients, store):
    """All at once, for a few seconds: flooding, not reading, garbage, half lines, leaving in the middle."""
    wait_online(gate)
    since, deadline, before_kib = now(), Deadline(4), gate.gateway.status_of("VmRSS")
    problems = []

    def attack(act):
        while not deadline.over():
            client = None
            try:
                client = Client(gate.path)
                act(client)
            except (BrokenPipeError, ConnectionResetError, BlockingIOError, TimeoutError):
                pass
            except Exception as error:  # noqa: BLE001: shown below
                problems.append(repr(error))
                return
            finally:
                if client:
                    client.close()

    def never_reads(client):
        client.socket.settimeout(0.5)
        while not deadline.over():
            client.send(b'{"verb":"status"}\n' * 100)

    def garbage(client):
        client.send(os.urandom(4000) + b"\n")
        client.receive()

    def leaves(client):
        client.send({"verb": "write", "point": "valve.level", "value": 7})

    def half(client):
        client.send(b'{"verb":"write","point":"valve.level","value":4')

    def floods(client):
        client.send(b'{"verb":"ping"}\n' * 500)
        client.receive()

    def refused(client):
        for _ in range(200):
            client.ask({"verb": "write", "point": "valve.level", "value": 1000})

    threads = [threading.Thread(target=attack, args=(act,))
               for act in (never_reads, never_reads, garbage, leaves, leaves, half, floods, refused)]
    for thread in threads:
        thread.start()
    served = 0
    while not deadline.over():
        served += gate.cli("status").returncode == 0
    for thread in threads:
        thread.join()
    assert not problems and served > 0
    assert_polls_go_on(gate.bus, since)
    until(lambda: gate.cli("write", "valve.level", "9").stdout == "9.0 °C\n", 10, "ordinary service")
    if SLOW == 1:  # a sanitizer keeps what is freed
        assert gate.gateway.status_of("VmRSS") < before_kib + 4096
    mark = now()
    gate.gateway.signal(signal.SIGTERM)
    assert gate.gateway.wait() == 0 and now() - mark < 15 * SLOW
    rows = audit(store)
    assert not any(row[5] == "4.0" for row in rows), "a half line was carried out"
    assert sum(row[6] == "rejected range" for row in rows) < 80, "a flood of refusals fills the audit trail"


def test_one_that_does_not_read_is_dropped_and_one_that_is_idle_too(gate, clients):
    idle, half, stuck = clients(gate.path), clients(gate.path), clients(gate.path)
    idle.send({"verb": "ping"})
    half.send(b'{"verb":')
    stuck.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            stuck.send(b'{"verb":"status"}\n' * 100)
    began = now()
    assert idle.receive()["ok"]
    poke = clients(gate.path)
    for client in (idle, half):
        client.socket.settimeout(45)
        assert client.receive() is None
    assert 25 < now() - began < 40
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        stuck.send({"verb": "ping"})
    assert poke.receive() is None


def test_a_client_that_leaves_does_not_undo_its_write(gate, clients, store):
    wait_online(gate)
    client = clients(gate.path)
    client.send({"verb": "write", "point": "valve.level", "value": 12, "by": "somebody"})
    client.close()
    until(lambda: gate.bus.get("rs485", 2, "holding", "0") == [24], 10, "the write")
    assert gate.cli("read", "valve.level").stdout == "12.0 °C\n"  # behind it on the line
    gate.gateway.stop()
    assert [row[2:] for row in audit(store)] == [(f"uid {os.getuid()}: somebody", "valve.level", "2.5", "12.0", "ok")]
