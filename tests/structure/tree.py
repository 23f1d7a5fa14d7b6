# SPDX-License-Identifier: MIT
"""The tree as the structure tests see it: its files, and C text without comments and strings."""
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Folders of the product, in the order of the architecture, from the bottom up.
FOLDERS = ["core", "config", "drivers", "store", "mqtt", "systemd", "gateway"]

SKIPPED = re.compile(r"^(build.*|\.git|\.cache|__pycache__|\.pytest_cache|\..*cache)$")
TOKEN = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
SHEBANG = re.compile(r"^#!.*\b(bash|sh|python3?)\b")


def files(root=ROOT):
    """All files of the source tree, sorted, relative to its root; build folders and caches left out."""
    for folder, names, entries in os.walk(root):
        names[:] = sorted(name for name in names if not SKIPPED.match(name))
        for entry in sorted(entries):
            path = pathlib.Path(folder, entry)
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(root)


def c_files(root=ROOT):
    return [path for path in files(root) if path.suffix in (".c", ".h")]


def text(path, root=ROOT):
    return (root / path).read_text(encoding="utf-8", errors="replace")


def is_script(path, root=ROOT):
    """A file that is run: it starts with #! and the name of an interpreter."""
    with open(root / path, "rb") as file:
        return SHEBANG.match(file.readline(200).decode("utf-8", "replace")) is not None


def is_source(path, root=ROOT):
    return (path.suffix in (".c", ".h", ".def", ".py", ".sh", ".cmake", ".yml")
            or path.name == "CMakeLists.txt" or is_script(path, root))


def code(source):
    """C text with comments, strings and character constants blanked out; lines stay where they are."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return TOKEN.sub(blank, source)


def without_comments(source):
    """C text with comments blanked out and strings kept: what #include lines are read from."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)) if m.group(0)[0] == "/" else m.group(0), source)


def includes(path, root=ROOT):
    """(line, quote, name) of each #include of a file; quote is '"' or '<'."""
    source = without_comments(text(path, root))
    return [(source.count("\n", 0, m.start()) + 1, m.group(1), m.group(2)) for m in INCLUDE.finditer(source)]


def line_of(source, position):
    return source.count("\n", 0, position) + 1


def write(root, path, content):
    """For self-tests: puts a file into a small tree of its own."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(content, encoding="utf-8")
    return pathlib.Path(path)


def said(problems):
    """The message of a failing test: every violation on a line of its own."""
    return f"{len(problems)} violations:\n  " + "\n  ".join(problems) if problems else ""
