# SPDX-License-Identifier: MIT
"""The smallest thing that talks: one Modbus TCP slave with a value that a test sets, for the tests whose
subject is the other end."""
from slave import TcpSlave

BODY = """[line plc]
driver = modbus-tcp
host = {host}
{line}
[devices]
press = plc 1 - interval={interval} {device}
[points press]
level = holding 0 u16 {point}
"""


class Plc(TcpSlave):
    def __init__(self, value=1):
        super().__init__({1: {"holding": {0: value}}})

    def set_level(self, value):
        self.set(1, "holding", 0, [value])

    def body(self, interval="50ms", line="", device="", point=""):
        return BODY.format(host=self.host, interval=interval, line=line, device=device, point=point)
