"""The unit's sandbox holds, option by option, and doesn't hinder. DeviceAllow= and RestrictRealtime= want a kernel of
their own: in a container devices and real time are out of reach anyway."""

import json
import sys
from pathlib import Path

import scene
from node import drop_in, expect, log, sh
from steps import step

PROBED = Path("/var/lib/thermal-guard/probe.json")
REFUSED = {"EPERM", "EACCES"}
READ_ONLY = {"EROFS", "EACCES", "ENOENT"}
# The option that an attempt meets, and what may come of it.
FORBIDDEN = {
    "write /etc": ("ProtectSystem=strict", READ_ONLY), "write /usr": ("ProtectSystem=strict", READ_ONLY),
    "write /srv": ("ProtectSystem=strict", READ_ONLY), "write /boot": ("ProtectSystem=strict", READ_ONLY),
    "write /home": ("ProtectHome=", READ_ONLY), "see another's /tmp": ("PrivateTmp=", {"ENOENT"}),
    "write /proc/sys": ("ProtectKernelTunables=", READ_ONLY), "read /dev/kmsg": ("ProtectKernelLogs=", REFUSED | {"ENOENT"}),
    "mount": ("SystemCallFilter=", REFUSED), "unshare": ("RestrictNamespaces=", REFUSED),
    "writable and executable memory": ("MemoryDenyWriteExecute=", REFUSED), "make a device": ("CapabilityBoundingSet=", REFUSED),
    "set-user-id bit": ("RestrictSUIDSGID=", REFUSED), "affinity": ("SystemCallFilter=~@resources", REFUSED),
    "clock": ("ProtectClock=", REFUSED), "modules": ("ProtectKernelModules=", REFUSED),
    "ports": ("SystemCallFilter=", REFUSED), "host name": ("ProtectHostname=", REFUSED), "personality": ("LockPersonality=", REFUSED),
    "become another": ("SystemCallFilter=~@privileged", REFUSED), "netlink": ("RestrictAddressFamilies=", {"EAFNOSUPPORT"}),
    "packets": ("RestrictAddressFamilies=", {"EAFNOSUPPORT"}),
}
# CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_SYS_ADMIN.
CAPABILITIES = "000000000020000b"


@step("each option of the sandbox holds where it should, and leaves what the guard needs")
def holds():
    scene.nothing()
    Path("/tmp/of-another").touch()
    Path("/srv").mkdir(exist_ok=True)
    sh(sys.executable, "/t/inside/probe.py", "/t/beside.json")
    beside = json.loads(Path("/t/beside.json").read_text(encoding="utf-8"))
    drop_in("probe.conf", f"ExecStartPre={sys.executable} /t/inside/probe.py {PROBED}")
    scene.start()
    expect(PROBED.exists(), "the probe to have run in the unit", log()[-400:])
    within = json.loads(PROBED.read_text(encoding="utf-8"))
    meaningless = [name for name, (_, errors) in FORBIDDEN.items() if beside[name] in errors]
    expect(not meaningless, "what is forbidden to be possible beside the unit", {name: beside[name] for name in meaningless})
    lax = {name: (option, within[name]) for name, (option, errors) in FORBIDDEN.items() if within[name] not in errors}
    expect(not lax, "each of these to be refused", lax)
    strict = {name: seen for name, seen in within.items()
              if name not in FORBIDDEN and name not in ("capabilities", "no new privileges") and seen != "ok"}
    expect(not strict, "what the guard needs", strict)
    expect(within["capabilities"] == CAPABILITIES, f"capabilities {CAPABILITIES}", within["capabilities"])
    expect(within["no new privileges"] == "1", "no new privileges", within["no new privileges"])
