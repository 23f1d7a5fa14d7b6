# SPDX-License-Identifier: MIT
"""Waiting: always for an event, never for a guess, and always with a deadline.

A sanitized program runs several times slower; RAILHEAD_SLOW multiplies every deadline, and nothing else.
"""
import os
import select
import socket
import time

SLOW = float(os.environ.get("RAILHEAD_SLOW", "1"))


# Before the command of a child: it dies with whoever started it, even if that one is killed.
TOGETHER = ("setpriv", "--pdeathsig", "KILL")


class TooLate(AssertionError):
    """What was waited for did not come."""


class Deadline:
    """A point in monotonic time that waits count down to."""

    def __init__(self, seconds):
        self.at = time.monotonic() + seconds * SLOW

    def left(self):
        return max(0.0, self.at - time.monotonic())

    def over(self):
        return time.monotonic() >= self.at


def until(condition, seconds, what):
    """The first true value of `condition()`, asked every few milliseconds; for what sends no event."""
    deadline = Deadline(seconds)
    while True:
        value = condition()
        if value:
            return value
        if deadline.over():
            raise TooLate(f"{what}: not within {seconds * SLOW:.1f} s")
        select.select([], [], [], 0.01)


def pass_time(seconds):
    """Lets real time pass where time itself is the subject (a broker away for 10 s), unscaled."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        select.select([], [], [], end - time.monotonic())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def accepts(port):
    """True if somebody listens on the loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False
