# SPDX-License-Identifier: MIT
"""A systemd unit as text: its assignments, in order."""
import re


class Unit:
    def __init__(self, path):
        self.text = path.read_text("utf-8")
        self.rows = re.findall(r"^([A-Z]\w+)=(.*)$", self.text, re.MULTILINE)

    def all(self, name):
        """Every value of an option that may be given several times."""
        return [value for key, value in self.rows if key == name]

    def __getitem__(self, name):
        values = self.all(name)
        assert len(values) == 1, f"{name} is set {len(values)} times"
        return values[0]
