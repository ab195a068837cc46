"""A Slurm of one node in a container: Debian's munged, slurmctld and slurmd as they are started by hand, the scripts of
deploy/slurm where the packages put them, and a guard over the simulated NVML library. Without systemd, because the newest one
knows no cgroup v1, and because nobody is to start a guard again that a step stops."""

import itertools
import os
import re
import shlex
import time
from pathlib import Path

import image
from steps import Unexpected, expect, until

SCRIPTS = "/usr/libexec/thermal-guard"
HEALTH, PROLOG = f"{SCRIPTS}/thermal-guard-slurm-health", f"{SCRIPTS}/thermal-guard-slurm-prolog"
# Where the scripts' heads say what belongs into slurm.conf.
RECIPE = re.compile(r"^#(?: In slurm\.conf:)? +([A-Z][A-Za-z]+=\S+)$", re.MULTILINE)
CONFIGURATION = """\
ClusterName=test
SlurmctldHost=n1
SlurmUser=slurm
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd.pid
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
SlurmdDebug=debug2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
ReturnToService=2
GresTypes=gpu
NodeName=n1 CPUs=1 RealMemory=100 Gres=gpu:1
PartitionName=all Nodes=n1 Default=YES State=UP
"""
# glibc resolves no name on a machine without any address but loopback's.
FURNISH = """
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 10.99.0.1/24 dev v0
ip link set v0 up; ip link set v1 up
printf '127.0.0.1 localhost\\n10.99.0.1 n1\\n' >/etc/hosts
mkdir -p /run/slurm /var/spool/slurmctld /var/spool/slurmd /var/log/slurm /run/munge /etc/slurm
chown slurm: /run/slurm /var/spool/slurmctld /var/log/slurm
[ -s /etc/munge/munge.key ] || { head -c 1024 /dev/urandom >/etc/munge/munge.key; chmod 400 /etc/munge/munge.key; chown munge: /etc/munge/munge.key; }
chown munge: /run/munge
runuser -u munge munged
echo 'Name=gpu File=/dev/nvidia0' >/etc/slurm/gres.conf
mknod /dev/nvidia0 c 195 0
ldconfig
"""
GUARD = "thermal-guard serve --debug.time-scale=10"
# What a daemon says before it has a log.
STARTS = "/var/log/slurm/starts.log"
COUNT = itertools.count()


class Cluster:
    """`fast`: lines of slurm.conf under which a step needn't wait for minutes."""

    def __init__(self, podman: image.Podman, name: str, debian: str, bench: Path, fast: str):
        self.podman, self.bench, self.fast = podman, bench, fast
        self.name = f"thermal-guard-slurm-{os.getpid()}-{next(COUNT)}"
        podman("run", "--detach", "--name", self.name, "--hostname", "n1", "--network=none", "--privileged", debian,
               "bash", "-c", "sleep infinity & wait $!")
        self.put("now.deb", "/now.deb")
        self.put("libnvidia_ml.so", "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1")
        self.put("nvml-simctl", "/usr/bin/nvml-simctl")
        # Unpacked only: what its maintainer scripts do, systemd takes part in.
        self.sh("dpkg-deb --extract /now.deb / && nvml-simctl create --gpu a100-80gb --time-scale 10")
        self.sh(FURNISH)
        self.version = self.sh("slurmctld -V").stdout.split()[-1]
        print(f"        {name}: Slurm {self.version}", flush=True)
        self.original = {script: self.sh(f"cat {script}").stdout for script in (HEALTH, PROLOG, f"{SCRIPTS}/thermal-guard-health")}

    def put(self, source: str, place: str):
        self.podman("cp", self.bench / source, f"{self.name}:{place}")

    def sh(self, script: str, check=True, timeout=120):
        done = self.podman("exec", self.name, "sh", "-c", f"PATH=$PATH:/opt/slurm/bin\n{script}", check=False, timeout=timeout)
        if check and done.returncode != 0:
            raise Unexpected(f"expected `{script.strip()[:120]}` to succeed; seen: {done.returncode}, {(done.stdout + done.stderr).strip()[-400:]}")
        return done

    def write(self, place: str, text: str):
        self.sh(f"printf %s {shlex.quote(text)} >{place}")

    # The daemons.

    def recipe(self) -> list[str]:
        """What the heads of the scripts in the container tell people to write."""
        lines = [line for script in (HEALTH, PROLOG) for line in RECIPE.findall(self.sh(f"cat {script}").stdout)]
        expect(len(lines) >= 6, "lines for slurm.conf in the scripts' heads", lines)
        return lines

    def configure(self, fast: bool):
        """The recipe as it is; or with its times, and no others, replaced."""
        keys = [line.partition("=")[0] for line in self.fast.split()]
        lines = [line for line in self.recipe() if not fast or line.partition("=")[0] not in keys]
        self.write("/etc/slurm/slurm.conf", CONFIGURATION + "\n".join(lines + (self.fast.split() if fast else [])) + "\n")
        self.sh(f"echo CgroupPlugin={'cgroup/v1' if self.version < '23' else 'disabled'} >/etc/slurm/cgroup.conf")

    def up(self, fast=True):
        self.down()
        self.configure(fast)
        self.sh("rm -rf /var/log/slurm/* /var/spool/slurmctld/* /run/thermal-guard-slurm-health; : >/var/log/slurm/slurmd.log")
        self.controller()
        self.daemon()
        until("a node that is idle", lambda: self.node().get("State") == "IDLE", 60, told=self.said)

    def controller(self):
        self.sh(f"slurmctld 2>>{STARTS}")
        until("a slurmctld that answers", lambda: self.sh("scontrol ping", check=False).returncode == 0, 30, told=self.said)

    def daemon(self, program="slurmd"):
        self.sh(f"{program} 2>>{STARTS}")

    def down(self):
        self.end("slurmd", "slurmctld")

    def end(self, *programs: str, signal="TERM"):
        """And waits for it. One of them may be stopped: that takes no signal but KILL."""
        for program in programs:
            self.sh(f"pkill -{signal} -x {program}; for i in $(seq 100); do pgrep -x {program} >/dev/null || exit 0; sleep 0.1; done; pkill -KILL -x {program}", check=False)

    # The guard and its card.

    def sim(self, *arguments):
        self.sh(f"nvml-simctl {' '.join(arguments)}")

    def guard(self):
        self.sh(f"setsid {GUARD} >>/var/log/guard.log 2>&1 &")
        until("a guard that is ready", lambda: self.sh("curl -sf http://127.0.0.1:10835/-/ready", check=False).returncode == 0, 30, told=self.said)

    def well(self):
        """A card without a fault, at rest, and a guard that has just begun; no comment but the guard's."""
        self.end("thermal-guard", signal="KILL")
        self.sh("rm -rf /var/lib/thermal-guard /run/thermal-guard /var/log/guard.log")
        self.sim("create", "--gpu", "a100-80gb", "--time-scale", "10")
        self.guard()
        self.sh("scancel --user=root; scontrol update NodeName=n1 Comment= && rm -f /run/thermal-guard-slurm-health")

    def heat(self):
        self.sim("set", "load=1", "inlet=38", "airflow=1.6")
        throttled = "curl -s http://127.0.0.1:10835/metrics | grep -qE '^thermal_guard_state.*state=\"(gradual|emergency)\".* 1$'"
        until("a guard that throttles", lambda: self.sh(throttled, check=False).returncode == 0, 60, told=self.said)

    # What Slurm says.

    def node(self) -> dict[str, str]:
        shown = self.sh("scontrol show node n1", check=False).stdout
        found = dict(re.findall(r"^ +(Comment|Reason)=(.*)$", shown, re.MULTILINE))
        return {**found, **dict(re.findall(r" (State)=(\S+)", shown))}

    def comment(self) -> str:
        return self.node().get("Comment", "")

    def until_comment(self, *wanted: str):
        """Slurm's interval here, the time that a guard gets for its answer, and a machine that is busy."""
        until(f"the comment {wanted}", lambda: self.comment() in wanted, 40, pause=1, told=self.said)

    def checks(self) -> int:
        """How many have ended."""
        return int(self.sh("grep -c 'health_check success rc:' /var/log/slurm/slurmd.log", check=False).stdout)

    def checked(self):
        """Until one that begins from now on has ended: the next but one at the latest."""
        before = self.checks()
        until("two more health checks", lambda: self.checks() >= before + 2, 60, pause=1, told=self.said)

    def in_service(self):
        """Idle or at work, nothing said against it, and a job runs."""
        until("a node in service", lambda: self.node().get("State") in ("IDLE", "ALLOCATED", "MIXED"), 30, pause=1, told=self.said)
        expect("Reason" not in self.node(), "nothing said against it", self.node())
        job = self.sh("timeout 30 srun --immediate=20 hostname", check=False)
        expect(job.stdout.strip() == "n1", "a job that runs", f"{job.returncode} {job.stdout}{job.stderr}")

    def takes(self) -> float:
        """How long the health program itself runs, begun as slurmd begins it."""
        began = time.monotonic()
        done = self.sh(f"env -i SLURMD_NODENAME=n1 {HEALTH}", check=False)
        expect(done.returncode == 0, "exit code 0, or slurmd doesn't register", f"{done.returncode}: {done.stdout}{done.stderr}")
        return time.monotonic() - began

    def complaints(self) -> list[str]:
        """Of the daemons, about what the recipe sets."""
        keys = "|".join(line.partition("=")[0] for line in self.recipe())
        logs = self.sh("cat /var/log/slurm/*.log").stdout
        return [line for line in logs.splitlines() if re.search(rf"(error|fatal|warning): .*({keys}|unrecognized key)", line)]

    def said(self) -> str:
        logs = self.sh("tail -n 6 /var/log/slurm/slurmctld.log /var/log/slurm/slurmd.log /var/log/guard.log; cat /run/thermal-guard-slurm-health", check=False)
        return f"{self.node()}\n{logs.stdout}{logs.stderr}"

    def discard(self):
        self.podman("rm", "--force", "--time", "0", self.name, check=False)
