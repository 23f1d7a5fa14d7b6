# SPDX-License-Identifier: MIT
"""`cmake --install` into a folder, with the binary that is there already."""
import os
import pathlib
import shutil
import subprocess

from daemon import SOURCE, binary, build_folder


def run(*command, **options):
    """A program that must succeed; its output is the failure's message."""
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                            check=False, **options)
    assert result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


def prefix_of(build):
    for line in (pathlib.Path(build) / "CMakeCache.txt").read_text("utf-8").splitlines():
        if line.startswith("CMAKE_INSTALL_PREFIX:"):
            return line.partition("=")[2]
    raise AssertionError(f"{build} is not a build folder")


def install(build, destination):
    """What a package's build does."""
    run("cmake", "--install", build, env={**os.environ, "DESTDIR": str(destination)})
    return pathlib.Path(destination)


def configured(folder, prefix):
    """A build folder for another prefix. Nothing is compiled: the binary of the tested build is put into it."""
    run("cmake", "-S", SOURCE, "-B", folder, "-G", "Ninja", f"-DCMAKE_INSTALL_PREFIX={prefix}")
    shutil.copy(binary(), pathlib.Path(folder) / "railhead")
    return folder


def tested_build():
    return build_folder()


def files(root):
    return sorted("/" + path.relative_to(root).as_posix() for path in pathlib.Path(root).rglob("*")
                  if path.is_file() or path.is_symlink())
