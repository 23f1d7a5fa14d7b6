# SPDX-License-Identifier: MIT
"""The command line without a gateway running: check, plan, config, help, exit codes."""
import json
import re

import pytest

from daemon import railhead

VERBS = ["run", "check", "plan", "config", "status", "read", "write"]
LATER = ["scan", "read", "write", "top", "monitor", "replay", "store", "doctor", "support", "lock", "unlock",
         "cmd"]

# Each wrong line: the word that is wrong there (its first letter is the column), and what is suggested, if
# anything near exists. The other lines are right.
MISTAKES = [
    ("[gateway]", None, None),
    ("name = hall-1", None, None),
    ("[mqtt]", None, None),
    ("broker = mqtt://127.0.0.1:1883", None, None),
    ("keepalife = 10s", "keepalife", "keepalive"),
    ("qos = 3", "3", None),
    ("[store]", None, None),
    ("path = /tmp/railhead-never-opened.db", None, None),
    ("commit_interval = 5", "5", "5s"),
    ("max_size = 64XiB", "64XiB", None),
    ("[line a]", None, None),
    ("port = /dev/railhead-no-such-port", None, None),
    ("baud = 9600", None, None),
    ("  baud = 19200", "baud", None),
    ("mode = 8X1", "8X1", None),
    ("[devices]", None, None),
    ("good = a 1 -", None, None),
    ("lost = nowhere 2 -", "nowhere", None),
    ("far  = a 300 -", "300", None),
    ("[points good]", None, None),
    ("v = holding 0 f32 unit=V", None, None),
    ("w = holdin 2 u16", "holdin", "holding"),
    ("x = holding 70000 u16", "70000", None),
    ("y = holding 4 u17", "u17", "u16"),
    ("z = holding 5 u16 deadbnd=2", "deadbnd", "deadband"),
    ("[lines b]", "lines", "line"),
    ("port = /dev/x", None, None),
]


def write(folder, lines, name="railhead.ini"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def places(lines=MISTAKES):
    """{(line, column)} of every mistake; a section's is at its bracket or at its word."""
    return {(number, text.index(word) + 1): (word, suggestion)
            for number, (text, word, suggestion) in enumerate(lines, 1) if word}


@pytest.fixture
def wrong(tmp_path):
    return write(tmp_path, [text for text, _word, _suggestion in MISTAKES])


def test_every_mistake_of_a_file_is_reported_at_its_place(wrong):
    assert len(places()) >= 10
    result = railhead("check", "-c", wrong)
    assert result.returncode == 78, result.stderr
    found = {}
    for line in result.stderr.splitlines():
        match = re.match(r"(.+?):(\d+):(\d+): (error|warning): (.+)", line)
        assert match, f"not in the form editors click on: {line!r}"
        if match[4] == "error":
            assert match[1] == str(wrong)
            found[(int(match[2]), int(match[3]))] = match[5]
    assert set(found) == set(places()), found
    for place, (word, suggestion) in places().items():
        if suggestion:
            assert f'did you mean "{suggestion}"' in found[place], (word, found[place])


@pytest.mark.sanitizer
def test_check_as_json_says_the_same(wrong):
    result = railhead("check", "-c", wrong, "--json")
    assert result.returncode == 78
    errors = [e for e in json.loads(result.stdout)["errors"] if e["severity"] == "error"]
    assert {(e["line"], e["column"]) for e in errors} == set(places())
    for error in errors:
        assert set(error) == {"file", "line", "column", "severity", "message", "suggestion"}
        assert error["file"] == str(wrong)
        assert error["suggestion"] == places()[(error["line"], error["column"])][1] or \
            places()[(error["line"], error["column"])][1] is None


def test_run_refuses_the_same_file_with_the_same_exit_code(wrong):
    result = railhead("run", "-c", wrong)
    assert result.returncode == 78
    for line, column in places():
        assert f"{wrong}:{line}:{column}: " in result.stderr


GOOD = """[gateway]
name = hall-1
[mqtt]
broker = mqtt://127.0.0.1:1883
[store]
path = /tmp/railhead-never-opened.db
[line rs485]
port = /dev/railhead-no-such-port
baud = 9600
mode = 8N1
[devices]
meter = rs485 1 - interval=1s
[points meter]
{points}
"""


def test_a_good_file_passes_and_opens_nothing(tmp_path):
    path = write(tmp_path, [GOOD.format(points="v = holding 0 f32 unit=V")])
    result = railhead("check", "-c", path)
    assert result.returncode == 0, result.stderr
    result = railhead("check", "-c", path, "--json")
    assert result.returncode == 0
    assert [e for e in json.loads(result.stdout)["errors"] if e["severity"] == "error"] == []


def test_a_drop_in_is_read_and_its_mistakes_carry_its_name(tmp_path):
    path = write(tmp_path, [GOOD.format(points="v = holding 0 f32 unit=V")])
    folder = tmp_path / "railhead.d"
    folder.mkdir()
    extra = folder / "10-meter.ini"
    extra.write_text("[line rs485]\nbaudrat = 9600\n")
    result = railhead("check", "-c", path)
    assert result.returncode == 78
    assert f"{extra}:2:1: error: " in result.stderr and 'did you mean "baud"?' in result.stderr


def plan(tmp_path, points):
    path = write(tmp_path, [GOOD.format(points=points)])
    result = railhead("plan", "-c", path, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)["lines"]


def wire_ms(request, answer, baud=9600, bits=10, turnaround=5.0):
    """bus.md section 1 by hand: both frames, the slave's time, the silence, the host."""
    character = bits / baud * 1000
    return (request + answer) * character + turnaround + 3.5 * character + 0.05


def test_plan_by_hand(tmp_path):
    """Twelve registers from 0 and one coil at 9600 8N1, each second."""
    points = "\n".join(f"p{i} = holding {i} u16" for i in range(12)) + "\nc = coil 3"
    (line,) = plan(tmp_path, points)
    assert line["line"] == "rs485"
    assert line["transactions"] == 2
    blocks = {block["function"]: block for block in line["blocks"]}
    registers, coils = blocks[3], blocks[1]
    assert (registers["unit"], registers["address"], registers["count"], registers["period_ms"]) == (1, 0, 12, 1000)
    assert (coils["unit"], coils["address"], coils["count"]) == (1, 3, 1)
    assert registers["cost_ms"] == pytest.approx(wire_ms(8, 5 + 24), abs=0.01)
    assert coils["cost_ms"] == pytest.approx(wire_ms(8, 6), abs=0.01)
    total = wire_ms(8, 29) + wire_ms(8, 6)
    assert line["cycle_ms"] == pytest.approx(total, abs=0.01)
    assert line["load"] == pytest.approx(total / 1000, abs=0.001)


def test_plan_of_125_registers_and_one_more(tmp_path):
    (line,) = plan(tmp_path, "\n".join(f"p{i} = input {i} u16 every=2s" for i in range(126)))
    assert sum(block["count"] for block in line["blocks"]) == 126 and len(line["blocks"]) == 2
    assert all(block["count"] <= 125 and block["period_ms"] == 2000 for block in line["blocks"])


def test_plan_says_null_for_fastest(tmp_path):
    path = write(tmp_path, [GOOD.format(points="a = holding 0 u16").replace("interval=1s", "interval=fastest")])
    (line,) = json.loads(railhead("plan", "-c", path, "--json").stdout)["lines"]
    assert line["blocks"][0]["period_ms"] is None


def test_plan_for_people_names_blocks_and_load(tmp_path):
    path = write(tmp_path, [GOOD.format(points="v = holding 0 f32 unit=V")])
    result = railhead("plan", "-c", path)
    assert result.returncode == 0
    assert "rs485" in result.stdout and re.search(r"load", result.stdout, re.IGNORECASE)


def test_a_line_asked_for_too_much_is_warned_of(tmp_path):
    path = write(tmp_path, [GOOD.format(points="a = holding 0 u16").replace("interval=1s", "interval=10ms")])
    result = railhead("check", "-c", path)
    assert result.returncode == 0
    assert "warning" in result.stderr and "rs485" in result.stderr


def test_the_sample_is_a_commented_list_of_options():
    result = railhead("config", "--sample")
    assert result.returncode == 0
    for word in ("[gateway]", "[mqtt]", "[store]", "broker", "commit_interval", "baud"):
        assert word in result.stdout


def test_the_dump_reads_back_and_dumps_the_same(tmp_path):
    points = "v = holding 0 f32 CDAB unit=V scale=0.1 deadband=0.5\nm = holding 2 u16 enum=0:off,1:on urgent"
    path = write(tmp_path, [GOOD.format(points=points)])
    first = railhead("config", "--dump", "-c", path)
    assert first.returncode == 0, first.stderr
    assert "9600" in first.stdout and "hall-1" in first.stdout
    again = write(tmp_path, [first.stdout], "again.ini")
    second = railhead("config", "--dump", "-c", again)
    assert second.returncode == 0, second.stderr
    assert second.stdout == first.stdout


def test_the_dump_names_the_origin_of_each_value(tmp_path):
    path = write(tmp_path, [GOOD.format(points="v = holding 0 f32 unit=V")])
    result = railhead("config", "--dump", "--origin", "-c", path)
    assert result.returncode == 0
    line = next(line for line in result.stdout.splitlines() if line.strip().startswith("baud"))
    assert f"{path}:9" in line, line


def test_the_dump_hides_secrets(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    text = GOOD.format(points="v = holding 0 f32").replace(
        "[store]", f"username = u\npassword_file = {secret}\n[store]")
    path = write(tmp_path, [text])
    for arguments in (["--dump"], ["--dump", "--origin"]):
        result = railhead("config", *arguments, "-c", path)
        assert result.returncode == 0, result.stderr
        assert "hunter2" not in result.stdout


def test_a_password_file_that_everybody_reads_is_refused(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    secret.chmod(0o644)
    text = GOOD.format(points="v = holding 0 f32").replace(
        "[store]", f"username = u\npassword_file = {secret}\n[store]")
    result = railhead("check", "-c", write(tmp_path, [text]))
    assert result.returncode == 78
    assert "password" in result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(verb):
    result = railhead(verb, "--help")
    assert result.returncode == 0
    assert verb in result.stdout and result.stderr == ""


def test_the_program_explains_itself():
    result = railhead("--help")
    assert result.returncode == 0
    assert all(verb in result.stdout for verb in VERBS)
    assert railhead("--version").returncode == 0


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run", "--fast"], ["check", "-c"], *([verb] for verb in LATER)])
def test_what_it_does_not_know_is_exit_64(arguments):
    result = railhead(*arguments)
    assert result.returncode == 64
    assert result.stderr


@pytest.mark.parametrize("verb", ["check", "run", "plan"])
def test_a_file_that_is_not_there(verb, tmp_path):
    result = railhead(verb, "-c", tmp_path / "nothing.ini")
    assert result.returncode in (66, 74, 78)
    assert "nothing.ini" in result.stderr and "No such file" in result.stderr


def test_a_folder_is_no_configuration(tmp_path):
    result = railhead("check", "-c", tmp_path)
    assert result.returncode in (74, 78) and str(tmp_path) in result.stderr


@pytest.mark.parametrize("text", [b"\xff\xfe\x00garbage", b"\x00" * 4096, b"[", b"=" * 10000, b"a" * 200000,
                                  b"[gateway]\nname = \xc3\x28\n"],
                         ids=["utf-16", "zeros", "bracket", "signs", "one long word", "no utf-8"])
def test_garbage_is_refused_with_a_place(text, tmp_path):
    path = tmp_path / "railhead.ini"
    path.write_bytes(text)
    result = railhead("check", "-c", path)
    assert result.returncode == 78
    assert re.search(rf"^{re.escape(str(path))}:\d+:\d+: error: ", result.stderr, re.MULTILINE)


def test_what_is_not_built_is_an_error_not_silence(tmp_path):
    """Options and formats of later versions must not be swallowed."""
    text = GOOD.format(points="t = holding 42 time32").replace(
        "[store]", "format = sparkplug\nproxy = http://proxy:3128\n[store]")
    result = railhead("check", "-c", write(tmp_path, [text]))
    assert result.returncode == 78
    for word in ("sparkplug", "proxy", "time32"):
        assert word in result.stderr
