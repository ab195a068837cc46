"""Where the alerts of the rules go by an Alertmanager's configuration for guards that pull."""

import subprocess


def misrouted(config, rules):
    """The first alert that reaches somebody else than it should: people hear of every alert of severity warning or critical, and
    of none that only guards read. Nothing if all are right."""
    for rule in (rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule):
        labels = rule["labels"]
        receiver = "nobody" if labels["severity"] == "none" else "people"
        command = ["amtool", "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}",
                   f"alertname={rule['alert']}", *(f"{name}={value}" for name, value in labels.items())]
        if receiver == "nobody" and "guard_action" not in labels:
            return f"{rule['alert']} is for people, and has no severity"
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return f"{rule['alert']} doesn't go to {receiver}"
    return None
