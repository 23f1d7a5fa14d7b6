# SPDX-License-Identifier: MIT
"""A durable subscriber that writes down everything it gets: the witness of the end-to-end tests.

MQTT 5, QoS 2, clean start off: what the broker accepted arrives here exactly once, across restarts of
the broker. Every message carries its monotonic time of arrival.
"""
import collections
import json
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from waiting import Deadline, TooLate

Message = collections.namedtuple("Message", "at topic payload retain qos")
Reading = collections.namedtuple("Reading", "dev point value t seq epoch at")


class Recorder:
    def __init__(self, port, topic="#", name="recorder", username=None, password=None, qos=2):
        self.topic = topic
        self.qos = qos
        self._messages = []
        self._changed = threading.Condition()
        self._subscribed = False
        self._client = mqtt.Client(name, protocol=mqtt.MQTTv5)
        if username:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(0.05, 0.2)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 3600
        properties.ReceiveMaximum = 1000
        self._client.connect("127.0.0.1", port, keepalive=60, clean_start=False, properties=properties)
        self._client.loop_start()
        self._wait(lambda: self._subscribed, 10, "the recorder's subscription")

    def _on_connect(self, client, _userdata, _flags, _reason, _properties):
        # After a restart of the broker the subscription may be gone; asking again brings no second copy
        # of retained messages (retain handling 1).
        client.subscribe(self.topic, options=SubscribeOptions(qos=self.qos, retainHandling=1))

    def _on_subscribe(self, *_):
        with self._changed:
            self._subscribed = True
            self._changed.notify_all()

    def _on_message(self, _client, _userdata, message):
        entry = Message(time.monotonic(), message.topic, bytes(message.payload), message.retain, message.qos)
        with self._changed:
            self._messages.append(entry)
            self._changed.notify_all()

    def _wait(self, condition, seconds, what):
        deadline = Deadline(seconds)
        with self._changed:
            while True:
                value = condition()
                if value:
                    return value
                if deadline.over():
                    raise TooLate(f"{what}: not within {seconds} s; {len(self._messages)} messages so far")
                self._changed.wait(deadline.left())

    def mark(self):
        """A place in the record; `since=` of the other calls takes it."""
        with self._changed:
            return len(self._messages)

    def messages(self, since=0, topic=None):
        """`topic` is the end of a topic, or a part of it between slashes."""
        with self._changed:
            return [m for m in self._messages[since:] if topic is None or _fits(m.topic, topic)]

    def wait(self, condition, seconds, what="a message", since=0):
        """The first message after `since` for which condition(message) holds."""
        seen = since

        def look():
            nonlocal seen
            while seen < len(self._messages):
                message = self._messages[seen]
                seen += 1
                if condition(message):
                    return message
            return None

        return self._wait(look, seconds, what)

    def wait_count(self, topic, count, seconds, since=0):
        """Waits until `count` messages on the topic have come since the mark; returns them."""
        seen, found = since, []

        def look():
            nonlocal seen
            while seen < len(self._messages):
                if _fits(self._messages[seen].topic, topic):
                    found.append(self._messages[seen])
                seen += 1
            return len(found) >= count

        self._wait(look, seconds, f"{count} messages on {topic}")
        return found

    def wait_status(self, state, seconds=15, since=0, reason=None):
        """The gateway's `status` with this state."""
        def fits(message):
            if not message.topic.endswith("/status"):
                return False
            status = json.loads(message.payload)
            return status["state"] == state and (reason is None or status.get("reason") == reason)

        return json.loads(self.wait(fits, seconds, f"status {state} {reason or ''}", since).payload)

    def wait_reading(self, dev, point, seconds=10, since=0, value=None):
        """The first reading of a point (with this value, if given) after the mark."""
        def fits(message):
            return any(r.dev == dev and r.point == point and (value is None or r.value == value)
                       for r in readings_of([message]))

        message = self.wait(fits, seconds, f"a reading of {dev}.{point} {'' if value is None else value}", since)
        return next(r for r in readings_of([message])
                    if r.dev == dev and r.point == point and (value is None or r.value == value))

    def readings(self, dev=None, point=None, since=0):
        return [r for r in readings_of(self.messages(since))
                if (dev is None or r.dev == dev) and (point is None or r.point == point)]

    def retained(self, topic):
        """The newest payload on a topic, as JSON where it is JSON."""
        found = self.messages(topic=topic)
        return parse(found[-1].payload) if found else None

    def quiet(self, seconds, topic=None):
        """Waits until nothing new came on the topic for `seconds`."""
        deadline = Deadline(60)
        while not deadline.over():
            count = len(self.messages(topic=topic))
            with self._changed:
                self._changed.wait_for(
                    lambda c=count: sum(topic is None or _fits(m.topic, topic) for m in self._messages) > c, seconds)
            if len(self.messages(topic=topic)) == count:
                return
        raise TooLate(f"{topic or 'the broker'} never fell silent")

    def publish(self, topic, payload, retain=False):
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _fits(topic, part):
    return topic.endswith("/" + part) or f"/{part}/" in topic or topic == part


def parse(payload):
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")


def batches_of(messages):
    """(message, document) of every json data message."""
    found = []
    for message in messages:
        if message.payload[:1] == b"{" and b'"readings"' in message.payload:
            found.append((message, json.loads(message.payload)))
    return found


def readings_of(messages):
    """Every good value, in the order of arrival."""
    for message, batch in batches_of(messages):
        for scan in batch["readings"]:
            for point, value in scan.get("v", {}).items():
                yield Reading(batch["dev"], point, value, scan["t"], batch["seq"], batch["epoch"], message.at)


def qualities_of(messages):
    """(dev, point, quality) in the order of arrival."""
    for _message, batch in batches_of(messages):
        for scan in batch["readings"]:
            for point, quality in scan.get("q", {}).items():
                yield batch["dev"], point, quality
