# SPDX-License-Identifier: MIT
"""Whoever sends commands: an MQTT client that counts what it asked, so that each gets exactly one reply.

Replies are read from a Recorder, which misses nothing; what the Response Topic brought is kept here.
"""
import collections
import json
import threading
import time
import uuid

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from recorder import parse
from waiting import Deadline, TooLate

Response = collections.namedtuple("Response", "topic payload correlation")


def reply_topic(target):
    """Of "press/level/set", "press/get", "gateway/ping"."""
    if target.startswith("gateway/"):
        return "reply/" + target
    return "reply/" + target.rpartition("/")[0]


def soon(seconds=60):
    """A time that is so far away, as `expires` wants it."""
    return int((time.time() + seconds) * 1000)


def fresh_id():
    return uuid.uuid4().hex


class Operator:
    """`version`: mqtt.MQTTv5 or mqtt.MQTTv311."""

    def __init__(self, port, recorder, root="railhead/gw", version=mqtt.MQTTv5, name=None,
                 username=None, password=None):
        self.recorder = recorder
        self.root = root
        self.since = recorder.mark()
        self.expected = collections.Counter()  # replies, by topic
        self.responses = []
        self._maybe_again = set()
        self._changed = threading.Condition()
        self._connected = threading.Event()
        self._subscribed = threading.Event()
        self.version = version
        self._client = mqtt.Client(name or "operator-" + fresh_id()[:8], protocol=version)
        if username:
            self._client.username_pw_set(username, password)
        self._client.max_inflight_messages_set(100)
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port, keepalive=60)
        self._client.loop_start()
        assert self._connected.wait(Deadline(10).left()), "the operator's connection"

    def listen(self, topic):
        """Subscribes to a Response Topic."""
        self._subscribed.clear()
        self._client.subscribe(topic, 1)
        assert self._subscribed.wait(Deadline(10).left()), "the operator's subscription"

    def _on_message(self, _client, _userdata, message):
        correlation = getattr(getattr(message, "properties", None), "CorrelationData", None)
        with self._changed:
            self.responses.append(Response(message.topic, parse(message.payload), correlation))
            self._changed.notify_all()

    def wait(self, condition, seconds=10):
        """Until a response for which it holds has come."""
        deadline = Deadline(seconds)
        with self._changed:
            while not any(condition(response) for response in self.responses):
                if deadline.over():
                    raise TooLate(f"no such response; there are {[r.topic for r in self.responses]}")
                self._changed.wait(deadline.left())

    def wait_responses(self, count, seconds=10):
        deadline = Deadline(seconds)
        with self._changed:
            while len(self.responses) < count:
                if deadline.over():
                    raise TooLate(f"{len(self.responses)} of {count} responses within {seconds} s")
                self._changed.wait(deadline.left())
            return list(self.responses)

    # ---- sending ----

    def send(self, target, payload="", qos=1, retain=False, replies=1, response=None, correlation=None, wait=True):
        """Publishes below cmd/; a dict is sent as JSON. `replies`: how many are due (0: it is to get lost).
        Returns a mark in the record, from before."""
        mark = self.recorder.mark()
        self.expected[reply_topic(target)] += replies
        self.raw("cmd/" + target, payload, qos, retain, response, correlation, wait)
        return mark

    def raw(self, topic, payload="", qos=1, retain=False, response=None, correlation=None, wait=True):
        """Publishes on any topic below the root, and counts nothing."""
        if isinstance(payload, dict):
            payload = json.dumps(payload)
        properties = None
        if response or correlation:
            properties = Properties(PacketTypes.PUBLISH)
            if response:
                properties.ResponseTopic = response
            if correlation:
                properties.CorrelationData = correlation
        sent = self._client.publish(f"{self.root}/{topic}", payload, qos=qos, retain=retain, properties=properties)
        if wait:
            sent.wait_for_publish(Deadline(10).left())
            assert sent.is_published(), f"the broker did not take {topic}"
        return sent

    def ask(self, target, payload="", seconds=10, **how):
        """Sends, and returns the next reply on its topic (with the same id, if it has one)."""
        mark = self.send(target, payload, **how)
        ident = payload.get("id") if isinstance(payload, dict) else None
        return self.reply(target, mark, ident if isinstance(ident, str) else None, seconds)

    def reply(self, target, since=0, ident=None, seconds=10):
        return json.loads(self.reply_text(target, since, ident, seconds))

    def reply_text(self, target, since=0, ident=None, seconds=10):
        """The first reply after the mark, as it came."""
        topic = f"{self.root}/{reply_topic(target)}"
        return self.recorder.wait(
            lambda m: m.topic == topic and (topic, m.payload) not in self._maybe_again
            and (ident is None or json.loads(m.payload).get("id") == ident),
            seconds, f"a reply to {target} {ident or ''}", since).payload

    # ---- counting ----

    def replies(self, target=None):
        """All that came, in their order."""
        return [json.loads(m.payload) for m in self._replies() if target is None
                or m.topic == f"{self.root}/{reply_topic(target)}"]

    def _replies(self):
        head = f"{self.root}/reply/"
        found, once = [], set()
        for message in self.recorder.messages(self.since):
            key = (message.topic, message.payload)
            if message.topic.startswith(head) and key not in once:
                found.append(message)
                once |= {key} & self._maybe_again
        return found

    def killed(self):
        """The gateway did not end well: replies that are here already may come once more, word for word (they
        are published at QoS 1)."""
        self._maybe_again = {(m.topic, m.payload) for m in self._replies()}

    def _count(self):
        return collections.Counter(m.topic[len(self.root) + 1:] for m in self._replies())

    def check(self, seconds=15, ping=True):
        """Exactly one reply for each command. With `ping` the gateway's answer to a last one is the end: what
        came twice would have come before it."""
        deadline = Deadline(seconds)
        expected = +self.expected
        while any(self._count()[topic] < count for topic, count in expected.items()):
            if deadline.over():
                raise TooLate(f"replies: {dict(self._count())}, due: {dict(expected)}")
            time_left = min(0.05, deadline.left())
            with self._changed:
                self._changed.wait(time_left)
        if ping:
            self.ask("gateway/ping")
            expected = +self.expected
        assert self._count() == expected, "not one reply for each command"

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()
