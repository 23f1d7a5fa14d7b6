# SPDX-License-Identifier: MIT
"""Measures that the structure tests leave behind are printed at the end of the run."""
import pytest

MEASURES = pytest.StashKey[list]()


def pytest_configure(config):
    config.stash[MEASURES] = []


@pytest.fixture
def measure(pytestconfig):
    return pytestconfig.stash[MEASURES].append


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash[MEASURES]:
        terminalreporter.write_line(line)
