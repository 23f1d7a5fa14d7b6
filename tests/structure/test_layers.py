# SPDX-License-Identifier: MIT
"""Who may include whom: the arrows between the folders, and the place of each foreign library."""
import re

import pytest

import tree

# A folder and what it may include of ours. core knows nobody; drivers, store, mqtt and systemd know core
# and config's tables, never each other; only gateway sees everything.
MAY_INCLUDE = {
    "core": {"core"},
    "config": {"core", "config"},
    "drivers": {"core", "config", "drivers"},
    "store": {"core", "config", "store"},
    "mqtt": {"core", "config", "mqtt"},
    "systemd": {"core", "config", "systemd"},
    "gateway": set(tree.FOLDERS),
}

# Headers of foreign libraries, and the only places that may know them (a folder, or single files).
FOREIGN = [
    (r"modbus(/.*)?\.h|libserialport\.h", ["drivers/"]),
    (r"sqlite3.*\.h", ["store/"]),
    (r"MQTT\w*\.h", ["mqtt/"]),
    (r"openssl/\w+\.h", ["mqtt/tls.c"]),  # only to say why a handshake failed
    (r"systemd/.*\.h", ["systemd/"]),
    (r"jansson\w*\.h", ["mqtt/", "gateway/"]),
    (r"pcre2\w*\.h", ["drivers/"]),
    (r"cmocka\w*\.h", ["tests/unit/"]),
]

# The C library and the kernel: everybody's.
SYSTEM = re.compile(
    r"(sys|linux|net|netinet|arpa|asm)/[\w./-]+\.h|"
    r"(assert|ctype|dirent|endian|errno|fcntl|fenv|float|getopt|glob|ifaddrs|inttypes|libgen|limits|locale|malloc|"
    r"math|netdb|poll|pthread|pty|pwd|grp|sched|semaphore|setjmp|signal|stdalign|stdarg|stdatomic|stdbool|stddef|"
    r"stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|threads|time|uchar|unistd|utmp|wchar|wctype|"
    r"fnmatch|ftw|regex|spawn|ucontext|execinfo|err)\.h")


def home_of(path):
    """The folder whose rules a file follows: a product folder, tests/sim, tests, or None."""
    if path.parts[0] == "tests":
        return "tests/sim" if path.parts[1:2] == ("sim",) else "tests"
    return path.parts[0] if path.parts[0] in tree.FOLDERS else None


def check_arrow(path, name, root):
    """What is wrong with a quoted include, or None."""
    home = home_of(path)
    target = name.split("/")[0] if "/" in name else None
    if ".." in name.split("/"):
        return "climbs out with '..'"
    if home == "tests/sim":
        beside = (root / path.parent / name).is_file() or name.startswith("tests/sim/")
        return None if beside else "the simulator includes nothing of ours"
    if home == "tests":
        if target in tree.FOLDERS or (root / path.parent / name).is_file() or target == "tests":
            return None
        return "is neither beside this file nor in a folder of ours"
    if target is None:
        return "is not named from the root of the tree (folder/name.h)"
    if home == "gateway" or target in MAY_INCLUDE[home]:
        return None if target in tree.FOLDERS else f"{target}/ is not a part of the product"
    return f"there is no arrow from {home}/ to {target}/"


def check_foreign(path, name):
    """What is wrong with an include in angle brackets, or None."""
    for pattern, places in FOREIGN:
        if re.fullmatch(pattern, name):
            # A unit test may know what the folder it tests may know.
            here = path.as_posix()
            tested = here.removeprefix("tests/unit/")
            if any(here == place or place.endswith("/") and (here.startswith(place) or tested.startswith(place))
                   for place in places):
                return None
            return "belongs only in " + ", ".join(places)
    if SYSTEM.fullmatch(name):
        return None
    return "is a library that the table in this test has no place for"


def check_includes(root=tree.ROOT):
    problems = []
    for path in tree.c_files(root):
        if home_of(path) is None:
            problems.append(f"{path}: C code outside of the folders of the architecture")
            continue
        for line, quote, name in tree.includes(path, root):
            wrong = check_arrow(path, name, root) if quote == '"' else check_foreign(path, name)
            if wrong:
                problems.append(f"{path}:{line}: {quote}{name}{'>' if quote == '<' else quote} {wrong}")
    return problems


def test_includes_follow_the_arrows():
    assert len(tree.c_files()) > 20, "the walk over the tree finds too few files to mean anything"
    problems = check_includes()
    assert not problems, tree.said(problems)


def test_third_party_names_are_known():
    """Every library that the build links has its row in the table above, and the other way round."""
    cmake = tree.text("CMakeLists.txt") + tree.text("tests/CMakeLists.txt")
    rows = {"libserialport", "libmodbus", "sqlite3", "libsystemd", "jansson", "libpcre2-8", "cmocka", "paho-mqtt3cs", "openssl"}
    linked = set(re.findall(r"pkg_check_modules\(\w+ REQUIRED IMPORTED_TARGET ([\w.-]+)\)", cmake))
    linked |= set(re.findall(r"find_library\(\w+ ([\w.-]+)", cmake))
    assert linked <= rows, f"{linked - rows}: add the headers to FOREIGN, then the name here"


@pytest.mark.parametrize("path, content, expected", [
    ("core/a.c", '#include "config/option.h"\n', "core/a.c:1: \"config/option.h\" there is no arrow"),
    ("store/a.c", '\n#include "mqtt/session.h"\n', "store/a.c:2:"),
    ("mqtt/a.h", '#include "gateway/poller.h"\n', "no arrow from mqtt/ to gateway/"),
    ("drivers/a.c", '#include "../store/store.h"\n', "climbs out"),
    ("config/a.c", '#include "option.h"\n', "not named from the root"),
    ("gateway/a.c", '#include "tests/sim/wire.h"\n', "not a part of the product"),
    ("gateway/a.c", '#  include <sqlite3.h>\n', "belongs only in store/"),
    ("gateway/uplink.c", "#include <MQTTClient.h>\n", "belongs only in mqtt/"),
    ("store/a.c", "#include <zlib.h>\n", "no place for"),
    ("mqtt/session.c", "#include <openssl/ssl.h>\n", "belongs only in mqtt/tls.c"),
    ("tests/sim/a.c", '#include "core/text.h"\n', "the simulator includes nothing of ours"),
    ("tests/sim/a.c", "#include <modbus.h>\n", "belongs only in drivers/"),
    ("extra/a.c", "", "outside of the folders"),
])
def test_self_wrong_includes_are_seen(tmp_path, path, content, expected):
    tree.write(tmp_path, path, content)
    problems = check_includes(tmp_path)
    assert len(problems) == 1 and expected in problems[0], problems


def test_self_right_includes_pass(tmp_path):
    tree.write(tmp_path, "store/a.c", '#include "core/base.h" /* "mqtt/x.h" */\n#include <sqlite3.h>\n'
               '/*\n#include "mqtt/topic.h"\n*/\nconst char *s = "\\"";\n// #include "gateway/a.h"\n')
    tree.write(tmp_path, "tests/sim/wire.h", "#include <stdint.h>\n#include <sys/timerfd.h>\n")
    tree.write(tmp_path, "tests/sim/wire.c", '#include "wire.h"\n')
    tree.write(tmp_path, "tests/unit/store/test_a.c", '#include "store/a.h"\n#include <cmocka.h>\n#include <sqlite3.h>\n')
    tree.write(tmp_path, "gateway/a.c", '#include "mqtt/codecs.def"\n#include "drivers/driver.h"\n')
    assert check_includes(tmp_path) == []
