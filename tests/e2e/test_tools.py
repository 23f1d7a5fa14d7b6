# SPDX-License-Identifier: MIT
"""tools/demo as a stranger uses it. (tools/test runs the whole demo and the bench as stages of their own.)"""
import os
import pathlib
import re
import signal
import subprocess

import pytest

from daemon import SOURCE, build_folder
from waiting import SLOW, until

ENVIRONMENT = {"RAILHEAD_BUILD": str(build_folder())}


def session_members(session):
    """Every process of this session, by name."""
    found = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        if int(rest.split()[3]) == session:
            found[int(stat.parent.name)] = name
    return found


def start_demo(tmp_path, *arguments):
    """Leading a session of its own, so that whatever it leaves behind is found."""
    return subprocess.Popen([str(SOURCE / "tools" / "demo"), *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True,
                            env={**os.environ, **ENVIRONMENT, "TMPDIR": str(tmp_path)})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(number, tmp_path):
    demo = start_demo(tmp_path)
    said = []
    for line in demo.stdout:
        said.append(line)
        if re.match(r"\d\d:\d\d:\d\d meter: .*voltage=", line):
            break
    else:
        pytest.fail("the demo ended without a reading:\n" + "".join(said))
    members = set(session_members(demo.pid).values())
    assert {"railhead", "railsim", "mosquitto"} <= members, members
    if number == signal.SIGINT:
        os.killpg(demo.pid, number)  # as a terminal does
    else:
        demo.send_signal(number)
    rest, _ = demo.communicate(timeout=30 * SLOW)
    assert demo.returncode == 0, rest
    assert "readings of meter" in rest and "Traceback" not in rest
    assert not list(tmp_path.iterdir()), "files are left"
    until(lambda: not session_members(demo.pid), 5, f"the end of {session_members(demo.pid)}")


def test_the_demo_ends_by_itself(tmp_path):
    demo = start_demo(tmp_path, "--for", "5s")
    said, _ = demo.communicate(timeout=40 * SLOW)
    assert demo.returncode == 0, said
    for device in ("meter", "climate", "relays"):
        assert int(re.search(rf"(\d+) readings of {device}", said)[1]) >= 5
    assert "\x1b" not in said, "escape sequences in a pipe"
    assert not session_members(demo.pid)


@pytest.mark.parametrize("tool", ["demo", "bench"])
def test_the_tools_explain_themselves(tool):
    result = subprocess.run([str(SOURCE / "tools" / tool), "--help"], capture_output=True, text=True, timeout=10)
    assert result.returncode == 0 and f"usage: tools/{tool}" in result.stdout and not result.stderr
    result = subprocess.run([str(SOURCE / "tools" / tool), "--nonsense"], capture_output=True, text=True, timeout=10)
    assert result.returncode == 64 and "--nonsense" in result.stderr
