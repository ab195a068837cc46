"""The node-problem-detector's configuration: its own words only, a plugin that is here, and a message that says the good case."""

import json
import os
import sys

HERE = "deploy/node-problem-detector"
# Of the detector's custom plugin monitor.
WORDS = {
    "": {"plugin", "pluginConfig", "source", "metricsReporting", "skip_initial_status", "conditions", "rules"},
    "pluginConfig": {"invoke_interval", "timeout", "max_output_length", "concurrency", "enable_message_change_based_condition_update"},
    "conditions": {"type", "reason", "message"},
    "rules": {"type", "condition", "reason", "path", "args", "timeout"},
}


def need(condition, what):
    if not condition:
        sys.exit(f"{HERE}/thermal-guard.json: {what}")


with open(f"{HERE}/thermal-guard.json", encoding="utf-8") as file:
    config = json.load(file)
for part, words in WORDS.items():
    for entry in ([config] if not part else config[part] if isinstance(config[part], list) else [config[part]]):
        need(set(entry) <= words, f"unknown: {set(entry) - words}")
need(config["plugin"] == "custom", "not a custom plugin")
[condition], [rule] = config["conditions"], config["rules"]
need(rule["type"] in ("permanent", "temporary") and rule["condition"] == condition["type"], "the rule leads to no condition")
plugin = f"{HERE}/{os.path.basename(rule['path'])}"
need(os.access(plugin, os.X_OK), f"{plugin} is not there")
with open(plugin, encoding="utf-8") as file:
    need(condition["message"] in file.read(), "another message than the plugin's")
need(len(condition["message"]) <= config["pluginConfig"]["max_output_length"], "the message is cut off")
