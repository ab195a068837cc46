"""Steps: the Prolog, run by slurmd before a job that asks for a GPU."""

import cluster as c
from steps import expect, step, until

it: c.Cluster = None
OUTPUT = "/tmp/job.out"
# As the prolog's head describes it.
OWN = f"#!/bin/sh\nexport GPU_WAIT_FOR=1s GPU_WAIT_TIMEOUT=5s\nexec {c.PROLOG}\n"


def submit():
    it.sh(f"rm -f {OUTPUT}; sbatch --quiet --gres=gpu:1 --output={OUTPUT} --wrap 'echo started on $SLURM_JOB_GPUS'")


def started() -> bool:
    return "started" in it.sh(f"cat {OUTPUT}", check=False).stdout


def waits() -> str:
    return it.sh("pgrep -af 'thermal-guard wait'", check=False).stdout


def until_started(seconds: float):
    until("a job that started", started, seconds, pause=1, told=lambda: it.sh("squeue", check=False).stdout + it.said())


@step("a job on a warm GPU waits for that GPU, and starts once it is cool; the node stays in service")
def warm():
    it.up()
    it.well()
    it.heat()
    submit()
    until("a prolog that waits for GPU 0", lambda: "--gpu 0 --below safe" in waits(), 30, told=lambda: waits() + it.said())
    it.checked()
    expect(not started(), "a job that hasn't started on a card under load", it.said())
    it.sim("set", "load=0", "inlet=15", "airflow=0.5")
    # The 30 s that the GPU must have been cool, and its way there.
    until_started(120)
    it.in_service()


@step("a job whose GPU nobody can be asked about starts anyway, and the node stays in service")
def unknown():
    it.up()
    it.well()
    it.end("thermal-guard", signal="KILL")
    it.sim("driver-unload")
    submit()
    until_started(60)
    it.sim("driver-load")
    it.in_service()


@step("with times of one's own, set by a script before it: a job on a GPU that stays warm starts when they are over")
def own_times():
    it.up()
    it.write("/etc/slurm/prolog", OWN)
    it.sh("chmod +x /etc/slurm/prolog; sed -i 's#^Prolog=.*#Prolog=/etc/slurm/prolog#' /etc/slurm/slurm.conf; scontrol reconfigure")
    it.well()
    it.heat()
    submit()
    # The prolog's own five minutes would be too long.
    until_started(60)
    it.in_service()
