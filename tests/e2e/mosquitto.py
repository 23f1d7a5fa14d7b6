# SPDX-License-Identifier: MIT
"""A private mosquitto on a free loopback port, which comes back on the same port with what it had saved."""
import os
import pathlib
import shutil
import signal
import subprocess

from waiting import TOGETHER, accepts, free_port, until

BINARY = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Mosquitto:
    """`users`: {name: password}; `acl`: text of an ACL file; both are written before each start.

    max_inflight is what the broker announces as its Receive Maximum. Without `persistence` a restart
    forgets every session and every retained message."""

    def __init__(self, folder, persistence=True, max_inflight=20, users=None, acl=None, extra="",
                 port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.persistence = persistence
        self.max_inflight = max_inflight
        self.users = users
        self.acl = acl
        self.extra = extra
        self.process = None

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def _write(self):
        lines = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if self.users else 'true'}",
            f"max_inflight_messages {self.max_inflight}",
            "max_queued_messages 0",
            "max_queued_bytes 0",
            "set_tcp_nodelay true",
            "log_dest file " + str(self.folder / "mosquitto.log"),
            "log_type all",
            "connection_messages true",
        ]
        if os.geteuid() == 0:
            lines.append("user root")
        if self.persistence:
            lines += ["persistence true", f"persistence_location {self.folder}/"]
        if self.acl is not None:
            (self.folder / "acl").write_text(self.acl)
            (self.folder / "acl").chmod(0o600)
            lines.append(f"acl_file {self.folder / 'acl'}")
        if self.users:
            passwords = self.folder / "passwords"
            passwords.unlink(missing_ok=True)
            passwords.touch(0o600)
            for name, password in self.users.items():
                subprocess.run(["mosquitto_passwd", "-b", str(passwords), name, password], check=True)
            lines.append(f"password_file {passwords}")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines + [self.extra, ""]))
        return config

    def start(self):
        config = self._write()
        # A process group of its own: Ctrl-C on a terminal is for whoever started it, who then ends it in order.
        self.process = subprocess.Popen([*TOGETHER, BINARY, "-c", str(config)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, process_group=0)
        until(self._up, 10, f"mosquitto on port {self.port}")
        return self

    def _up(self):
        if self.process.poll() is not None:
            raise AssertionError("mosquitto ended at once: " + self.log()[-500:])
        return accepts(self.port)

    def stop(self):
        """Ends it cleanly: sessions, queues and retained messages are saved first."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        self.process = None

    def reload(self):
        """Makes it read a new `acl` (its other settings stay)."""
        self._write()
        self.process.send_signal(signal.SIGHUP)

    def freeze(self):
        """Takes its processor away: connections stay open and nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def log(self):
        path = self.folder / "mosquitto.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.thaw()
        self.stop()
