# SPDX-License-Identifier: MIT
"""tools/deps and tools/test do what they say, tried on stand-ins: no package is installed, no real test runs."""
import json
import os
import shutil
import subprocess

import pytest

import tree

# What tools/deps may call besides the package manager.
PLAIN = ["bash", "env", "dirname", "awk", "sed", "sort", "comm", "cat", "grep"]


@pytest.fixture
def system(tmp_path):
    """A PATH of stand-ins: system(missing=…, root=…, sudo=…, debian=…) makes it and returns a runner of tools/deps."""
    folder = tmp_path / "bin"
    folder.mkdir()
    called = tmp_path / "called"
    called.touch()

    def stand_in(name, body):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def make(missing=(), root=True, sudo=False, debian=True, apt_status=0):
        for name in PLAIN:
            (folder / name).symlink_to(shutil.which(name))
        stand_in("id", f"echo {0 if root else 1000}")
        if sudo:
            stand_in("sudo", f'echo "sudo $*" >>{called}; exec "$@"')
        if debian:
            skip = "|".join(missing) or "-"
            stand_in("dpkg-query", 'shift 2\nfor p; do case $p in ' + skip + ') ;; *) echo "installed $p" ;; esac; done')
            stand_in("apt-get", f'echo "apt-get $*" >>{called}; exit {apt_status}')

        def run(*arguments):
            result = subprocess.run([tree.ROOT / "tools/deps", *arguments], env={"PATH": str(folder)}, timeout=20,
                                    capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
            return result, called.read_text("utf-8").splitlines()
        return run
    return make


def test_deps_with_all_there_calls_nobody(system):
    result, called = system()()
    assert result.returncode == 0 and not called, result.stderr


def test_deps_installs_what_is_missing_and_nothing_else(system):
    result, called = system(missing=["cmake", "mosquitto"])()
    assert result.returncode == 0, result.stderr
    assert [line.split()[-1] for line in called[:1]] == ["update"] and len(called) == 2
    assert "--no-install-recommends" in called[1] and called[1].endswith(" cmake mosquitto")


def test_deps_of_one_group(system):
    result, called = system(missing=["cmake", "mosquitto"])("build")
    assert result.returncode == 0 and called[1].endswith(" cmake")


def test_deps_uses_sudo(system):
    result, called = system(missing=["cmake"], root=False, sudo=True)()
    assert result.returncode == 0, result.stderr
    assert called[0].startswith("sudo ")


@pytest.mark.parametrize("how, expected", [
    ({"missing": ["cmake"], "root": False}, "neither root nor sudo"),
    ({"debian": False}, "not a Debian system"),
    ({"missing": ["cmake"], "apt_status": 100}, "could not install: cmake"),
])
def test_deps_says_what_to_do(system, how, expected):
    result, _ = system(**how)()
    assert result.returncode == 1 and expected in result.stderr and "cmake" in result.stderr


def test_deps_check_changes_nothing(system):
    result, called = system(missing=["cmake"])("--check")
    assert result.returncode == 1 and "cmake" in result.stderr and not called


E2E = """\
import os, pytest, signal
def test_good(): assert os.path.exists(os.environ["RAILHEAD_BUILD"])
def test_ctrl_c_works(): assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
@pytest.mark.skip(reason="no moon | no stars")
def test_skipped(): pass
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.25)
project(tiny C)
add_executable(railhead main.c)
enable_testing()
add_test(NAME unit.one COMMAND railhead)
"""


@pytest.fixture
def tiny(tmp_path):
    """A tree with the real tools/test in it, and next to nothing else."""
    for name in ("test", "lib.sh"):
        tree.write(tmp_path, f"tree/tools/{name}", tree.text(f"tools/{name}"))
    tree.write(tmp_path, "tree/tools/deps", "#!/bin/sh\nexit 0\n")
    tree.write(tmp_path, "tree/CMakeLists.txt", CMAKE)
    tree.write(tmp_path, "tree/main.c", "int main(void)\n{\n    return 0;\n}\n")
    tree.write(tmp_path, "tree/tests/e2e/test_tiny.py", E2E)
    for name in ("test", "deps"):
        (tmp_path / "tree/tools" / name).chmod(0o755)

    def run(*arguments):
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("RAILHEAD_", "PYTEST_"))}
        result = subprocess.run([tmp_path / "tree/tools/test", "--build", tmp_path / "build", *arguments], timeout=60,
                                env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        return result.returncode, result.stdout.splitlines()
    return tmp_path / "tree", run


def test_test_adds_up(tiny, tmp_path):
    _, run = tiny
    status, lines = run("--stage", "unit", "--stage", "e2e", "--stage", "demo", "--json", tmp_path / "result.json")
    assert status == 0 and lines[-1] == "3 passed, 0 failed, 2 skipped", "\n".join(lines)
    assert any(line.split(None, 1) == ["e2e", "no moon | no stars"] for line in lines)
    assert any("there is no tools/demo" in line for line in lines)
    assert "\x1b" not in "".join(lines), "colour in a pipe"
    result = json.loads((tmp_path / "result.json").read_text("utf-8"))
    assert [stage["name"] for stage in result["stages"]] == ["unit", "e2e", "demo"]
    assert (result["passed"], result["failed"], result["skipped"]) == (3, 0, 2)
    assert result["stages"][1]["reasons"] == ["no moon | no stars"]


def test_test_goes_on_after_a_failure_and_reports_it(tiny):
    root, run = tiny
    tree.write(root, "main.c", "int main(void)\n{\n    return 1;\n}\n")
    tree.write(root, "tests/e2e/test_tiny.py", E2E + "def test_bad(): assert 'needle' == 1\n")
    status, lines = run("--stage", "unit", "--stage", "e2e")
    assert status == 1 and lines[-1] == "2 passed, 2 failed, 1 skipped", "\n".join(lines)
    assert any("needle" in line for line in lines), "the end of the log is not shown"


def test_test_counts_a_broken_build_once_and_the_rest_as_not_run(tiny):
    root, run = tiny
    tree.write(root, "main.c", "int main(void)\n{\n    return needle;\n}\n")
    status, lines = run("--stage", "release", "--stage", "unit", "--stage", "e2e")
    assert status == 1 and lines[-1] == "0 passed, 1 failed, 2 skipped", "\n".join(lines)
    assert any(line.split() == ["e2e", "the", "build", "release", "fails"] for line in lines)
    assert any("needle" in line for line in lines)


@pytest.mark.parametrize("content", ["x = 1\n", "import no_such_module\n"], ids=["nothing", "broken"])
def test_test_fails_when_no_test_could_run(tiny, content):
    root, run = tiny
    tree.write(root, "tests/e2e/test_tiny.py", content)
    status, lines = run("--stage", "e2e")
    assert status == 1 and lines[-1] == "0 passed, 1 failed, 0 skipped", "\n".join(lines)


@pytest.mark.parametrize("arguments", [["--stage", "nonsense"], ["--stage"], ["--samples", "/nonexistent"]])
def test_test_refuses_wrong_usage(tiny, arguments):
    assert tiny[1](*arguments) == (64, [])
