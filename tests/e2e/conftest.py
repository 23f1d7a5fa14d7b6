# SPDX-License-Identifier: MIT
"""Fixtures: a private broker, a witness, gateways and simulated buses that end with their test.

    RAILHEAD_BUILD   the build folder: <build>/railhead and <build>/tests/sim/railsim
    RAILHEAD_SLOW    factor for every deadline (sanitized builds)
"""
import re
import signal

import pytest

from daemon import Gateway, build_folder
from mosquitto import Mosquitto
from recorder import Recorder
from simlib import Sim

SANITIZER = re.compile(r"(Address|Thread|Leak|UndefinedBehavior)Sanitizer|runtime error:|assertion .* failed")


def pytest_configure(config):
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a run that is ended ends what it started
    config.addinivalue_line("markers", "sanitizer: runs again on the asan and tsan builds")
    config.addinivalue_line("markers", "slow: real time is the subject")
    config.addinivalue_line("markers", "soak: takes hours; only with tools/test --soak")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for gateway in getattr(item, "gateways", []):
            tail = "\n".join(gateway.lines()[-60:])
            report.sections.append((f"stderr of the gateway in {gateway.folder}", tail))


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path / "broker") as one:
        yield one
        assert one.process is None or one.process.poll() is None, "the broker died by itself"


@pytest.fixture
def recorder(broker):
    with Recorder(broker.port) as one:
        yield one


@pytest.fixture
def start(request, tmp_path):
    """start(text) runs a gateway on this configuration; it ends with the test, and must not have crashed."""
    request.node.gateways = gateways = []

    def run(text, folder="gateway", **options):
        gateway = Gateway(tmp_path / folder, text, **options)
        gateways.append(gateway)
        return gateway.start()

    yield run
    for gateway in gateways:
        gateway.clear()
    for gateway in gateways:
        found = SANITIZER.search(gateway.log())
        assert not found, f"the gateway reported {found.group(0)}:\n{gateway.log()[-3000:]}"
        ended = gateway.process and gateway.process.returncode
        assert ended not in (-6, -11, -7, -4), "the gateway crashed:\n" + gateway.log()[-3000:]


@pytest.fixture
def sim(request):
    """sim(text) runs a simulated bus that ends with the test."""
    running = []

    def run(text):
        one = Sim(text, build_folder())
        running.append(one)
        return one.__enter__()

    yield run
    codes = [one.process.poll() for one in running]
    for one in running:
        one.__exit__(None, None, None)
    assert codes == [None] * len(codes), f"a simulator died by itself: {codes}"


@pytest.fixture
def store(tmp_path):
    """Where the gateway of this test keeps its readings."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder / "store.db"
