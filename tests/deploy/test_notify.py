# SPDX-License-Identifier: MIT
"""What `railhead run` tells systemd, on a socket in systemd's place: readiness, reload, watchdog, status, stop."""
import re
import signal
import time

import pytest

from inifile import ini
from notifysocket import NotifySocket
from waiting import free_port

STATUS = re.compile(r"\d+/\d+ devices ok, mqtt (connected|away)\b.*, backlog \d+")


@pytest.fixture
def systemd(tmp_path):
    one = NotifySocket(tmp_path)
    yield one
    one.close()


@pytest.fixture
def text(tmp_path):
    """A device that nobody answers for, and a broker that is away."""
    def make(broker=None, **options):
        slave = f"[devices]\npress = - 1 - host=127.0.0.1:{free_port()} interval=100ms\n" \
                "[points press]\nlevel = holding 0 u16\n"
        return ini(f"mqtt://127.0.0.1:{broker or free_port()}", tmp_path / "store.db", slave, **options)
    return make


def names(messages):
    return [name for message in messages for name in message.fields]


def test_ready_without_a_broker(systemd, gateway, text):
    """Readiness means configuration, store and lines; the broker may be away for days."""
    gateway(text(), systemd.env)
    systemd.wait("READY=1")


def test_the_start_may_take_as_long_as_a_repair(systemd, gateway, text):
    gateway(text(), systemd.env)
    assert int(systemd.wait("EXTEND_TIMEOUT_USEC").fields["EXTEND_TIMEOUT_USEC"]) >= 600e6
    assert "READY" not in names(systemd.seen)
    systemd.wait("READY=1")


def test_the_status_is_one_line_that_a_person_reads(systemd, gateway, text):
    gateway(text(), systemd.env)
    systemd.wait("READY=1")
    message = systemd.wait("STATUS")
    assert STATUS.fullmatch(message.fields["STATUS"]), message
    assert message.fields["STATUS"].startswith("0/1 devices ok, mqtt away")


def test_not_ready_with_a_wrong_configuration(systemd, gateway, text):
    assert gateway(text() + "[mqtt]\nbrokr = x\n", systemd.env).wait() == 78
    assert "READY" not in names(systemd.collect(0.2))


def test_not_ready_without_a_store(systemd, gateway, text, tmp_path):
    (tmp_path / "store.db").mkdir()
    assert gateway(text(), systemd.env).wait() != 0
    assert "READY" not in names(systemd.collect(0.2))


def test_reload_says_when_it_began_and_when_it_is_over(systemd, gateway, text):
    railhead = gateway(text(), systemd.env)
    systemd.wait("READY=1")
    for body in (text(), text() + "[nonsense\n"):
        railhead.configure(body)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        railhead.signal(signal.SIGHUP)
        reloading = systemd.wait("RELOADING=1")
        at = int(reloading.fields["MONOTONIC_USEC"])
        assert before <= at <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        systemd.wait("READY=1")
    assert railhead.running(), "a wrong configuration must not end it"


@pytest.mark.parametrize("interval_s, beats", [(0.6, 8), (6.0, 4)])
def test_the_watchdog_is_fed_more_than_twice_an_interval(systemd, gateway, text, interval_s, beats):
    gateway(text(), {**systemd.env, "WATCHDOG_USEC": str(int(interval_s * 1e6))})
    at = systemd.wait("READY=1").at
    for _ in range(beats):
        beat = systemd.wait("WATCHDOG=1")
        assert beat.at - at < interval_s / 2 + 0.1, systemd.seen
        at = beat.at


def test_systemd_is_not_bothered_all_the_time(systemd, gateway, text):
    gateway(text(), {**systemd.env, "WATCHDOG_USEC": "90000000"})
    systemd.wait("READY=1")
    assert len(systemd.collect(3)) <= 12


def test_stopping_comes_first(systemd, gateway, text):
    railhead = gateway(text(), systemd.env)
    systemd.wait("READY=1")
    railhead.signal(signal.SIGTERM)
    systemd.wait("STOPPING=1")
    assert railhead.wait() == 0
    left = names(systemd.collect(0.2))
    assert "READY" not in left and "WATCHDOG" not in left, left


def test_silent_without_systemd(gateway, text):
    railhead = gateway(text())
    railhead.wait_log(r"runs as gw")
    assert railhead.stop() == 0
