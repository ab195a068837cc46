"""Takes `thermal-guard check --json`: is the configuration valid? The driver, say, may be missing."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as checked:
    lines = json.load(checked)
wrong = [line for line in lines if line["check"] == "configuration" and line["status"] != "ok"]
if wrong or not lines:
    sys.exit(f"configuration: {wrong}")
