# SPDX-License-Identifier: MIT
"""A small MQTT broker that does what a test tells it: refuses, stays mute, speaks 3.1.1 only, refuses
publishes. It speaks MQTT 3.1.1 and 5 as far as the gateway uses them, one client at a time per thread.

    Scripted(connack=0x86)            every CONNECT is answered with this reason
    Scripted(mute=True)               connections are accepted, and never answered
    Scripted(only_311=True)           MQTT 5 is refused as a 3.1.1 broker refuses it
    Scripted(puback=lambda topic: 0x87 if "/data/" in topic else 0)
    Scripted(receive_maximum=3)       announced in the CONNACK; `widest` says how far the client went
    Scripted(hold=True)               publishes are taken and not acknowledged
"""
import collections
import socket
import struct
import threading
import time

from waiting import Deadline, TooLate

Connect = collections.namedtuple("Connect", "level client_id username password clean keepalive expiry will")
Publish = collections.namedtuple("Publish", "topic payload qos retain dup mid")

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 1, 2, 3, 4, 5, 6, 7
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14


class Scripted:
    def __init__(self, connack=0, mute=False, only_311=False, puback=None, receive_maximum=None, hold=False,
                 max_qos=None, server_keepalive=None):
        self.connack, self.mute, self.only_311, self.hold = connack, mute, only_311, hold
        self.puback = puback or (lambda _topic: 0)
        self.receive_maximum, self.max_qos, self.server_keepalive = receive_maximum, max_qos, server_keepalive
        self.connects, self.publishes = [], []
        self.attempts = []  # when somebody connected, in monotonic seconds
        self.pings, self.disconnects, self.widest = [], 0, 0
        self.retained = {}
        self._known = set()
        self._changed = threading.Condition()
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(16)
        self.port = self._listener.getsockname()[1]
        self._sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def wait(self, condition, seconds, what):
        """Waits until condition(self) holds; it is asked after every packet."""
        deadline = Deadline(seconds)
        with self._changed:
            while not condition(self):
                if deadline.over():
                    raise TooLate(f"{what}: not within {seconds} s; {len(self.attempts)} connections, "
                                  f"{len(self.connects)} CONNECTs, {len(self.publishes)} publishes")
                self._changed.wait(deadline.left())
        return self

    def close(self):
        self._listener.close()
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)
                one.close()
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _note(self, act):
        with self._changed:
            act()
            self._changed.notify_all()

    def _accept(self):
        while True:
            try:
                one, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(one)
            self._note(lambda: self.attempts.append(time.monotonic()))
            if not self.mute:
                threading.Thread(target=self._serve, args=(_Peer(one),), daemon=True).start()

    def _serve(self, peer):
        try:
            while True:
                kind, flags, body = peer.read()
                if kind == CONNECT and not self._on_connect(peer, body):
                    return
                if kind == PUBLISH:
                    self._on_publish(peer, flags, body)
                elif kind == PUBREL:
                    peer.open.discard(body[:2])
                    peer.write(PUBCOMP << 4, body[:2])
                elif kind == SUBSCRIBE:
                    self._on_subscribe(peer, body)
                elif kind == PINGREQ:
                    self._note(lambda: self.pings.append(1))
                    peer.write(PINGRESP << 4, b"")
                elif kind == DISCONNECT:
                    self._note(lambda: setattr(self, "disconnects", self.disconnects + 1))
                    return
        except (OSError, EOFError):
            return
        finally:
            peer.close()

    def _on_connect(self, peer, body):
        connect = _parse_connect(body)
        self._note(lambda: self.connects.append(connect))
        peer.level = connect.level
        if connect.level == 5 and self.only_311:
            peer.write(CONNACK << 4, b"\x00\x01")
            return False
        if self.connack:
            peer.write(CONNACK << 4, bytes([0, self.connack]) + (b"\x00" if connect.level == 5 else b""))
            return False
        present = int(not connect.clean and connect.client_id in self._known)
        self._known.add(connect.client_id)
        peer.write(CONNACK << 4, bytes([present, 0]) + (self._properties() if connect.level == 5 else b""))
        return True

    def _properties(self):
        found = b""
        if self.receive_maximum:
            found += b"\x21" + struct.pack(">H", self.receive_maximum)
        if self.max_qos is not None:
            found += b"\x24" + bytes([self.max_qos])
        if self.server_keepalive is not None:
            found += b"\x13" + struct.pack(">H", self.server_keepalive)
        return _varint(len(found)) + found

    def _on_publish(self, peer, flags, body):
        qos = flags >> 1 & 3
        topic, rest = _string(body)
        mid = rest[:2] if qos else b""
        rest = rest[2 if qos else 0:]
        if peer.level == 5:
            size, used = _read_varint(rest)
            rest = rest[used + size:]
        publish = Publish(topic.decode(), rest, qos, bool(flags & 1), bool(flags & 8), int.from_bytes(mid, "big"))
        if publish.retain:
            self.retained[publish.topic] = publish.payload
        if qos:
            peer.open.add(mid)
        self.widest = max(self.widest, len(peer.open))
        self._note(lambda: self.publishes.append(publish))
        if not qos or (self.hold and "/data/" in publish.topic):
            return
        reason = self.puback(publish.topic)
        if qos == 1 or reason >= 0x80:
            peer.open.discard(mid)
        peer.write((PUBACK if qos == 1 else PUBREC) << 4,
                   mid + (bytes([reason, 0]) if reason and peer.level == 5 else b""))

    def _on_subscribe(self, peer, body):
        mid, rest = body[:2], body[2:]
        if peer.level == 5:
            size, used = _read_varint(rest)
            rest = rest[used + size:]
        answers, topics = b"", []
        while rest:
            topic, rest = _string(rest)
            topics.append((topic.decode(), rest[0]))
            answers += bytes([rest[0] & 3])
            rest = rest[1:]
        peer.write(SUBACK << 4, mid + (b"\x00" if peer.level == 5 else b"") + answers)
        for topic, options in topics:
            first = topic not in peer.subscribed
            peer.subscribed.add(topic)
            if topic in self.retained and (peer.level != 5 or options >> 4 & 3 == 0 or first):
                text = topic.encode()
                peer.write(PUBLISH << 4 | 1, struct.pack(">H", len(text)) + text
                           + (b"\x00" if peer.level == 5 else b"") + self.retained[topic])


class _Peer:
    def __init__(self, one):
        self._socket = one
        self._file = one.makefile("rb")
        self.level = 5
        self.open = set()
        self.subscribed = set()

    def _bytes(self, count):
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def read(self):
        head = self._bytes(1)[0]
        size = shift = 0
        while True:
            byte = self._bytes(1)[0]
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return head >> 4, head & 15, self._bytes(size)

    def write(self, head, body):
        self._socket.sendall(bytes([head]) + _varint(len(body)) + body)

    def close(self):
        self._file.close()
        self._socket.close()


def _varint(number):
    found = b""
    while True:
        byte, number = number & 0x7F, number >> 7
        found += bytes([byte | (0x80 if number else 0)])
        if not number:
            return found


def _read_varint(data):
    value = 0
    for used, byte in enumerate(data[:4]):
        value |= (byte & 0x7F) << 7 * used
        if byte < 0x80:
            return value, used + 1
    raise EOFError


def _string(data):
    size = int.from_bytes(data[:2], "big")
    return data[2:2 + size], data[2 + size:]


def _expiry(properties):
    """Session Expiry Interval of a CONNECT's properties, if it stands first or after known ones."""
    sizes = {0x11: 4, 0x21: 2, 0x27: 4, 0x22: 2, 0x19: 1, 0x17: 1}
    while properties:
        size = sizes.get(properties[0])
        if size is None:
            return None
        if properties[0] == 0x11:
            return int.from_bytes(properties[1:5], "big")
        properties = properties[1 + size:]
    return None


def _parse_connect(body):
    _name, rest = _string(body)
    level, flags, keepalive = rest[0], rest[1], int.from_bytes(rest[2:4], "big")
    rest, expiry, will = rest[4:], None, None
    if level == 5:
        size, used = _read_varint(rest)
        expiry, rest = _expiry(rest[used:used + size]), rest[used + size:]
    client_id, rest = _string(rest)
    if flags & 4:
        if level == 5:
            size, used = _read_varint(rest)
            rest = rest[used + size:]
        topic, rest = _string(rest)
        payload, rest = _string(rest)
        will = (topic.decode(), payload, flags >> 3 & 3, bool(flags & 0x20))
    username = password = None
    if flags & 0x80:
        username, rest = _string(rest)
    if flags & 0x40:
        password, rest = _string(rest)
    return Connect(level, client_id.decode(), username and username.decode(), password and password.decode(),
                   bool(flags & 2), keepalive, expiry, will)
