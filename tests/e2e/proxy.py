# SPDX-License-Identifier: MIT
"""A TCP proxy that cuts: between gateway and broker, at will or after so many bytes, in the middle of a packet."""
import select
import socket
import struct
import threading

from waiting import free_port


class Proxy:
    def __init__(self, target_port):
        self.port = free_port()
        self._target = target_port
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(16)
        self._lock = threading.Lock()
        self._pairs = set()
        self._budget = None
        self._stalled = threading.Event()
        self._closed = False
        self.connections = 0
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def cut(self):
        """Resets every connection."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._reset(pair)

    def cut_after(self, count):
        """Resets the connection when `count` more bytes have gone up; the rest of that packet is lost."""
        with self._lock:
            self._budget = count

    def stall(self):
        """Passes nothing on any more, and keeps every connection open."""
        self._stalled.set()

    def flow(self):
        self._stalled.clear()

    def close(self):
        self._closed = True
        self._listener.close()
        self.cut()

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=2)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            with self._lock:
                self._pairs.add(pair)
                self.connections += 1
            threading.Thread(target=self._pump, args=(pair,), daemon=True).start()

    def _pump(self, pair):
        client, server = pair
        other = {client: server, server: client}
        try:
            while not self._closed:
                ready, _, _ = select.select([] if self._stalled.is_set() else pair, [], [], 0.05)
                for end in ready:
                    data = end.recv(65536)
                    if not data:
                        return
                    data, cut = self._spend(data) if end is client else (data, False)
                    other[end].sendall(data)
                    if cut:
                        self.cuts += 1
                        self._reset(pair)
                        return
        except (OSError, ValueError):
            pass
        finally:
            self._reset(pair, gentle=True)

    def _spend(self, data):
        with self._lock:
            if self._budget is None:
                return data, False
            if len(data) < self._budget:
                self._budget -= len(data)
                return data, False
            data, self._budget = data[: self._budget], None
            return data, True

    def _reset(self, pair, gentle=False):
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            try:
                if not gentle:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
