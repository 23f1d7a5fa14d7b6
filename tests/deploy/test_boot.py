# SPDX-License-Identifier: MIT
"""The service on a machine of its own, under a real systemd: installed, started, reloaded, frozen, killed, stopped.

One machine for the whole file, made once (about 25 s); the tests follow one another as its life does.
"""
import contextlib
import json
import re
import shutil
import tempfile

import pytest

from daemon import build_folder
from layout import install, prefix_of
from machine import Machine, NotHere
from waiting import pass_time, until

UNIT = "railhead.service"
INI = "/etc/railhead/railhead.ini"
STATUS = r"2/2 devices ok, mqtt connected, backlog \d+"

BUSES = """
[sim]
control = none
[bus a]
type = rtu
link = /run/sim/a
baud = 9600
[slave a 1]
turnaround = 1ms
input 0..400 = const 0
[bus t]
type = tcp
port = 1502
[slave t 1]
turnaround = 1ms
holding 0 u16 = counter
"""

# A meter by its profile on a serial port, and a counter by TCP.
CONFIG = """
[gateway]
name = {name}
[mqtt]
broker = mqtt://127.0.0.1:1883
backoff_min = 100ms
backoff_max = 500ms
[store]
commit_interval = 100ms
{store}
[line rs485]
port = /run/sim/a
baud = 9600
mode = 8N1
[devices]
meter = rs485 1 eastron-sdm120 interval=1s
press = - 1 - host=127.0.0.1:1502 interval=200ms
[points press]
count = holding 0 u16
"""


def config(name="box", store=""):
    return CONFIG.format(name=name, store=store)


def prepared(machine):
    machine.make()
    install(build_folder(), machine.root)
    shutil.copy(build_folder() / "tests" / "sim" / "railsim", machine.path("/usr/bin/railsim"))
    machine.write("/etc/sim.ini", BUSES)
    machine.boot()


@pytest.fixture(scope="module")
def machine():
    build = build_folder()
    if not (build / "tests" / "sim" / "railsim").is_file():
        pytest.skip("not run: no railsim in the build (RAILHEAD_TESTS=ON)")
    one = Machine(tempfile.mkdtemp(prefix="deploy-", dir=build))
    try:
        prepared(one)
        yield one
    except NotHere as why:
        pytest.skip(f"not run: {why}")
    finally:
        one.remove()


def pid(machine):
    return int(machine.show(UNIT, "MainPID"))


def start(machine):
    machine.ok("systemctl", "start", UNIT)
    machine.wait_show(UNIT, "StatusText", STATUS)


@pytest.fixture
def running(machine):
    """The service, all well, with the configuration of this file."""
    machine.write(INI, config())
    machine.run("systemctl", "reset-failed", UNIT)
    start(machine)
    return machine


def entries(machine, *matches):
    return machine.journal(f"_SYSTEMD_UNIT={UNIT}", *matches)


def test_the_user_and_the_directories(machine):
    machine.ok("systemd-sysusers")
    machine.ok("systemd-tmpfiles", "--create")
    assert "dialout" in machine.ok("id", "-nG", "railhead").split()
    assert machine.ok("stat", "-c", "%a %U %G", "/etc/railhead/credentials").strip() == "700 root root"
    machine.ok("systemctl", "daemon-reload")
    machine.ok("systemd-run", "--unit=sim", "--property=User=railhead", "--property=RuntimeDirectory=sim",
               "/usr/bin/railsim", "/etc/sim.ini")
    until(lambda: machine.run("test", "-e", "/run/sim/a").returncode == 0, 10, "the simulated bus is there")


def test_start(machine):
    """`systemctl start` returns when the service is ready; then all that it should reach is reached. The port
    is as udev makes it: of root and group dialout."""
    port = machine.ok("readlink", "-f", "/run/sim/a").strip()
    machine.ok("chown", "root:dialout", port)
    machine.ok("chmod", "660", port)
    machine.write(INI, config())
    machine.ok("systemctl", "enable", "--now", UNIT)
    shown = machine.show(UNIT, "ActiveState", "SubState", "NRestarts")
    assert shown == {"ActiveState": "active", "SubState": "running", "NRestarts": "0"}
    machine.wait_show(UNIT, "StatusText", STATUS)


def test_what_the_process_may(running):
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", running.ok("cat", f"/proc/{pid(running)}/status"), re.MULTILINE))
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert fields["Uid"].split()[0] == running.ok("id", "-u", "railhead").strip()
    inside = ["nsenter", f"--target={pid(running)}", "--mount", "--"]
    for path in ("/etc/x", "/etc/railhead/x", "/usr/x", "/var/x"):
        assert "Read-only" in running.run(*inside, "touch", path).stderr, f"root could write {path}"
    for path in ("/var/lib/railhead/x", "/run/railhead/x"):
        running.ok(*inside, "touch", path)
        running.ok("rm", path)


def test_where_its_files_are(running):
    for path, mode in (("/var/lib/railhead", "700"), ("/run/railhead", "750"), ("/var/lib/railhead/store.db", "600")):
        assert running.ok("stat", "-c", "%a %U %G", path).strip() == f"{mode} railhead railhead", path


def test_the_boot_id_is_passed_in(running):
    environment = running.ok("cat", f"/proc/{pid(running)}/environ").split("\0")
    boot_id = running.ok("cat", "/proc/sys/kernel/random/boot_id").strip().replace("-", "")
    assert f"RAILHEAD_BOOT_ID={boot_id}" in environment


def test_readings_arrive(running):
    said = running.ok("mosquitto_sub", "-h", "127.0.0.1", "-t", "#", "-C", "30", "-W", "10")
    assert "count" in said and "voltage" in said


def test_reload_takes_the_new_configuration(running):
    before = pid(running)
    running.write(INI, config().replace("interval=200ms", "interval=250ms"))
    running.ok("systemctl", "reload", UNIT)
    until(lambda: any("is in force" in row["MESSAGE"] for row in entries(running)), 10, "the reload is logged")
    running.wait_show(UNIT, "StatusText", STATUS)
    assert pid(running) == before
    assert running.show(UNIT, "ActiveState") == "active"


def test_reload_of_a_wrong_configuration_keeps_the_old_one(running):
    before = pid(running)
    running.write(INI, config().replace("baud = 9600", "baud = fast"))
    running.run("systemctl", "reload", UNIT)
    until(lambda: any("configuration in force stays" in row["MESSAGE"] for row in entries(running, "PRIORITY=3")), 10,
          "the refusal is logged as an error")
    running.wait_show(UNIT, "ActiveState", "active")
    running.wait_show(UNIT, "StatusText", STATUS)
    assert pid(running) == before


def test_the_journal_knows_priority_line_and_device(running):
    rows = entries(running, "RAILHEAD_LINE=rs485", "RAILHEAD_DEVICE=meter")
    assert rows, "no entry of the meter"
    assert {row["SYSLOG_IDENTIFIER"] for row in rows} == {"railhead"}
    assert any(row["PRIORITY"] == "5" and "answers" in row["MESSAGE"] for row in rows), rows
    assert {row["RAILHEAD_PART"] for row in entries(running, "RAILHEAD_PART=mqtt")} == {"mqtt"}
    assert "CODE_FILE" not in rows[0]
    assert not [row for row in entries(running) if row["MESSAGE"].startswith("<")]


@contextlib.contextmanager
def dropin(machine, text):
    """The service restarted with these lines on top, and without them afterwards."""
    folder = f"/etc/systemd/system/{UNIT}.d"
    machine.write(f"{folder}/test.conf", text)
    try:
        machine.ok("systemctl", "daemon-reload")
        machine.ok("systemctl", "restart", UNIT)
        machine.wait_show(UNIT, "StatusText", STATUS)
        yield
    finally:
        machine.ok("rm", "-r", folder)
        machine.ok("systemctl", "daemon-reload")
        machine.ok("systemctl", "restart", UNIT)


def test_a_frozen_daemon_is_found_by_the_watchdog(running):
    """With an interval that a test can wait for. Its end leaves a store that the next one goes on with."""
    with dropin(running, "[Service]\nWatchdogSec=2s\n"):
        before, restarts = pid(running), int(running.show(UNIT, "NRestarts"))
        running.ok("kill", "-STOP", str(before))
        running.wait_show(UNIT, "NRestarts", str(restarts + 1))
        running.wait_show(UNIT, "StatusText", STATUS)
        assert pid(running) != before
        assert any("Watchdog timeout" in row["MESSAGE"] for row in running.journal(f"UNIT={UNIT}"))


def test_the_watchdog_leaves_a_working_daemon_alone(running):
    with dropin(running, "[Service]\nWatchdogSec=1s\n"):
        before = pid(running)
        pass_time(3)
        assert pid(running) == before and running.show(UNIT, "NRestarts") == "0"


def test_a_killed_daemon_comes_back(running):
    before, restarts = pid(running), int(running.show(UNIT, "NRestarts"))
    running.ok("kill", "-KILL", str(before))
    running.wait_show(UNIT, "NRestarts", str(restarts + 1))
    running.wait_show(UNIT, "StatusText", STATUS)
    assert running.show(UNIT, "ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}


def test_stop_is_clean(running):
    running.ok("systemctl", "stop", UNIT)
    shown = running.show(UNIT, "ActiveState", "Result", "ExecMainStatus")
    assert shown == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    assert any("stopped:" in row["MESSAGE"] for row in entries(running))
    assert running.run("test", "-e", "/run/railhead").returncode != 0
    assert running.run("test", "-e", "/var/lib/railhead/store.db").returncode == 0


def test_a_wrong_configuration_is_not_tried_again(machine):
    machine.run("systemctl", "stop", UNIT)
    machine.write(INI, "[nonsense]\n")
    restarts = machine.show(UNIT, "NRestarts")
    assert machine.run("systemctl", "start", UNIT).returncode != 0
    machine.wait_show(UNIT, "ActiveState", "failed")
    assert machine.show(UNIT, "ExecMainStatus", "NRestarts") == {"ExecMainStatus": "78", "NRestarts": restarts}
    assert any("nonsense" in row["MESSAGE"] for row in entries(machine, "PRIORITY=3"))


def test_a_missing_directory_of_credentials_is_made_good(running):
    """systemd refuses to start without it, and goes on trying; what makes it ends that."""
    running.ok("systemctl", "stop", UNIT)
    running.ok("rm", "-r", "/etc/railhead/credentials")
    assert running.run("systemctl", "start", UNIT).returncode != 0
    assert running.show(UNIT, "ExecMainStatus") == "243"
    running.ok("systemd-tmpfiles", "--create", "railhead.conf")
    running.wait_show(UNIT, "ActiveState", "active")


def test_credentials_reach_the_service_and_nobody_else(running):
    """Readable for root alone where they lie; systemd hands the service a copy."""
    running.write("/etc/railhead/credentials/mqtt-password", "secret\n", mode=0o600)
    running.ok("systemctl", "restart", UNIT)
    copy = f"/run/credentials/{UNIT}/railhead_mqtt-password"
    assert running.ok("setpriv", "--reuid=railhead", "--regid=railhead", "--init-groups", "cat", copy) == "secret\n"
    nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    assert running.run(*nobody, "cat", copy).returncode != 0
    assert f"CREDENTIALS_DIRECTORY=/run/credentials/{UNIT}" in running.ok(
        "cat", f"/proc/{pid(running)}/environ").split("\0")


def test_several_gateways_on_one_box(running):
    """Each instance of the template has directories of its own, which do not go when another one stops."""
    running.write("/etc/railhead/second.ini", config("second", "path = /var/lib/railhead-second/store.db").replace(
        "port = /run/sim/a", "port = /run/sim/a\nenabled = no"))
    running.ok("systemctl", "start", "railhead@second")
    assert running.show("railhead@second", "ActiveState") == "active"
    running.ok("systemctl", "stop", UNIT)
    assert running.ok("stat", "-c", "%a %U", "/run/railhead-second", "/var/lib/railhead-second").split("\n")[:2] == [
        "750 railhead", "700 railhead"]
    running.ok("systemctl", "stop", "railhead@second")
    assert json.loads(running.ok("journalctl", "-u", "railhead@second", "-o", "json", "-n", "1")), "it said nothing"


def test_exposure_as_systemd_itself_sees_it(running):
    said = running.ok("systemd-analyze", "security", "--no-pager", "--threshold=12", UNIT)
    assert "Overall exposure level" in said


def test_it_is_started_at_boot(machine):
    """Enabled above; a machine that goes down stops it in order."""
    assert machine.run("systemctl", "is-enabled", UNIT).stdout.strip() == "enabled"
    machine.write(INI, config())
    machine.off()
    machine.init = None
    machine.boot()
    machine.wait_show(UNIT, "ActiveState", "active")
    rows = machine.journal(f"_SYSTEMD_UNIT={UNIT}", "--boot=-1")
    assert any("stopped:" in row["MESSAGE"] for row in rows[-3:]), rows[-3:]


def test_prefix_of_the_build_is_one_where_systemd_looks():
    assert prefix_of(build_folder()) in ("/usr", "/usr/local")
