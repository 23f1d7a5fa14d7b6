# SPDX-License-Identifier: MIT
"""The receiving end of sd_notify: a socket of our own in the place of systemd's."""
import socket
import time

from waiting import Deadline, TooLate


class Message:
    """One datagram: its assignments, and when it came (monotonic seconds)."""

    def __init__(self, data):
        self.at = time.monotonic()
        self.text = data.decode()
        self.fields = dict(line.split("=", 1) for line in self.text.splitlines() if line)

    def __repr__(self):
        return repr(self.text)


class NotifySocket:
    """Give `env` to the daemon; `wait` reads messages in order and remembers all of them."""

    def __init__(self, folder):
        self.path = folder / "notify.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.seen = []

    @property
    def env(self):
        return {"NOTIFY_SOCKET": str(self.path)}

    def next(self, deadline):
        self.socket.settimeout(deadline.left() or 0.001)
        try:
            self.seen.append(Message(self.socket.recv(65536)))
        except TimeoutError:
            raise TooLate(f"nothing more was told to systemd; so far: {self.seen}") from None
        return self.seen[-1]

    def wait(self, field, seconds=10):
        """The next message that sets `field` ("READY=1", or a name alone)."""
        deadline = Deadline(seconds)
        while True:
            message = self.next(deadline)
            name, _, value = field.partition("=")
            if name in message.fields and value in ("", message.fields[name]):
                return message

    def collect(self, seconds):
        """All messages of the next `seconds`."""
        deadline, found = Deadline(seconds), []
        while not deadline.over():
            try:
                found.append(self.next(deadline))
            except TooLate:
                break
        return found

    def close(self):
        self.socket.close()
