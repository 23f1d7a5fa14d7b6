# SPDX-License-Identifier: MIT
"""Options of [gateway], [mqtt] and [store]: each is changed, and the difference seen from outside."""
import json

import pytest

from daemon import railhead
from inifile import ini
from options import option
from plc import Plc
from scripted import Scripted
from waiting import pass_time, until


@pytest.fixture
def plc():
    with Plc() as one:
        yield one


def first_connect(start, plc, store, mqtt=None, gateway=None):
    """The CONNECT that a gateway with these keys sends."""
    with Scripted() as broker:
        start(ini(broker.url, store, plc.body(), mqtt=mqtt, gateway=gateway))
        return broker.wait(lambda b: b.connects, 15, "a CONNECT").connects[0]


@option("gateway", "name")
def test_the_name_is_in_topics_and_payloads(broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body(), gateway={"name": "north-7"}))
    message = recorder.wait(lambda m: "/data/" in m.topic, 15)
    assert message.topic == "railhead/north-7/data/press"
    assert json.loads(message.payload)["gw"] == "north-7"


@option("gateway", "tag.")
@option("device", "tag.", "title")
def test_tags_and_titles_are_in_meta(broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body(device='tag.area=hall1 title="Chiller 2"'),
              gateway={"tag.site": "hamburg", "tag.area": "none"}))
    message = recorder.wait(lambda m: m.topic.endswith("/meta/press"), 15)
    meta = json.loads(message.payload)
    assert meta["tags"] == {"site": "hamburg", "area": "hall1"}
    assert meta["title"] == "Chiller 2" and meta["dev"] == "press" and meta["gw"] == "gw"


@option("mqtt", "broker")
def test_the_named_broker_is_connected_and_no_other(plc, start, store):
    with Scripted() as one, Scripted() as two:
        start(ini(two.url, store, plc.body()))
        two.wait(lambda b: b.connects, 15, "a CONNECT")
        assert not one.attempts


@option("mqtt", "root")
def test_the_root_is_in_every_topic(plc, start, store):
    with Scripted() as broker:
        start(ini(broker.url, store, plc.body(), mqtt={"root": "plant/{gateway}/x"}))
        broker.wait(lambda b: any("/data/" in p.topic for p in b.publishes), 15, "data")
        assert all(p.topic.startswith("plant/gw/x/") for p in broker.publishes)
        assert broker.connects[0].will[0] == "plant/gw/x/status"


@option("mqtt", "client_id")
def test_the_client_id(plc, start, store):
    assert first_connect(start, plc, store, {"client_id": "cabinet-7"}).client_id == "cabinet-7"


def test_the_client_id_unless_set(plc, start, store):
    assert first_connect(start, plc, store).client_id == "railhead-gw"


@option("mqtt", "username", "password_file")
def test_user_name_and_password(tmp_path, plc, start, store):
    secret = tmp_path / "secret"
    secret.write_text("s3cret pass\n")
    secret.chmod(0o600)
    connect = first_connect(start, plc, store, {"username": "karl", "password_file": secret})
    assert (connect.username, connect.password) == ("karl", "s3cret pass")


@option("mqtt", "qos")
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_the_quality_of_service(qos, plc, start, store):
    with Scripted() as broker:
        start(ini(broker.url, store, plc.body(), mqtt={"qos": qos}))
        broker.wait(lambda b: sum("/data/" in p.topic for p in b.publishes) > 2, 15, "data")
        assert {p.qos for p in broker.publishes if "/data/" in p.topic} == {qos}


@option("mqtt", "format")
def test_the_format_is_one_that_is_built(tmp_path, plc, start, store, broker, recorder):
    start(ini(broker.url, store, plc.body(), mqtt={"format": "json"}))
    recorder.wait_reading("press", "level")
    file = tmp_path / "other.ini"
    file.write_text(ini(broker.url, store, plc.body(), mqtt={"format": "senml"}))
    result = railhead("check", "-c", file)
    assert result.returncode == 78 and "senml" in result.stderr


@option("mqtt", "data_topic")
def test_the_data_topic(broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body(device="tag.area=hall1"),
              mqtt={"data_topic": "site/{tag.area}/{gateway}/{device}"}))
    message = recorder.wait(lambda m: m.topic.startswith("site/"), 15)
    assert message.topic == "site/hall1/gw/press" and b'"readings"' in message.payload
    assert not recorder.messages(topic="data")


@option("mqtt", "version")
@pytest.mark.parametrize("version, level", [("3.1.1", 4), ("5", 5)])
def test_the_version(version, level, plc, start, store):
    assert first_connect(start, plc, store, {"version": version}).level == level


@option("mqtt", "keepalive")
def test_the_keepalive(plc, start, store):
    assert first_connect(start, plc, store, {"keepalive": "17s"}).keepalive == 17


@option("mqtt", "session_expiry")
def test_the_session_expiry(plc, start, store):
    connect = first_connect(start, plc, store, {"session_expiry": "2h"})
    assert connect.expiry == 7200 and not connect.clean


@option("mqtt", "inflight")
@pytest.mark.parametrize("inflight", [4, 9])
def test_the_window(inflight, plc, start, store):
    with Scripted(hold=True) as broker:
        start(ini(broker.url, store, plc.body(interval="10ms"), mqtt={"inflight": inflight},
                  keep={"commit_interval": "10ms"}))
        broker.wait(lambda b: b.widest >= inflight - 1, 15, "a full window")
        pass_time(0.7)
        assert inflight - 1 <= broker.widest <= inflight, "one place is kept for the own status"


def gaps(broker, count):
    broker.wait(lambda b: len(b.attempts) > count, 20, f"{count + 1} attempts")
    return [b - a for a, b in zip(broker.attempts, broker.attempts[1:])][:count]


@option("mqtt", "backoff_min")
def test_the_shortest_backoff(plc, start, store):
    with Scripted(connack=0x88) as broker:
        start(ini(broker.url, store, plc.body(), mqtt={"backoff_min": "1500ms", "backoff_max": "10s"}))
        first, second = gaps(broker, 2)
        assert 1.1 < first < 2.4, "1.5 s and 20 % jitter"
        assert 2.2 < second < 4.4, "doubled"


@option("mqtt", "backoff_max")
def test_the_longest_backoff(plc, start, store):
    with Scripted(connack=0x88) as broker:
        start(ini(broker.url, store, plc.body(), mqtt={"backoff_min": "100ms", "backoff_max": "300ms"}))
        assert max(gaps(broker, 8)) < 0.9


@option("store", "path")
def test_the_path_of_the_store(tmp_path, plc, start):
    path = tmp_path / "elsewhere" / "readings.db"
    path.parent.mkdir()
    with Scripted() as broker:
        start(ini(broker.url, path, plc.body()))
        until(lambda: path.exists() and path.read_bytes()[:15] == b"SQLite format 3", 10, "the store")


@option("store", "durability")
def test_the_durability_is_one_that_is_built(tmp_path, plc, store):
    file = tmp_path / "railhead.ini"
    for value, code in [("strict", 0), ("balanced", 78), ("careless", 78)]:
        file.write_text(ini("mqtt://127.0.0.1:1883", store, plc.body(), keep={"durability": value}))
        result = railhead("check", "-c", file)
        assert result.returncode == code, (value, result.stderr)


@option("store", "when_full")
def test_what_happens_when_full_is_one_that_is_built(tmp_path, plc, store):
    file = tmp_path / "railhead.ini"
    for value, code in [("drop-oldest", 0), ("drop-newest", 78), ("explode", 78)]:
        file.write_text(ini("mqtt://127.0.0.1:1883", store, plc.body(), keep={"when_full": value}))
        result = railhead("check", "-c", file)
        assert result.returncode == code, (value, result.stderr)


@option("store", "commit_interval")
def test_the_commit_interval_gathers_readings(broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body(interval="50ms"), keep={"commit_interval": "2s"}))
    message = recorder.wait_count("data", 2, 15)[1]
    assert 25 <= len(json.loads(message.payload)["readings"]) <= 45


def test_a_short_commit_interval_sends_soon(broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body(interval="200ms"), keep={"commit_interval": "20ms"}))
    for message in recorder.wait_count("data", 5, 15)[1:]:
        assert len(json.loads(message.payload)["readings"]) == 1
