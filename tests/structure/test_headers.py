# SPDX-License-Identifier: MIT
"""A header stands by itself: it includes what it names, twice does no harm, and its guard is its path."""
import concurrent.futures
import functools
import re
import subprocess

import pytest

import tree

LIBRARIES = ["libserialport", "libmodbus", "sqlite3", "libsystemd", "jansson"]


@functools.lru_cache(maxsize=1)
def library_flags():
    return subprocess.run(["pkg-config", "--cflags", *LIBRARIES], check=True, capture_output=True,
                          text=True).stdout.split()


def compile_alone(path, root=tree.ROOT):
    """What gcc says about a file that holds nothing but this header, twice."""
    stub = f'#include "{path}"\n#include "{path}"\n'
    run = subprocess.run(
        ["gcc", "-std=c17", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", "-D_TIME_BITS=64", "-Wall", "-Wextra",
         "-Wpedantic", "-Werror", "-fsyntax-only", "-I", str(root), *library_flags(), "-x", "c", "-"],
        input=stub, capture_output=True, text=True, cwd=root, check=False)
    return run.stderr if run.returncode else ""


def headers():
    return [path for path in tree.c_files() if path.suffix == ".h" and path.parts[0] in tree.FOLDERS + ["tests"]
            and path.parts[:2] != ("tests", "unit")]


def test_headers_compile_alone():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        problems = [problem for problem in pool.map(compile_alone, headers()) if problem]
    assert not problems, tree.said(problems)


def test_guards_name_the_path():
    problems = []
    for path in headers():
        if path.parts[0] not in tree.FOLDERS:
            continue
        guard = "RH_" + re.sub(r"[^A-Z0-9]", "_", path.as_posix().upper())
        source = tree.code(tree.text(path))
        if not re.search(rf"^\s*#ifndef {guard}\n#define {guard}\n", source):
            problems.append(f"{path}: the guard is not {guard}")
    assert not problems, tree.said(problems)


@pytest.mark.parametrize("content", [
    "#ifndef A_H\n#define A_H\nsize_t f(void);\n#endif\n",
    "struct a {\n    int x;\n};\n",
])
def test_self_a_header_that_leans_on_others_is_seen(tmp_path, content):
    assert compile_alone(tree.write(tmp_path, "core/a.h", content), tmp_path)
