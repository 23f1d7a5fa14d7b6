# SPDX-License-Identifier: MIT
"""What the tree promises about itself: registered parts exist, tools explain themselves, pages name real things."""
import json
import os
import re
import subprocess

import pytest

import tree

REGISTRIES = [
    ("drivers/drivers.def", "RH_DRIVER", "drivers/{}.c", "rh_driver_{}"),
    ("mqtt/codecs.def", "RH_CODEC", "mqtt/codec_{}.c", "rh_codec_{}"),
]
PRESETS = {"dev", "release", "asan", "tsan", "fuzz", "coverage"}
NOT_TOOLS = {".sh"}  # parts that tools source or import


def registered(list_path, macro):
    return re.findall(rf"^{macro}\(\s*(\w+)\s*\)", tree.text(list_path), re.MULTILINE)


def tools():
    return [path for path in tree.files() if path.parts[0] == "tools" and len(path.parts) == 2
            and tree.is_script(path) and path.suffix not in NOT_TOOLS]


def pages():
    return [path for path in tree.files() if path.suffix == ".md" and path.parts[0] != "tests"]


@pytest.mark.parametrize("list_path, macro, file_name, symbol", REGISTRIES, ids=["drivers", "codecs"])
def test_registered_parts_have_their_file(list_path, macro, file_name, symbol):
    names = registered(list_path, macro)
    assert names, f"{list_path} registers nothing"
    problems = []
    for name in names:
        path = tree.ROOT / file_name.format(name)
        if not path.is_file():
            problems.append(f"{list_path} names {name}: there is no {file_name.format(name)}")
        elif not re.search(rf"^const struct \w+ {symbol.format(name)}\b", path.read_text("utf-8"), re.MULTILINE):
            problems.append(f"{file_name.format(name)} does not define {symbol.format(name)}")
    assert not problems, tree.said(problems)


@pytest.mark.parametrize("list_path, macro, file_name, symbol", REGISTRIES, ids=["drivers", "codecs"])
def test_no_part_is_forgotten(list_path, macro, file_name, symbol):
    """A file that defines a driver or codec but is not in the list would never run."""
    folder, pattern = file_name.split("/")
    definition = re.compile(rf"^const struct \w+ {symbol.format('')}(\w+)\s*=", re.MULTILINE)
    names = set(registered(list_path, macro))
    problems = []
    for path in sorted((tree.ROOT / folder).glob(pattern.format("*"))):
        for name in definition.findall(path.read_text("utf-8")):
            if name not in names:
                problems.append(f"{path.name} defines {symbol.format(name)}, which {list_path} does not name")
    assert not problems, tree.said(problems)


def test_each_folder_has_a_library_and_sources():
    cmake = tree.text("CMakeLists.txt")
    for folder in tree.FOLDERS:
        assert re.search(rf"^railhead_library\({folder}\b", cmake, re.MULTILINE), f"{folder}/ has no library"
        assert list((tree.ROOT / folder).glob("*.c")), f"{folder}/ has no source"


def test_presets():
    presets = json.loads(tree.text("CMakePresets.json"))
    assert {row["name"] for row in presets["configurePresets"] if not row.get("hidden")} == PRESETS
    listed = subprocess.run(["cmake", "--list-presets=configure"], cwd=tree.ROOT, check=True, capture_output=True,
                            text=True).stdout
    assert PRESETS <= set(re.findall(r'"(\w+)"', listed)), "CMake does not take them"


@pytest.mark.parametrize("tool", tools(), ids=str)
def test_tools_explain_themselves(tool):
    assert os.access(tree.ROOT / tool, os.X_OK), f"{tool} is not executable"
    run = subprocess.run([tree.ROOT / tool, "--help"], cwd="/", capture_output=True, text=True, timeout=20, check=False,
                         stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stderr
    assert tool.name in run.stdout and len(run.stdout.splitlines()) >= 3, run.stdout


def test_tools_refuse_what_they_do_not_know():
    for tool in tools():
        run = subprocess.run([tree.ROOT / tool, "--no-such-option"], cwd="/", capture_output=True, text=True, timeout=20,
                             check=False, stdin=subprocess.DEVNULL)
        assert run.returncode != 0 and "no-such-option" in run.stderr, f"{tool}: {run.returncode} {run.stderr}"


def test_scripts_are_executable():
    problems = [str(path) for path in tree.files() if tree.is_script(path) and not os.access(tree.ROOT / path, os.X_OK)]
    assert not problems, tree.said(problems)


def test_pages_name_tools_that_exist():
    problems = []
    for page in pages():
        for name in set(re.findall(r"\b(?:tools|\.ci)/[a-z][\w-]*(?:\.sh)?", tree.text(page))):
            if not (tree.ROOT / name).exists():
                problems.append(f"{page} names {name}")
    assert not problems, tree.said(problems)


def test_pages_link_to_files_that_exist():
    problems = []
    for page in pages():
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", tree.text(page)):
            if not re.match(r"[a-z]+:", target) and not (tree.ROOT / page.parent / target).exists():
                problems.append(f"{page} links to {target}")
    assert not problems, tree.said(problems)


def test_the_readme_shows_the_two_commands():
    page = tree.ROOT / "README.md"
    assert page.is_file(), "there is no README.md"
    for command in ("tools/demo", "tools/test"):
        assert command in page.read_text("utf-8"), f"README.md does not show {command}"
        assert os.access(tree.ROOT / command, os.X_OK), f"{command} is not executable"


def test_the_workflow_calls_what_a_person_calls():
    assert ".ci/run" in tree.text(".github/workflows/ci.yml")
    assert re.search(r"\btools/test\b", tree.text(".ci/run"))
    assert "tools/deps" in tree.text("tools/test")
