# SPDX-License-Identifier: MIT
"""It fits the head: functions of at most 60 lines and 12 branches, files of at most 450 lines.

Branches are measured as the cyclomatic complexity that pmccabe prints, which is one more than the branches.
"""
import collections
import statistics
import subprocess

import pytest

import tree

MOST_LINES = 60
MOST_COMPLEXITY = 12
MOST_FILE_LINES = 450

# A limit may be raised here, for one function or file, with the reason. A row that is not needed fails.
#   "folder/file.c:function": (lines, complexity, "why it reads better in one piece")
LARGER_FUNCTIONS = {}
#   "folder/file.c": (lines, "why")
LARGER_FILES = {}

Function = collections.namedtuple("Function", "path line name lines complexity")


def functions(root, paths):
    """What pmccabe counts: a switch counts once however many cases it has; &&, || and ?: count."""
    if not paths:
        return []
    output = subprocess.run(["pmccabe", *map(str, paths)], cwd=root, check=True, capture_output=True, text=True).stdout
    found = []
    for row in output.splitlines():
        complexity, _, _, first, lines, rest = row.split("\t")
        place, name = rest.rsplit(": ", 1)
        found.append(Function(place.split("(")[0], int(first), name, int(lines), int(complexity)))
    return found


def measured(root):
    """Product and simulator: the code of the tests themselves may tell long stories."""
    return [path for path in tree.c_files(root)
            if path.suffix == ".c" and (path.parts[0] != "tests" or path.parts[1] == "sim")]


def check_functions(root, larger):
    problems, used = [], set()
    for function in functions(root, measured(root)):
        key = f"{function.path}:{function.name}"
        lines, complexity = larger[key][:2] if key in larger else (MOST_LINES, MOST_COMPLEXITY)
        if function.lines > MOST_LINES or function.complexity > MOST_COMPLEXITY:
            used.add(key)
        where = f"{function.path}:{function.line}: {function.name}"
        if function.lines > lines:
            problems.append(f"{where} has {function.lines} lines, more than {lines}")
        if function.complexity > complexity:
            problems.append(f"{where} has complexity {function.complexity}, more than {complexity}")
    return problems + [f"{key}: its exception is not needed" for key in larger if key not in used]


def check_files(root, larger):
    problems, used = [], set()
    for path in tree.files(root):
        if not tree.is_source(path, root):
            continue
        lines = tree.text(path, root).count("\n")
        key = path.as_posix()
        if lines > MOST_FILE_LINES:
            used.add(key)
        if lines > (larger[key][0] if key in larger else MOST_FILE_LINES):
            problems.append(f"{path}: {lines} lines, more than {larger.get(key, [MOST_FILE_LINES])[0]}")
    return problems + [f"{key}: its exception is not needed" for key in larger if key not in used]


def test_functions_fit_the_head(measure):
    problems = check_functions(tree.ROOT, LARGER_FUNCTIONS)
    lengths = [function.lines for function in functions(tree.ROOT, measured(tree.ROOT))]
    if lengths:
        measure(f"functions: {len(lengths)}, median {statistics.median(lengths):g} lines, longest {max(lengths)}")
    assert not problems, tree.said(problems)


def test_files_fit_the_head():
    problems = check_files(tree.ROOT, LARGER_FILES)
    assert not problems, tree.said(problems)


def test_every_exception_has_a_reason():
    for key, row in {**LARGER_FUNCTIONS, **LARGER_FILES}.items():
        assert len(row[-1].split()) >= 5, f"{key}: say in a sentence why it may be larger"


@pytest.mark.parametrize("body, expected", [
    ("    n++;\n" * 60, "has 63 lines"),
    ("    if (n) n--;\n" * 12, "has complexity 13"),
])
def test_self_a_large_function_is_seen(tmp_path, body, expected):
    tree.write(tmp_path, "core/a.c", "int f(int n)\n{\n" + body + "}\n")
    problems = check_functions(tmp_path, {})
    assert len(problems) == 1 and "core/a.c:1: f has" in problems[0], problems
    larger = {"core/a.c:f": (70, 20, "a reason of at least five words")}
    assert check_functions(tmp_path, larger) == []


def test_self_a_needless_exception_is_seen(tmp_path):
    tree.write(tmp_path, "core/a.c", "int f(void)\n{\n    return 1;\n}\n")
    assert "not needed" in check_functions(tmp_path, {"core/a.c:f": (70, 20, "why")})[0]
    assert "not needed" in check_files(tmp_path, {"core/a.c": (500, "why")})[0]


def test_self_a_large_file_is_seen(tmp_path):
    tree.write(tmp_path, "core/a.c", "int x;\n" * 451)
    assert check_files(tmp_path, {}) == ["core/a.c: 451 lines, more than 450"]
