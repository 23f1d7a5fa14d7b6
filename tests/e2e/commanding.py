# SPDX-License-Identifier: MIT
"""Fixtures of the tests of commands: a press, a gateway that takes commands, and an operator who counts replies."""
import contextlib
import sqlite3

import pytest

from operators import Operator
from press import Press


def ready(recorder, since=0, seconds=20, root="railhead/gw"):
    """The fence of a connect after the mark has passed: what is sent from now on was not queued."""
    recorder.wait(lambda m: m.topic == root + "/cmd/gateway/fence", seconds, "the fence", since)


@pytest.fixture
def press(sim):
    return Press(sim)


@pytest.fixture
def gate(broker, recorder, start, store, press):
    """gate(…) runs a gateway with the press on its line; the keys are those of Press.config."""
    def run(**how):
        mark = recorder.mark()
        gateway = start(press.config(broker, store, **how))
        ready(recorder, mark)
        return gateway

    return run


@pytest.fixture
def again(recorder):
    """again(gateway) starts it once more, on its file and its store."""
    def run(gateway):
        mark = recorder.mark()
        gateway.start()
        ready(recorder, mark)
        return gateway

    return run


@pytest.fixture
def operators(broker, recorder, start):
    """operators(version=…) makes one more, who is counted at the end of the test like the others.
    (`start` is named so that the gateway outlives the count.)"""
    assert start
    made = []

    def run(**how):
        made.append(Operator(broker.port, recorder, **how))
        return made[-1]

    yield run
    for one in made:
        one.close()


@pytest.fixture
def operator(operators):
    """Each of its commands must have got exactly one reply when the test is over."""
    one = operators()
    yield one
    one.check(ping=online(one))


def online(operator):
    """What the retained status says, if there is one."""
    status = operator.recorder.retained(operator.root + "/status")
    return isinstance(status, dict) and status["state"] == "online"


def rows(store, query, *arguments):
    """Read-only, of a gateway that has ended."""
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
        return database.execute(query, arguments).fetchall()


def audit(store):
    """[(topic, id, by, point, old, new, outcome)] in their order."""
    return rows(store, "SELECT topic, id, claimed_by, point, old_value, new_value, outcome FROM audit ORDER BY n")
