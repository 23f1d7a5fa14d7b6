# SPDX-License-Identifier: MIT
"""How the tree is written down: clang-format for C, and for all text what .editorconfig says."""
import subprocess

import pytest

import tree

# Recorded bytes, where a blank or a missing newline at the end may be the point.
RECORDED = ("tests/fuzz/corpus/", "tests/tapes/")


def check_format(root, paths):
    run = subprocess.run(["clang-format", "--style=file", "--dry-run", "-Werror", *map(str, paths)],
                         cwd=root, capture_output=True, text=True, check=False)
    complaints = [line for line in run.stderr.splitlines() if "error:" in line]
    return complaints or ([run.stderr] if run.returncode else [])


def check_text(path, content):
    problems = []
    if b"\0" in content or not content:
        return problems
    if not content.endswith(b"\n"):
        problems.append(f"{path}: no newline at the end")
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.endswith((b" ", b"\t", b"\r")):
            problems.append(f"{path}:{number}: blank or carriage return at the end of the line")
        if b"\t" in line:
            problems.append(f"{path}:{number}: tab")
    return problems


def test_clang_format():
    problems = check_format(tree.ROOT, tree.c_files())
    assert not problems, tree.said(problems) + "\nrun: clang-format -i FILE"


def test_blanks_and_line_ends():
    problems = []
    for path in tree.files():
        if not path.as_posix().startswith(RECORDED):
            problems += check_text(path, (tree.ROOT / path).read_bytes())
    assert not problems, tree.said(problems)


def test_shellcheck():
    scripts = [path for path in tree.files() if path.suffix == ".sh" or path.suffix == "" and tree.is_script(path)
               and "python" not in tree.text(path).splitlines()[0]]
    assert scripts
    try:
        run = subprocess.run(["shellcheck", "-x", *map(str, scripts)], cwd=tree.ROOT, capture_output=True, text=True,
                             check=False)
    except FileNotFoundError:
        pytest.skip("shellcheck is not installed (it is optional)")
    assert run.returncode == 0, run.stdout


def test_self_bad_format_is_seen(tmp_path):
    (tmp_path / ".clang-format").write_bytes((tree.ROOT / ".clang-format").read_bytes())
    bad = tree.write(tmp_path, "core/a.c", "int  f( void ) { return 1 ; }\n")
    good = tree.write(tmp_path, "core/b.c", "int f(void)\n{\n    return 1;\n}\n")
    assert check_format(tmp_path, [bad])
    assert check_format(tmp_path, [good]) == []


@pytest.mark.parametrize("content", [b"a", b"a \n", b"a\r\n", b"\ta\n"])
def test_self_bad_blanks_are_seen(content):
    assert len(check_text("a.c", content)) == 1
