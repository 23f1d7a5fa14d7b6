# SPDX-License-Identifier: MIT
"""A Modbus slave made of pymodbus: its framers, decoder and data store, on a TCP port or on a pty.

A second opinion beside our own simulator. pymodbus' own servers want python3-serial-asyncio even for TCP,
so the bytes are carried here; what they mean is pymodbus' business alone.
"""
import fcntl
import os
import select
import socket
import struct
import termios
import threading
import time
import tty

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.factory import ServerDecoder
from pymodbus.framer.rtu_framer import ModbusRtuFramer
from pymodbus.framer.socket_framer import ModbusSocketFramer

SIZE = 256


class Slave:
    """`units`: {unit: {"holding": {address: word}, "input": …, "coil": …, "discrete": …}}. Addresses past
    255 are refused with exception 2."""

    def __init__(self, units, framer):
        context = {unit: _context(tables) for unit, tables in units.items()}
        self._context = ModbusServerContext(slaves=context, single=False)
        self._make = framer
        self._stop, self._wake = os.pipe()
        self._thread = None
        self.requests = []  # (unit, function, address, count) of what it understood
        self.heard = []  # (monotonic time, bytes) of all that came
        self.delay = 0.0  # before each answer, in seconds

    def set(self, unit, table, address, words):
        self._context[unit].setValues({"coil": 1, "discrete": 2, "holding": 3, "input": 4}[table], address, words)

    def _answer(self, framer, data):
        """Bytes in, bytes out."""
        answers = []

        def execute(request):
            self.requests.append((request.unit_id, request.function_code, request.address, request.count))
            response = request.execute(self._context[request.unit_id])
            response.transaction_id, response.unit_id = request.transaction_id, request.unit_id
            answers.append(framer.buildPacket(response))

        framer.processIncomingPacket(data, execute, self._context.slaves(), single=False)
        return b"".join(answers)

    def _pump(self, fd, read, write):
        framer = self._make(ServerDecoder(), client=None)
        while True:
            ready, _, _ = select.select([fd, self._stop], [], [])
            if self._stop in ready:
                return
            try:
                data = read()
            except OSError:
                return
            if not data:
                return
            self.heard.append((time.monotonic(), data))
            answer = self._answer(framer, data)
            if answer:
                if select.select([self._stop], [], [], self.delay)[0]:
                    return
                write(answer)

    def close(self):
        os.write(self._wake, b"x")
        self._thread.join(5)
        os.close(self._stop)
        os.close(self._wake)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class TcpSlave(Slave):
    def __init__(self, units, rtu=False):
        super().__init__(units, ModbusRtuFramer if rtu else ModbusSocketFramer)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(4)
        self.host = "127.0.0.1:%d" % self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            ready, _, _ = select.select([self._listener, self._stop], [], [])
            if self._stop in ready:
                break
            one, _ = self._listener.accept()
            with one:
                self._pump(one, lambda peer=one: peer.recv(4096), one.sendall)
        self._listener.close()


class PtySlave(Slave):
    def __init__(self, units):
        super().__init__(units, ModbusRtuFramer)
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        self._slave = slave  # kept open, so that the gateway may close and open it again
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        self._pump(self._master, lambda: os.read(self._master, 4096), lambda data: os.write(self._master, data))

    def settings(self):
        """(baud, stop bits) as the gateway has set them; a pty knows no parity."""
        # TCGETS2 tells any rate; tcgetattr knows only the classic ones.
        settings = fcntl.ioctl(self._slave, 0x802C542A, bytes(44))
        cflag, speed = struct.unpack_from("I", settings, 8)[0], struct.unpack_from("I", settings, 40)[0]
        return speed, 2 if cflag & termios.CSTOPB else 1

    def close(self):
        super().close()
        os.close(self._master)
        os.close(self._slave)


def _context(tables):
    def block(name):
        values = [0] * SIZE
        for address, word in tables.get(name, {}).items():
            values[address] = word
        return ModbusSequentialDataBlock(0, values)

    return ModbusSlaveContext(co=block("coil"), di=block("discrete"), hr=block("holding"), ir=block("input"),
                              zero_mode=True)
