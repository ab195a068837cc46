"""Steps: the HealthCheckProgram, run by slurmd, judged by what slurmctld says of the node."""

import cluster as c
from steps import expect, step

it: c.Cluster = None
# At first, and some seconds later.
BLIND = "thermal-guard: GPU 0 has no temperature", "thermal-guard: GPU 0 is unguarded"
LOST = "thermal-guard: GPU 0 is lost or hangs"
SILENT = "thermal-guard: does not answer: GPUs may be unprotected"
THEIRS = "rack 7, fan replaced 2026-11"
# Slurm ends a health check after a minute.
BOUND = 60


def comment_of(text: str):
    it.sh(f"scontrol update NodeName=n1 Comment='{text}'")


@step("the lines in the scripts' heads go into slurm.conf as they are: the daemons start, take them and complain of none")
def quiet_recipe():
    it.up(fast=False)
    it.in_service()
    told = it.sh("scontrol show config").stdout
    expect(f"= {c.HEALTH}\n" in told and f"= {c.PROLOG}\n" in told, "both programs in the daemons' configuration", told[-300:])
    expect(not it.complaints(), "no complaint", it.complaints())


@step("protected, and throttled for heat: no comment, and jobs run")
def throttled():
    it.up()
    it.well()
    it.checked()
    expect(it.comment() == "", "no comment while all is well", it.node())
    it.heat()
    it.checked()
    expect(it.comment() == "", "no comment on a node that is throttled", it.node())
    it.in_service()


@step("a throttled GPU that loses its temperature: the comment says so, the node stays in service; well again, the comment goes")
def blind():
    it.up()
    it.well()
    it.heat()
    it.sim("fault", "--gpu", "0", "failing-reads")
    it.until_comment(*BLIND)
    it.in_service()
    it.sim("fault", "--gpu", "0", "none")
    it.until_comment("")
    it.in_service()


@step("a guard that died: the comment says so, the node stays in service; started again, the comment goes")
def dead():
    it.up()
    it.well()
    it.checked()
    it.end("thermal-guard", signal="KILL")
    it.until_comment(SILENT)
    it.in_service()
    it.guard()
    it.until_comment("")


@step("a guard that hangs: the same, and the program ends within the minute that Slurm gives it")
def hung():
    it.up()
    it.well()
    it.checked()
    it.sh("pkill -STOP -x thermal-guard")
    it.until_comment(SILENT)
    it.sh("rm /run/thermal-guard-slurm-health")
    took = it.takes()
    expect(took < BOUND, f"an end within {BOUND} s", f"{took:.0f} s")
    it.in_service()
    it.sh("pkill -CONT -x thermal-guard")
    it.until_comment("")


@step("a Slurm in a folder of its own: the program finds scontrol there, although Slurm hands it no PATH")
def elsewhere():
    it.up()
    it.well()
    it.end("slurmd")
    it.sh("""mkdir -p /opt/slurm/bin /opt/slurm/sbin
        cp "$(readlink -f /usr/sbin/slurmd)" /opt/slurm/sbin/slurmd
        cp "$(readlink -f /usr/bin/scontrol)" /opt/slurm/bin/scontrol
        mv /usr/bin/scontrol /usr/bin/scontrol.away""")
    try:
        it.daemon("/opt/slurm/sbin/slurmd")
        it.end("thermal-guard", signal="KILL")
        it.until_comment(SILENT)
    finally:
        it.sh("mv /usr/bin/scontrol.away /usr/bin/scontrol; pkill -x slurmd; rm -r /opt/slurm")


@step("a reboot, which slurmctld's comment outlives and the script's own memory doesn't: well afterwards, the comment goes")
def reboot():
    it.up()
    it.well()
    it.end("thermal-guard", signal="KILL")
    it.until_comment(SILENT)
    it.end("slurmd")
    it.sh("rm /run/thermal-guard-slurm-health")
    it.guard()
    expect(it.comment() == SILENT, "a comment that is still there", it.node())
    it.daemon()
    it.until_comment("")


@step("an administrator's comment stays, in trouble and after it; ours comes once theirs is gone")
def administrator():
    it.up()
    it.well()
    comment_of(THEIRS)
    it.sim("fault", "--gpu", "0", "lost")
    it.checked()
    it.checked()
    expect(it.comment() == THEIRS, "theirs in trouble", it.node())
    comment_of("")
    it.until_comment(LOST)
    comment_of(THEIRS)
    it.sim("fault", "--gpu", "0", "none")
    it.checked()
    it.checked()
    expect(it.comment() == THEIRS, "theirs after it", it.node())


@step("without a slurmctld, and beside one that hangs, the program ends in time; slurmctld is told once it answers, and keeps it")
def controller():
    it.up()
    it.well()
    it.end("thermal-guard", signal="KILL")
    it.until_comment(SILENT)
    it.end("slurmctld")
    it.guard()
    took = it.takes()
    expect(took < BOUND, f"an end within {BOUND} s", f"{took:.0f} s")
    it.controller()
    expect(it.comment() == SILENT, "the comment of before", it.node())
    it.sh("pkill -STOP -x slurmctld")
    took = it.takes()
    expect(took < BOUND, f"an end within {BOUND} s beside a slurmctld that hangs", f"{took:.0f} s")
    it.sh("pkill -CONT -x slurmctld")
    it.until_comment("")
    it.in_service()
