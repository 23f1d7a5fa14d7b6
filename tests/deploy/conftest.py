# SPDX-License-Identifier: MIT
"""What the tests of installation and service share; the helpers of tests/e2e (waiting, daemon, …) as well.

    RAILHEAD_BUILD   the build folder; the boot test installs from it and makes its root file system below it
"""
import pathlib
import signal
import sys

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "e2e"))


def pytest_configure():
    """A run that is stopped from outside (a time limit) clears up as one that is interrupted by hand."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture
def gateway(tmp_path):
    """gateway(text, env) runs a gateway that ends with its test."""
    from daemon import Gateway
    running = []

    def run(text, env=None):
        running.append(Gateway(tmp_path / "gateway", text, env=env))
        return running[-1].start()

    yield run
    for one in running:
        one.clear()
