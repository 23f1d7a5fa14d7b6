# SPDX-License-Identifier: MIT
"""Configuration files for tests: the usual keys with small times, and what a test wants different."""


def section(name, keys):
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value is not None)


def ini(broker, store, body="", gateway=None, mqtt=None, keep=None):
    """`gateway`, `mqtt`, `keep` ([store]): keys on top of the usual ones; None takes a key away."""
    return "\n".join([
        section("gateway", {"name": "gw", **(gateway or {})}),
        section("mqtt", {"broker": broker, "qos": 2, "backoff_min": "100ms", "backoff_max": "400ms",
                         **(mqtt or {})}),
        section("store", {"path": store, "commit_interval": "100ms", **(keep or {})}),
        body,
    ])
