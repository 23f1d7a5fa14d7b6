# SPDX-License-Identifier: MIT
"""The gateway as its users run it: a file, a process, stderr, signals and exit codes."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import time

from waiting import SLOW, TOGETHER, Deadline, TooLate

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def build_folder():
    """$RAILHEAD_BUILD, else build/ at the root of the tree; built with -DRAILHEAD_TESTS=ON."""
    return pathlib.Path(os.environ.get("RAILHEAD_BUILD", SOURCE / "build")).resolve()


def binary():
    return build_folder() / "railhead"


def railhead(*arguments, timeout=30, env=None, stdin=None):
    """One call of the command line; nothing is expected of its exit code."""
    return subprocess.run([str(binary()), *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout * SLOW, env={**os.environ, **(env or {})}, input=stdin)


class Gateway:
    """`railhead run -c FILE` with its stderr on record. Start it again after a kill: same file, same store."""

    def __init__(self, folder, text, name="railhead.ini", env=None, wrapper=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / name
        self.configure(text)
        self.env = env or {}
        self.wrapper = list(wrapper)
        self.program = None
        self.process = None
        self._lines = []
        self._changed = threading.Condition()
        self._reader = None

    def configure(self, text):
        """Replaces the file in one step, as an editor does."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.file)

    def start(self):
        command = [*(self.wrapper or TOGETHER), str(self.program or binary()), "run", "-c", str(self.file)]
        env = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env={**env, **self.env}, cwd=self.folder, process_group=0)
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        return self

    def _read(self, stream):
        for line in stream:
            with self._changed:
                self._lines.append((time.monotonic(), line.decode(errors="replace").rstrip("\n")))
                self._changed.notify_all()
        stream.close()

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def mark(self):
        with self._changed:
            return len(self._lines)

    def lines(self, since=0):
        with self._changed:
            return [line for _at, line in self._lines[since:]]

    def log(self):
        return "\n".join(self.lines())

    def wait_log(self, pattern, seconds=10, since=0):
        """The first line of stderr after `since` that the regular expression finds."""
        expression = re.compile(pattern, re.IGNORECASE)
        deadline = Deadline(seconds)
        seen = since
        with self._changed:
            while True:
                while seen < len(self._lines):
                    if expression.search(self._lines[seen][1]):
                        return self._lines[seen][1]
                    seen += 1
                if deadline.over():
                    raise TooLate(f"no line like {pattern!r} on stderr; it said:\n" + "\n".join(
                        line for _at, line in self._lines[-40:]))
                self._changed.wait(deadline.left())

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        self.signal(signal.SIGHUP)

    def kill(self):
        """As a power cut would: at once, with nothing written."""
        if self.running():
            self.process.kill()
        return self.wait(10)

    def stop(self, seconds=20):
        """Ends it cleanly and returns its exit code."""
        if self.running():
            self.process.terminate()
        return self.wait(seconds)

    def wait(self, seconds=20):
        """Its exit code, once it has ended by itself."""
        try:
            code = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise TooLate("the gateway did not end; it said:\n" + self.log()[-2000:]) from None
        self._reader.join(5)
        return code

    def status_of(self, field):
        """A field of /proc/PID/status in kB."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.clear()

    def clear(self):
        """Ends it whatever it is doing."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(15 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        if self._reader:
            self._reader.join(5)


def unprivileged(folder):
    """For root: how to run the gateway as nobody, so that permissions mean something. Returns (wrapper,
    environment); the binary must be readable for everybody, so it is copied into `folder`."""
    if os.geteuid() != 0:
        return [], binary()
    copy = pathlib.Path(folder) / "railhead"
    shutil.copy(binary(), copy)
    copy.chmod(0o755)
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"], copy
