# SPDX-License-Identifier: MIT
"""What the README shows is true: its configuration is accepted, without a warning but for adapters that are not here."""
import pathlib
import re

from daemon import railhead

PAGE = pathlib.Path(__file__).resolve().parents[2] / "README.md"


def configuration():
    return re.search(r"```ini\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]


def test_the_configuration_of_the_readme_is_right(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    path = tmp_path / "railhead.ini"
    path.write_text(configuration().replace("/etc/railhead/credentials/mqtt-password", str(secret)))
    result = railhead("check", "-c", path)
    assert result.returncode == 0, result.stderr
    unexpected = [line for line in result.stderr.splitlines() if "is not there" not in line and "not connected" not in line]
    assert not unexpected, "\n".join(unexpected)


def test_the_verbs_of_the_readme_exist():
    verbs = {a or b for a, b in re.findall(r"^railhead (\w+) .*#|^railhead (status)", PAGE.read_text("utf-8"), re.MULTILINE)}
    assert {"check", "plan", "config", "run", "status"} <= verbs
    for verb in verbs:
        assert railhead(verb, "--help").returncode == 0, verb
