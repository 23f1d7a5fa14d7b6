# SPDX-License-Identifier: MIT
"""For tools/test: how many cases of a JUnit file passed, failed and were not run, and why the last were not."""
import collections
import sys
import xml.etree.ElementTree as tree

counts, reasons = collections.Counter(), collections.Counter()
for case in tree.parse(sys.argv[1]).iter("testcase"):
    if case.find("failure") is not None or case.find("error") is not None:
        counts["bad"] += 1
    elif case.find("skipped") is not None:
        counts["none"] += 1
        reasons[(case.find("skipped").get("message") or "no reason given").split("\n")[0]] += 1
    else:
        counts["ok"] += 1
print(counts["ok"], counts["bad"], counts["none"])
for reason, n in reasons.most_common():
    print(f"{reason} ({n})" if n > 1 else reason)
