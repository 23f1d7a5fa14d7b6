# SPDX-License-Identifier: MIT
"""What the build leaves behind: one executable, with the defences of compiler and linker in it.

tools/test sets RAILHEAD_BUILD to the Release build with the tests, RAILHEAD_PLAIN_BUILD to one without.
"""
import os
import pathlib
import platform
import re
import subprocess

import pytest

X86 = platform.machine() in ("x86_64", "i686")


def build(variable):
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set: run by tools/test")
    if not (pathlib.Path(folder) / "railhead").is_file():
        pytest.skip(f"{variable}: the build there fails")
    return pathlib.Path(folder)


@pytest.fixture(params=["RAILHEAD_BUILD", "RAILHEAD_PLAIN_BUILD"])
def folder(request):
    return build(request.param)


def readelf(*arguments):
    return subprocess.run(["readelf", "-W", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def test_exactly_one_executable():
    root = build("RAILHEAD_PLAIN_BUILD")
    found = [path.relative_to(root).as_posix() for path in root.rglob("*")
             if path.is_file() and os.access(path, os.X_OK) and "CMakeFiles" not in path.parts]
    assert found == ["railhead"]


def test_position_independent(folder):
    assert "DYN (Position-Independent Executable file)" in readelf("-h", folder / "railhead")


def test_relocations_are_read_only(folder):
    assert "GNU_RELRO" in readelf("-l", folder / "railhead")
    dynamic = readelf("-d", folder / "railhead")
    assert re.search(r"\(FLAGS_1\).*\bNOW\b", dynamic) and re.search(r"\(FLAGS\).*\bBIND_NOW\b", dynamic)
    assert "TEXTREL" not in dynamic


def test_nothing_is_writable_and_executable(folder):
    segments = readelf("-l", folder / "railhead")
    stack = re.search(r"GNU_STACK.*", segments).group(0)
    assert " RW " in stack and "RWE" not in stack
    assert not re.search(r"LOAD .* RWE ", segments)


def test_stack_protector_and_fortify(folder):
    symbols = readelf("--dyn-syms", folder / "railhead")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk@", symbols.replace("__stack_chk_fail", "")), "no fortified call"


@pytest.mark.skipif(not X86, reason="control-flow enforcement is an x86 matter")
def test_control_flow_protection(folder):
    """In every object of ours: the linker gives the mark to the whole only where the C start files carry it,
    and those of Debian 12 do not."""
    archives = sorted(folder.glob("librh_*.a"))
    assert archives
    for archive in archives:
        notes = readelf("-n", archive)
        objects = notes.count("File: ")
        assert objects and notes.count("x86 feature: IBT, SHSTK") == objects, archive.name


def test_no_path_of_the_tree_in_assertions(folder):
    """Assertions name files from the root of the tree, so that two builds of one source compare equal."""
    root = str(pathlib.Path(__file__).resolve().parents[2])
    dump = subprocess.run(["readelf", "-p", ".rodata", str(folder / "railhead")], check=True, capture_output=True,
                          text=True, errors="replace").stdout
    paths = [line for line in dump.splitlines() if root in line and "config/profiles" not in line]
    assert not paths, paths
