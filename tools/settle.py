# SPDX-License-Identifier: MIT
"""For tools/test: what failed in the first JUnit file and passed in the second has passed; prints its names."""
import sys
import xml.etree.ElementTree as tree


def verdict(case):
    return [child for child in case if child.tag in ("failure", "error")]


def key(case):
    return case.get("classname"), case.get("name")


first, second = tree.parse(sys.argv[1]), tree.parse(sys.argv[2])
bad = {key(case) for case in second.iter("testcase") if verdict(case)}
good = {key(case) for case in second.iter("testcase")} - bad
for case in first.iter("testcase"):
    if key(case) in good and verdict(case):
        for child in verdict(case):
            case.remove(child)
        case.set("status", "run")
        print(f"{sys.argv[3]:10} {case.get('name')}")
first.write(sys.argv[1])
