# SPDX-License-Identifier: MIT
"""What `cmake --install` lays out, and whether systemd takes it: layout, references, exposure."""
import os
import pathlib
import re
import shutil
import stat
import subprocess

import pytest

from daemon import SOURCE, binary, railhead
from layout import configured, files, install, run
from unitfile import Unit

MOST_EXPOSURE = 12  # tenths, of `systemd-analyze security`

# Below the prefix, wherever that is.
EVERYWHERE = ["bin/railhead", "share/doc/railhead/examples/60-railhead.rules", "share/doc/railhead/examples/railhead.ini",
              "share/doc/railhead/install.md", "lib/sysusers.d/railhead.conf", "lib/tmpfiles.d/railhead.conf"]
UNITS = ["railhead.service", "railhead@.service"]


def profiles():
    return [f"share/railhead/profiles/{path.name}" for path in (SOURCE / "config" / "profiles").glob("*.ini")]


def unit_dir(prefix):
    if prefix == "/usr":
        return run("pkg-config", "--variable=systemdsystemunitdir", "systemd").strip()
    return prefix + "/lib/systemd/system"


class Installed:
    def __init__(self, prefix, folder):
        self.prefix = prefix
        self.root = install(configured(folder / "build", prefix), folder / "root")

    def at(self, path):
        return self.root / str(path).lstrip("/")

    def unit(self, name):
        return Unit(self.at(unit_dir(self.prefix)) / name)


@pytest.fixture(scope="module")
def usr(tmp_path_factory):
    return Installed("/usr", tmp_path_factory.mktemp("usr"))


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    return Installed("/usr/local", tmp_path_factory.mktemp("local"))


@pytest.fixture(params=["usr", "local"])
def installed(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def analyze(usr, tmp_path_factory):
    """systemd-analyze on the units as installed; the template as one instance, and programs where they are."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    folder = tmp_path_factory.mktemp("units")
    for name in UNITS:
        text = usr.unit(name).text.replace("ExecStart=/usr/bin/railhead", f"ExecStart={binary()}")
        text = text.replace("Documentation=file:/usr", f"Documentation=file:{usr.root}/usr")
        (folder / name.replace("@", "@second")).write_text(text, "utf-8")

    def call(*arguments, unit):
        return subprocess.run(["systemd-analyze", *arguments, str(folder / unit.replace("@", "@second"))],
                              capture_output=True, text=True, timeout=60, check=False)
    return call


def test_layout(installed):
    """These files and no others; nothing into /etc, which is the site's."""
    expected = [f"{installed.prefix}/{path}" for path in EVERYWHERE + profiles()]
    expected += [f"{unit_dir(installed.prefix)}/{name}" for name in UNITS]
    assert files(installed.root) == sorted(expected)


def test_modes(installed):
    for path in files(installed.root):
        mode = stat.S_IMODE(installed.at(path).stat().st_mode)
        assert mode == (0o755 if path.endswith("/bin/railhead") else 0o644), f"{path} {mode:o}"


def test_no_placeholder_and_no_path_of_the_build_is_left(installed):
    for path in files(installed.root):
        if not path.endswith("/bin/railhead"):
            text = installed.at(path).read_text("utf-8")
            assert not re.search(r"@[A-Z_]+@", text), path
            assert str(SOURCE) not in text and str(installed.root.parent) not in text, path


@pytest.mark.parametrize("name", UNITS)
def test_units_refer_only_to_what_is_installed(installed, name):
    unit = installed.unit(name)
    program, verb, option, config = unit["ExecStart"].split()
    assert installed.at(program).is_file() and (verb, option) == ("run", "-c")
    assert os.path.dirname(config) == "/etc/railhead"
    assert installed.at(unit["Documentation"].removeprefix("file:")).is_file()
    tmpfiles = installed.at(f"{installed.prefix}/lib/tmpfiles.d/railhead.conf").read_text("utf-8")
    for directory in (unit["LoadCredential"].partition(":")[2], "/etc/" + unit["ConfigurationDirectory"]):
        assert re.search(rf"^d {directory}\s", tmpfiles, re.MULTILINE), directory
    sysusers = installed.at(f"{installed.prefix}/lib/sysusers.d/railhead.conf").read_text("utf-8")
    assert re.search(rf"^u {unit['User']}\s", sysusers, re.MULTILINE) and unit["Group"] == unit["User"]


def test_the_template_differs_only_in_its_names(usr):
    one, many = (usr.unit(name).rows for name in UNITS)
    assert [key for key, _ in one] == [key for key, _ in many]
    changed = {key: (a, b) for (key, a), (_, b) in zip(one, many) if a != b}
    assert set(changed) == {"Description", "ExecStart", "StateDirectory", "RuntimeDirectory"}
    assert all("%i" in b and "%i" not in a for a, b in changed.values())
    # An instance inside the directory of another service would be removed, or taken over, with it.
    assert all("/" not in changed[key][1] for key in ("StateDirectory", "RuntimeDirectory"))


@pytest.mark.parametrize("name", UNITS)
def test_exposure(analyze, name):
    result = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", unit=name)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Overall exposure level" in result.stdout


def test_exposure_can_fail(analyze):
    assert analyze("security", "--offline=true", "--threshold=2", "--no-pager", unit=UNITS[0]).returncode != 0


@pytest.mark.parametrize("name", UNITS)
def test_systemd_understands_every_line(analyze, name):
    result = analyze("verify", "--man=no", unit=name)
    said = [line for line in result.stderr.splitlines() if "railhead" in line]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("name", UNITS)
def test_serial_ports_and_network_stay_open(usr, name):
    unit = usr.unit(name)
    assert unit["DevicePolicy"] == "closed"
    assert {"char-ttyUSB rw", "char-ttyACM rw", "char-ttyAMA rw", "char-ttyS rw", "char-ttySC rw"} == set(
        unit.all("DeviceAllow"))
    assert set(unit["RestrictAddressFamilies"].split()) == {"AF_UNIX", "AF_INET", "AF_INET6"}
    for closing in ("PrivateDevices", "PrivateNetwork", "IPAddressDeny"):
        assert not unit.all(closing), closing
    for module in ("usbserial", "cdc_acm"):
        assert f"modprobe@{module}.service" in unit["Wants"]
        assert any(f"modprobe@{module}.service" in value for value in unit.all("After"))


@pytest.mark.parametrize("name", UNITS)
def test_how_it_starts_and_starts_again(usr, name):
    unit = usr.unit(name)
    assert (unit["Type"], unit["NotifyAccess"], unit["Restart"]) == ("notify", "main", "always")
    assert (unit["WatchdogSec"], unit["RestartSec"], unit["RestartPreventExitStatus"]) == ("90s", "2s", "78")
    assert unit["StartLimitIntervalSec"] == "0"


def test_sysusers_and_tmpfiles_make_what_the_unit_needs(usr, tmp_path):
    """On a root of their own. As root, so that owners can be set."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for tool in ("systemd-sysusers", "systemd-tmpfiles"):
        if not shutil.which(tool):
            pytest.skip(f"there is no {tool}")
    root = tmp_path / "root"
    shutil.copytree(usr.root, root)
    (root / "etc").mkdir()
    run("systemd-sysusers", f"--root={root}")
    run("systemd-tmpfiles", f"--root={root}", "--create", "railhead.conf")
    groups = (root / "etc/group").read_text("utf-8")
    assert re.search(r"^dialout:.*:(.*,)?railhead(,.*)?$", groups, re.MULTILINE), groups
    assert re.search(r"^railhead:.*:/var/lib/railhead:\S*nologin$", (root / "etc/passwd").read_text("utf-8"), re.MULTILINE)
    railhead_gid = int(re.search(r"^railhead:\w*:(\d+)", groups, re.MULTILINE).group(1))
    for path, mode, gid in (("", 0o755, 0), ("railhead.d", 0o755, 0), ("profiles", 0o755, 0),
                            ("tls", 0o750, railhead_gid), ("credentials", 0o700, 0)):
        at = (root / "etc/railhead" / path).stat()
        assert (stat.S_IMODE(at.st_mode), at.st_uid, at.st_gid) == (mode, 0, gid), path


def test_the_example_configuration_is_right(usr):
    result = railhead("check", "-c", usr.at("/usr/share/doc/railhead/examples/railhead.ini"))
    assert result.returncode == 0, result.stderr
    assert "error" not in result.stderr


def test_the_udev_example_compares_and_assigns_what_udev_knows(usr):
    """Keys that match take == and !=, keys that are set take = and +=."""
    match = re.compile(r'(ACTION|SUBSYSTEMS?|KERNELS?|DRIVERS?|ATTRS?\{\w+\})(==|!=)"[^"]*"')
    assign = re.compile(r'(SYMLINK\+|ATTR\{\w+\}|ENV\{\w+\}|GROUP|MODE)="[^"]*"')
    rules = usr.at("/usr/share/doc/railhead/examples/60-railhead.rules").read_text("utf-8").splitlines()
    rules = [rule for rule in rules if rule and not rule.startswith("#")]
    assert len(rules) >= 3
    for rule in rules:
        words = re.split(r",\s*", rule)
        kinds = ["match" if match.fullmatch(word) else "assign" if assign.fullmatch(word) else word for word in words]
        assert set(kinds) == {"match", "assign"} and kinds == sorted(kinds, reverse=True), rule


def test_the_page_names_what_is_there(usr):
    page = (SOURCE / "docs" / "install.md").read_text("utf-8")
    for path in ("railhead.service", "railhead@.service", "60-railhead.rules", "/etc/railhead/railhead.ini",
                 "/etc/railhead/credentials", "/var/lib/railhead"):
        assert path in page, f"docs/install.md does not speak of {path}"
    for path in re.findall(r"/usr/(?:bin|lib|share)/[\w./@-]*\w", page):
        assert usr.at(path).exists() or pathlib.PurePath(path).name == "systemd", f"docs/install.md names {path}"
