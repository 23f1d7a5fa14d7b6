# SPDX-License-Identifier: MIT
"""Which options are tested: each test says which option it changes; test_options.py compares with the sample."""
import re

from daemon import railhead

TESTED = {}


def option(kind, *names):
    """This test changes these options of a [kind] and sees the difference from outside."""
    def register(function):
        for name in names:
            TESTED.setdefault((kind, name), []).append(function.__name__)
        return function

    return register


def sampled():
    """(kind, name) of every option in `railhead config --sample`: `;name = default` below the heading of its kind."""
    found, kind = set(), None
    for line in railhead("config", "--sample").stdout.splitlines():
        if match := re.match(r"(?:; )?\[(?:defaults )?(\w+)", line):
            kind = match[1]
        elif match := re.match(r";([a-z_-]+\.?)(?:NAME)? = ", line):
            found.add((kind, match[1]))
    return found
