# SPDX-License-Identifier: MIT
"""TLS: whom the gateway trusts, how it says whom it does not and why, and its own certificate.

One authority made by openssl for the module; a mosquitto with a plain listener for the witness and a TLS one.
"""
import json
import shutil

import pytest

from certificates import Authority
from daemon import railhead
from inifile import ini
from mosquitto import Mosquitto
from plc import Plc
from press import Press
from recorder import Recorder
from waiting import free_port, until


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "ca", "Railhead Test CA")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "other", "Somebody Else CA")


@pytest.fixture
def plc():
    with Plc() as one:
        yield one


class Secured(Mosquitto):
    """A mosquitto with a second, encrypted listener; `tls_url` takes the name under which it is asked for."""

    def __init__(self, folder, pair, client_authority=None, extra=""):
        super().__init__(folder)
        self.tls_port = free_port()
        self._more = [extra]
        if client_authority:
            self._more += [f"cafile {client_authority.cert}", "require_certificate true",
                           "use_identity_as_username true"]
        self.use(pair)

    def use(self, pair):
        """Takes this certificate and key from the next start on."""
        cert, key = pair
        lines = [f"listener {self.tls_port} 127.0.0.1", f"certfile {cert}", f"keyfile {key}", *self._more]
        self.extra = "\n".join(lines)

    def tls_url(self, host="localhost"):
        return f"mqtts://{host}:{self.tls_port}"

    def users_seen(self):
        return [line.rpartition(" u'")[2].partition("'")[0] for line in self.log().splitlines()
                if "New client connected" in line and "railhead-gw" in line and " u'" in line]


def good_pair(authority):
    return authority.issue("broker", "broker", "DNS:localhost,IP:127.0.0.1")


@pytest.mark.sanitizer
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_broker_with_a_good_certificate_gets_everything(tmp_path, authority, plc, start, store, host):
    with Secured(tmp_path / "broker", good_pair(authority)) as broker, Recorder(broker.port) as recorder:
        start(ini(broker.tls_url(host), store, plc.body(), mqtt={"ca_file": authority.cert}))
        assert recorder.wait_status("online")["tls"] is True
        recorder.wait_reading("press", "level")


def test_in_plain_text_the_status_says_so(broker, recorder, plc, start, store):
    start(ini(broker.url, store, plc.body()))
    assert recorder.wait_status("online")["tls"] is False


def pairs(kind, authority, stranger):
    return {
        "wrong host": lambda: authority.issue("elsewhere", "elsewhere", "DNS:broker.example,DNS:other.example"),
        "common name only": lambda: authority.issue("named", "broker.example"),
        "unknown CA": lambda: good_pair(stranger),
        "expired": lambda: authority.issue("old", "localhost", "DNS:localhost,IP:127.0.0.1", expired=True),
    }[kind]()


@pytest.mark.sanitizer
@pytest.mark.parametrize("kind, host, said", [
    ("wrong host", "localhost", r"not for the host name localhost.*broker\.example"),
    ("wrong host", "127.0.0.1", r"not for the host name 127\.0\.0\.1.*broker\.example"),
    ("common name only", "localhost", r"not for the host name localhost.*broker\.example"),
    ("unknown CA", "localhost", r"unknown CA: Somebody Else CA"),
    ("expired", "localhost", r"expired on 2020-02-01"),
])
def test_a_broker_that_is_not_who_it_should_be_is_refused_and_the_log_says_why(
        tmp_path, authority, stranger, plc, start, store, kind, host, said):
    with Secured(tmp_path / "broker", pairs(kind, authority, stranger)) as broker, Recorder(broker.port) as recorder:
        gateway = start(ini(broker.tls_url(host), store, plc.body(), mqtt={"ca_file": authority.cert}))
        gateway.wait_log(said, 15)
        until(lambda: len(plc.requests) > 10, 10, "polling goes on")
        assert not recorder.messages(topic="status") and not broker.users_seen()
        assert gateway.running()
        # When the right one is there it connects by itself.
        broker.stop()
        broker.use(good_pair(authority))
        broker.start()
        assert recorder.wait_status("online", 20)["tls"] is True


def test_without_ca_file_the_system_knows_no_test_authority(tmp_path, authority, plc, start, store):
    with Secured(tmp_path / "broker", good_pair(authority)) as broker:
        gateway = start(ini(broker.tls_url(), store, plc.body()))
        gateway.wait_log("unknown CA", 15)


def test_a_ca_file_that_became_unusable_is_named(tmp_path, authority, plc, start, store):
    with Secured(tmp_path / "broker", good_pair(authority)) as broker, Recorder(broker.port) as recorder:
        ca = tmp_path / "ca.pem"
        shutil.copy(authority.cert, ca)
        gateway = start(ini(broker.tls_url(), store, plc.body(), mqtt={"ca_file": ca}))
        recorder.wait_status("online")
        ca.unlink()
        broker.stop()
        mark = gateway.mark()
        broker.start()
        gateway.wait_log("ca.pem", 20, since=mark)
        shutil.copy(authority.cert, ca)
        mark = recorder.mark()
        recorder.wait_status("online", 20, since=mark)


def test_a_broker_that_speaks_no_tls_is_named(broker, authority, plc, start, store):
    gateway = start(ini(f"mqtts://localhost:{broker.port}", store, plc.body(), mqtt={"ca_file": authority.cert}))
    gateway.wait_log("TLS", 20)


@pytest.mark.parametrize("version", ["tlsv1.2", "tlsv1.3"])
def test_tls_1_2_and_1_3_are_spoken(tmp_path, authority, plc, start, store, version):
    with Secured(tmp_path / "broker", good_pair(authority), extra=f"tls_version {version}") as broker, \
            Recorder(broker.port) as recorder:
        start(ini(broker.tls_url(), store, plc.body(), mqtt={"ca_file": authority.cert}))
        recorder.wait_status("online")


# ---- the gateway's own certificate ----

def test_a_client_certificate_is_shown_where_it_is_demanded(tmp_path, authority, plc, start, store):
    cert, key = authority.issue("client", "hamburg-02")
    with Secured(tmp_path / "broker", good_pair(authority), authority) as broker, Recorder(broker.port) as recorder:
        keys = {"ca_file": authority.cert, "cert_file": cert, "key_file": key}
        start(ini(broker.tls_url(), store, plc.body(), mqtt=keys))
        recorder.wait_status("online")
        recorder.wait_reading("press", "level")
        assert broker.users_seen() == ["hamburg-02"]


def test_without_the_client_certificate_that_is_demanded_the_log_says_so(tmp_path, authority, plc, start, store):
    with Secured(tmp_path / "broker", good_pair(authority), authority) as broker, Recorder(broker.port) as recorder:
        gateway = start(ini(broker.tls_url(), store, plc.body(), mqtt={"ca_file": authority.cert}))
        gateway.wait_log("client certificate", 15)
        assert not recorder.messages(topic="status")


def test_a_client_certificate_of_an_unknown_authority_is_refused_and_the_log_says_so(
        tmp_path, authority, stranger, plc, start, store):
    cert, key = stranger.issue("client", "hamburg-02")
    with Secured(tmp_path / "broker", good_pair(authority), authority) as broker:
        keys = {"ca_file": authority.cert, "cert_file": cert, "key_file": key}
        gateway = start(ini(broker.tls_url(), store, plc.body(), mqtt=keys))
        gateway.wait_log("refuses the client certificate", 15)


@pytest.mark.sanitizer
def test_a_rotated_client_certificate_is_taken_up_at_the_next_connect(tmp_path, authority, plc, start, store):
    cert, key = tmp_path / "client.pem", tmp_path / "client.key"

    def rotate(name):
        for made, here in zip(authority.issue(name, name), (cert, key)):
            fresh = here.with_suffix(".new")
            shutil.copy(made, fresh)
            fresh.chmod(0o600)
            fresh.replace(here)

    rotate("first")
    with Secured(tmp_path / "broker", good_pair(authority), authority) as broker, Recorder(broker.port) as recorder:
        keys = {"ca_file": authority.cert, "cert_file": cert, "key_file": key}
        gateway = start(ini(broker.tls_url(), store, plc.body(), mqtt=keys))
        recorder.wait_status("online")
        rotate("second")
        before = gateway.pid
        broker.stop()
        mark = recorder.mark()
        broker.start()
        recorder.wait_status("online", 20, since=mark)
        assert broker.users_seen()[0] == "first" and broker.users_seen()[-1] == "second"
        assert gateway.pid == before and gateway.running()


# ---- what the configuration does not let pass ----

def check(tmp_path, store, plc, broker, **mqtt):
    file = tmp_path / "railhead.ini"
    file.write_text(ini(broker, store, plc.body(), mqtt=mqtt))
    return railhead("check", "-c", file)


def test_a_key_that_everybody_can_read_is_an_error(tmp_path, authority, plc, store):
    cert, key = authority.issue("loose", "loose")
    keys = {"ca_file": authority.cert, "cert_file": cert, "key_file": key}
    assert check(tmp_path, store, plc, "mqtts://localhost", **keys).returncode == 0
    key.chmod(0o644)
    found = check(tmp_path, store, plc, "mqtts://localhost", **keys)
    assert found.returncode == 78 and str(key) in found.stderr and "everybody" in found.stderr
    run = railhead("run", "-c", tmp_path / "railhead.ini")
    assert run.returncode == 78


@pytest.mark.parametrize("change, said", [
    ({"key_file": None}, "needs key_file"), ({"cert_file": None}, "needs cert_file"),
    ({"ca_file": "/nowhere/ca.pem"}, "cannot be read"), ({"cert_file": "KEY"}, "no certificate"),
    ({"key_file": "CERT"}, "no private key"),
])
def test_files_that_do_not_fit_are_errors(tmp_path, authority, plc, store, change, said):
    cert, key = authority.issue("fit", "fit")
    keys = {"ca_file": authority.cert, "cert_file": cert, "key_file": key}
    change = {name: {"CERT": cert, "KEY": key}.get(value, value) for name, value in change.items()}
    found = check(tmp_path, store, plc, "mqtts://localhost", **{**keys, **change})
    assert found.returncode == 78 and said in found.stderr, found.stderr


@pytest.mark.parametrize("broker, tls, code", [
    ("mqtt://192.0.2.7", None, 78), ("mqtt://broker.example", None, 78), ("mqtt://[2001:db8::1]", None, 78),
    ("mqtt://192.0.2.7", "auto", 78), ("mqtt://192.0.2.7", "yes", 78), ("mqtt://127.0.0.1.example.com", None, 78),
    ("mqtt://192.0.2.7", "no", 0), ("mqtt://127.0.0.1", None, 0), ("mqtt://127.9.9.9", None, 0),
    ("mqtt://localhost", None, 0), ("mqtt://[::1]", None, 0), ("mqtts://192.0.2.7", None, 0),
    ("mqtt://localhost, mqtt://192.0.2.7", None, 78), ("mqtt://127.0.0.1", "yes", 78), ("mqtts://localhost", "no", 78),
])
def test_plain_text_to_other_machines_must_be_said_aloud(tmp_path, plc, store, broker, tls, code):
    found = check(tmp_path, store, plc, broker, tls=tls)
    assert found.returncode == code, found.stderr
    if code and "localhost" not in broker:
        assert "tls" in found.stderr.lower()


def test_no_secret_is_logged_or_dumped(tmp_path, authority, plc, start, store):
    cert, key = authority.issue("quiet", "quiet")
    password = tmp_path / "password"
    password.write_text("correct-horse-battery\n")
    password.chmod(0o600)
    with Secured(tmp_path / "broker", good_pair(authority), authority) as broker, Recorder(broker.port) as recorder:
        keys = {"ca_file": authority.cert, "cert_file": cert, "key_file": key, "username": "u",
                "password_file": password}
        gateway = start(ini(broker.tls_url(), store, plc.body(), mqtt=keys))
        recorder.wait_status("online")
        dump = railhead("config", "--dump", "-c", gateway.file)
        for text in (gateway.log(), dump.stdout, dump.stderr, *(m.payload.decode() for m in recorder.messages())):
            assert "correct-horse" not in text and "PRIVATE KEY" not in text


# ---- throughput ----

def drained(recorder, count, gateway):
    """Messages per second from the connect on, over a backlog of `count`."""
    messages = recorder.wait_count("data", count, 60)[:count]
    times = [m.at for m in messages]
    assert gateway.running()
    return count / (times[-1] - times[0])


def test_a_backlog_is_drained_over_tls_beside_plain_text(tmp_path, authority, sim, start, store, capsys):
    press = Press(sim)
    away = free_port()
    keep = {"commit_interval": "10ms"}

    def config(url, at, enabled="yes", **mqtt):
        body = press.body(interval="10ms").replace("driver =", f"enabled = {enabled}\ndriver =", 1)
        return ini(url, at, body, mqtt={"qos": 1, **mqtt}, keep=keep)

    with Secured(tmp_path / "broker", good_pair(authority)) as broker:
        gateway = start(config(f"mqtt://127.0.0.1:{away}", store))
        until(lambda: press.requests() > 3000, 30, "a backlog")
        assert gateway.stop() == 0
        rates = {}
        for name, url in (("plain", broker.url), ("tls", broker.tls_url())):
            folder = tmp_path / name
            folder.mkdir()
            for file in store.parent.glob(store.name + "*"):
                shutil.copy(file, folder / file.name)
            with Recorder(broker.port, name=name, topic="railhead/#") as recorder:
                one = start(config(url, folder / store.name, "no", ca_file=authority.cert), folder=name + "-gateway")
                rates[name] = drained(recorder, 300, one)
                assert one.stop() == 0
    with capsys.disabled():
        print("\n" + json.dumps({"drained_per_s": {k: round(v) for k, v in rates.items()},
                                 "tls_to_plain": round(rates["tls"] / rates["plain"], 2)}))
    assert rates["tls"] > 50
