# SPDX-License-Identifier: MIT
"""For tools/test: the table of stages as JSON."""
import json
import sys

rows = [line.rstrip("\n").split("\t") for line in open(sys.argv[1], encoding="utf-8")]
print(json.dumps({
    "stages": [{
        "name": row[0], "passed": int(row[1]), "failed": int(row[2]), "skipped": int(row[3]),
        "seconds": int(row[4]) / 1000, "problem": None if row[5] == "-" else row[5],
        "reasons": [reason for reason in row[6].split("\x1f") if reason],
    } for row in rows],
    "passed": int(sys.argv[2]), "failed": int(sys.argv[3]), "skipped": int(sys.argv[4]),
}, indent=2))
