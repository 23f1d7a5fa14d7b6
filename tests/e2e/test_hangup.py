# SPDX-License-Identifier: MIT
"""Peers that open and are of no use: a Modbus gateway whose places are taken accepts and hangs up; another talks garbage."""
import os
import socket
import threading

import pytest
from inifile import ini
from waiting import until

BODY = """[line plc]
driver = modbus-tcp
host = 127.0.0.1:{port}
timeout = 200ms
[devices]
press = plc 1 - interval=50ms
[points press]
level = holding 0 u16
"""


class Useless:
    """Accepts, perhaps says something, and hangs up. Counts who came."""

    def __init__(self, words):
        self.words, self.count = words, 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.count += 1
            with client:
                try:
                    client.sendall(self.words)
                except OSError:
                    pass

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


@pytest.mark.parametrize("words", [b"", os.urandom(3000)], ids=["silent", "garbage"])
def test_a_peer_that_hangs_up_is_not_hammered(words, broker, recorder, start, store):
    peer = Useless(words)
    try:
        gateway = start(ini(broker.url, store, BODY.format(port=peer.port)))
        recorder.wait(lambda m: m.topic.endswith("/state/press") and m.payload == b"offline", 10, "the device offline")
        until(lambda: peer.count >= 6, 20, "some attempts")  # 250 ms four times, then 1 s
        seen, lines = peer.count, len(gateway.log().splitlines())
        recorder.quiet(1.0, "data")
        assert peer.count - seen <= 3, "it is connected to without a pause"
        assert lines < 15 and len(gateway.log().splitlines()) < 20, gateway.log()
    finally:
        peer.close()
