# SPDX-License-Identifier: MIT
"""What stands in every file, and what stands in none."""
import re

import pytest

import tree

# Calls that are never right here: (what, where it is allowed all the same, why). Tests and simulator included.
BANNED = [
    (r"\b(sleep|usleep)\s*\(", [], "wait for an event with a deadline"),
    (r"\b(strcpy|strcat|sprintf|vsprintf|gets)\s*\(", [], "it has no bound"),
    (r"\bstrtok\s*\(", [], "it keeps state between calls"),
    (r"\b(atoi|atol|atoll|atof)\s*\(", [], "it takes anything for a number"),
    (r"\b(system|popen)\s*\(", [], "no shell"),
    (r"\btypedef\s+struct\b", [], "a struct is called a struct"),
]

# The same for the product alone. (config/arena.c ends the process when memory runs out while loading.)
BANNED_IN_PRODUCT = [
    (r"\b(exit|_exit|_Exit|quick_exit)\s*\(", [r"gateway/main\.c", r"gateway/cli\w*\.c"], "nobody below main exits"),
    (r"\babort\s*\(", [r"core/base\.c", r"config/arena\.c"], "a bug ends in rh_assert, nothing else does"),
    (r"\bpthread_(mutex|cond|rwlock|spin)\w*", [r"core/ring\.c"], "threads meet only in rings"),
    (r"\b(nanosleep|clock_nanosleep)\s*\(", [r"core/clock\.c"], "only the clock may wait for a time"),
    (r"\brh_log\w*\s*\(", [r"core/log\.[ch]", r"gateway/\w+\.[ch]"], "library code does not log"),
    (r"\b(stdout|stderr)\b", [r"core/(base|log)\.c", r"config/arena\.c", r"gateway/\w+\.c"], "library code does not print"),
    (r"\bassert\s*\(", [], "use rh_assert, which is on in release too"),
]

LATER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

# Tests and tools wait for events, with a deadline: in Python and in shell too.
SCRIPT_SLEEP = re.compile(r"\b(?:time|asyncio)\.sleep\s*\(|^\s*(?:while .*; do )?sleep\s+[\d\"$]", re.MULTILINE)

# Paths of a developer's machine, and hosts that serve packages: neither may be named in the tree.
MACHINE_PATH = re.compile(r"(?<![\w.~$}-])/(home|Users|work|root)/[\w.]")
PACKAGE_HOST = re.compile(
    r"\b(pypi\.org|pythonhosted\.org|npmjs\.\w+|yarnpkg\.com|crates\.io|proxy\.golang\.org|rubygems\.org|"
    r"(deb|ftp|security|snapshot)[\w.-]*\.debian\.org|archive\.ubuntu\.com|archive\.raspberrypi\.\w+|"
    r"repo1?\.maven\.\w+|artifactory|nexus)\b", re.IGNORECASE)


def check_calls(root=tree.ROOT):
    problems = []
    for path in tree.c_files(root):
        rules = BANNED + (BANNED_IN_PRODUCT if path.parts[0] in tree.FOLDERS else [])
        source = tree.code(tree.text(path, root))
        for pattern, allowed, why in rules:
            if any(re.fullmatch(place, path.as_posix()) for place in allowed):
                continue
            for match in re.finditer(pattern, source):
                what = " ".join(match.group(0).split())
                problems.append(f"{path}:{tree.line_of(source, match.start())}: {what}: {why}")
    return problems


def check_script_sleeps(root=tree.ROOT):
    problems = []
    for path in tree.files(root):
        if path.suffix in (".py", ".sh") or tree.is_script(path, root):
            source = tree.text(path, root)
            problems += [f"{path}:{tree.line_of(source, m.start())}: {m.group(0).strip()}"
                         for m in SCRIPT_SLEEP.finditer(source)]
    return problems


def check_spdx(root=tree.ROOT):
    problems = []
    for path in tree.files(root):
        if tree.is_source(path, root) or path.name in (".clang-tidy", ".editorconfig", ".gitattributes"):
            head = tree.text(path, root).split("\n")[:3]
            if not any("SPDX-License-Identifier: MIT" in line for line in head):
                problems.append(f"{path}: no SPDX line at its head")
    return problems


def check_words(pattern, root=tree.ROOT):
    problems = []
    for path in tree.files(root):
        source = (root / path).read_bytes()
        if b"\0" in source:
            continue
        source = source.decode("utf-8", "replace")
        problems += [f"{path}:{tree.line_of(source, m.start())}: {m.group(0)}" for m in pattern.finditer(source)]
    return problems


def test_no_banned_calls():
    problems = check_calls()
    assert not problems, tree.said(problems)


def test_no_sleep_in_scripts():
    problems = [problem for problem in check_script_sleeps() if "test_words.py" not in problem]
    assert not problems, tree.said(problems)


def test_spdx_line_in_every_source():
    problems = check_spdx()
    assert not problems, tree.said(problems)


@pytest.mark.parametrize("pattern", [LATER, MACHINE_PATH, PACKAGE_HOST], ids=["later", "machine", "hosts"])
def test_words_that_stand_nowhere(pattern):
    problems = [problem for problem in check_words(pattern) if not problem.startswith("tests/structure/test_words.py")]
    assert not problems, tree.said(problems)


@pytest.mark.parametrize("path, line, expected", [
    ("core/a.c", "    usleep(10);", "usleep("),
    ("tests/sim/a.c", "    sleep (1);", "sleep ("),
    ("store/a.c", "    strcpy(a, b);", "no bound"),
    ("tests/unit/core/test_a.c", "    n = atoi(text);", "takes anything"),
    ("mqtt/a.c", "    exit(1);", "nobody below main exits"),
    ("drivers/a.c", "static pthread_mutex_t lock;", "only in rings"),
    ("drivers/a.c", "    rh_log_warning(\"x\");", "does not log"),
    ("config/a.h", "typedef  struct a a;", "called a struct"),
    ("gateway/poller.c", "    clock_nanosleep(0, 0, &t, 0);", "only the clock"),
])
def test_self_banned_calls_are_seen(tmp_path, path, line, expected):
    tree.write(tmp_path, path, "\n" + line + "\n")
    problems = check_calls(tmp_path)
    assert len(problems) == 1 and f"{path}:2:" in problems[0] and expected in problems[0], problems


def test_self_words_like_banned_calls_pass(tmp_path):
    tree.write(tmp_path, "core/a.c", 'x = "sleep(1)"; /* system() */ rh_sleep_until(1); snprintf(a, n, "%c", \'"\');\n'
               "on_exit_of(1); struct system system_of; y.sleep = 1; // strcpy(\nsigset_t gets_of(void);\n")
    tree.write(tmp_path, "core/ring.c", "pthread_mutex_lock(&ring->lock);\n")
    tree.write(tmp_path, "gateway/main.c", "exit(78);\n")
    tree.write(tmp_path, "tests/sim/main.c", "exit(1);\nclock_nanosleep(0, 0, &t, 0);\n")
    assert check_calls(tmp_path) == []


def test_self_sleeps_in_scripts_are_seen(tmp_path):
    tree.write(tmp_path, "tests/e2e/a.py", "import time\n    time.sleep(0.1)\n")
    tree.write(tmp_path, "tools/a", "#!/bin/sh\nsleep 1\n")
    tree.write(tmp_path, "tools/b", "#!/bin/sh\n# sleep 1 is not used\nno_sleep 1\n")
    assert len(check_script_sleeps(tmp_path)) == 2


def test_self_missing_spdx_is_seen(tmp_path):
    tree.write(tmp_path, "tools/run", "#!/usr/bin/env bash\necho\n")
    tree.write(tmp_path, "core/a.c", "/* SPDX-License-Identifier: MIT */\n")
    assert check_spdx(tmp_path) == ["tools/run: no SPDX line at its head"]


@pytest.mark.parametrize("pattern, line", [
    (LATER, "/* TO" "DO: later */"),
    (MACHINE_PATH, "see /ho" "me/someone/railhead"),
    (MACHINE_PATH, "(/wo" "rk/main)"),
    (PACKAGE_HOST, "https://deb.deb" "ian.org/debian"),
])
def test_self_unwanted_words_are_seen(tmp_path, pattern, line):
    tree.write(tmp_path, "README.md", f"first\n{line}\n")
    assert len(check_words(pattern, tmp_path)) == 1


def test_self_wanted_words_pass(tmp_path):
    tree.write(tmp_path, "README.md", "ProtectHome, $HOME/work/x, ./work/a, build/root/, /run/railhead/ctl.sock, maxXXXX\n")
    for pattern in (LATER, MACHINE_PATH, PACKAGE_HOST):
        assert check_words(pattern, tmp_path) == []
