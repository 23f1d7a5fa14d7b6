# SPDX-License-Identifier: MIT
"""A machine to install on: a minimal Debian made by mmdebstrap, booted by systemd-nspawn with a real PID 1.

Needs root, both programs, namespaces, and a package mirror: the one this machine's own apt sources name. Where
one of them is missing, NotHere says which. Everything lies in one folder, which is removed at the end.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

from waiting import Deadline, TooLate, until

SUITE = "bookworm"
# What the binary links and the unit calls (procps brings kill), and a broker to talk to.
PACKAGES = ["systemd", "systemd-sysv", "procps", "libmodbus5", "libserialport0", "libpaho-mqtt1.3", "libsqlite3-0",
            "libsystemd0", "libjansson4", "libpcre2-8-0", "mosquitto", "mosquitto-clients"]
NAMESPACES = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]


class NotHere(Exception):
    """This machine cannot boot another; the text says why."""


def ran(*command, timeout=120, **options):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, check=False, **options)


def sources():
    """Debian's own lines of this machine's apt sources, for the suite."""
    found = ran("apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                "Created-By: Packages", "Origin: Debian")
    lines = sorted({line for line in found.stdout.splitlines() if re.search(rf" {SUITE}(-\w+)? ", line)})
    if not lines:
        raise NotHere(f"the apt sources of this machine do not name Debian {SUITE} (or apt-get update was never run)")
    return "\n".join(lines) + "\n"


def check():
    if os.geteuid() != 0:
        raise NotHere("needs root")
    for program in ("mmdebstrap", "systemd-nspawn", "nsenter"):
        if not shutil.which(program):
            raise NotHere(f"there is no {program}: tools/deps deploy")


def last_line(text):
    return (text.strip().splitlines() or ["it said nothing"])[-1]


class Machine:
    """`install` before `boot`; `run` runs a program in it as root."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "rootfs"
        self.console = self.folder / "console"
        self.nspawn = None
        self.init = None

    def make(self, timeout=150):
        """About 20 s, most of it dpkg."""
        check()
        listing = self.folder / "sources.list"
        listing.write_text(sources(), encoding="utf-8")
        made = ran("mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(PACKAGES)}", SUITE,
                   self.root, listing, timeout=timeout)
        if made.returncode != 0:
            raise NotHere(f"mmdebstrap cannot make a root file system here: {last_line(made.stderr)}")

    def boot(self, seconds=40):
        with open(self.console, "wb") as console:
            self.nspawn = subprocess.Popen(
                ["setpriv", "--pdeathsig=TERM", "systemd-nspawn", "-q", "--register=no", "--keep-unit", "--private-network", "--console=pipe", "-b",
                 "-D", str(self.root)], stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                start_new_session=True)
        try:
            until(self._up, seconds, "the machine is up")
        except TooLate:
            raise NotHere(f"systemd-nspawn does not boot here: {last_line(self.said())}") from None

    def said(self):
        return re.sub(r"\x1b\[[0-9;]*m", "", self.console.read_text("utf-8", errors="replace"))

    def _up(self):
        if self.nspawn.poll() is not None:
            raise NotHere(f"systemd-nspawn ends at once here: {last_line(self.said())}")
        if self.init is None:
            self.init = self._find_init()
        return self.init and self.run("systemctl", "is-system-running", timeout=20).stdout.strip() in (
            "running", "degraded")

    def _find_init(self):
        """The child that is PID 1 of a namespace of its own: the machine's systemd."""
        try:
            children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text("utf-8")
            for pid in children.split():
                status = pathlib.Path(f"/proc/{pid}/status").read_text("utf-8")
                if re.search(r"^NSpid:\s+\d+\s+1$", status, re.MULTILINE) and re.search(
                        r"^Name:\s+systemd$", status, re.MULTILINE):
                    return int(pid)
        except OSError:
            pass
        return None

    def run(self, *command, timeout=60, user=None):
        """A program in the machine. Nothing is expected of its exit code."""
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return ran("nsenter", f"--target={self.init}", *NAMESPACES, "--", "env", "-i", "PATH=/usr/bin:/usr/sbin:/bin:/sbin",
                   "LC_ALL=C.UTF-8", *who, *command, timeout=timeout)

    def ok(self, *command, **options):
        result = self.run(*command, **options)
        assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result.stdout

    def path(self, path):
        return self.root / str(path).lstrip("/")

    def write(self, path, text, mode=0o644):
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        target.chmod(mode)

    def show(self, unit, *names):
        """Properties of a unit, as text; one name gives its value."""
        rows = dict(line.split("=", 1) for line in self.ok(
            "systemctl", "show", unit, "--property=" + ",".join(names)).splitlines() if "=" in line)
        return rows[names[0]] if len(names) == 1 else rows

    def wait_show(self, unit, name, wanted, seconds=15):
        pattern = re.compile(wanted)
        value = None

        def there():
            nonlocal value
            value = self.show(unit, name)
            return pattern.fullmatch(value)
        try:
            until(there, seconds, name)
        except TooLate:
            raise TooLate(f"{unit}: {name} is {value!r}, not {wanted!r}; the journal:\n{self.journal_text(unit)}") from None
        return value

    def journal(self, *matches):
        """Entries as journalctl's JSON has them, oldest first."""
        self.run("journalctl", "--sync")
        return [json.loads(line) for line in self.ok("journalctl", "-o", "json", "--no-pager", *matches).splitlines()]

    def journal_text(self, unit):
        return self.run("journalctl", "-n", "30", "--no-pager", "-u", unit).stdout

    def off(self, seconds=20):
        """Shuts down in order; what does not end by then is killed."""
        if self.nspawn is None or self.nspawn.poll() is not None:
            return
        if self.init:
            self.run("systemctl", "poweroff", "--no-block")
        try:
            self.nspawn.wait(Deadline(seconds).left())
        except subprocess.TimeoutExpired:
            os.kill(self.nspawn.pid, signal.SIGKILL)
            self.nspawn.wait()

    def remove(self):
        self.off()
        shutil.rmtree(self.folder, ignore_errors=True)
