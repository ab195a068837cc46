"""What the proofs share: the control command, and processes of their own on the same machine."""

import contextlib
import json
import os
import subprocess
import sys
import time
import unittest

import pynvml as nvml

SIMCTL = os.environ["NVML_SIMCTL"]

FIRST, SECOND = (f"GPU-00000000-0000-4000-8000-{n:012x}" for n in (0, 1))


def simctl(*words):
    """Runs the control command and returns what it said."""
    run = subprocess.run([SIMCTL, *map(str, words)], capture_output=True, text=True)
    if run.returncode != 0:
        raise AssertionError(f"nvml-simctl {words}: {run.stderr}")
    return run.stdout


def truth(gpu=0):
    """The card as it is, whatever its sensors say."""
    return json.loads(simctl("show", "--json"))["gpus"][gpu]


def program(source, *arguments, **options):
    """Starts another program that has NVML initialised."""
    prelude = "import os, signal, sys, time\nimport pynvml as nvml\nnvml.nvmlInit()\n"
    command = [sys.executable, "-c", prelude + source, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)


def eventually(condition, seconds=10):
    """True as soon as the condition is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Proof(unittest.TestCase):
    """A fresh machine for each proof: an A100 and an L40S, and time that stands still."""

    cards = ("a100-80gb", "l40s")
    options = ("--time-scale", "0")

    def setUp(self):
        cards = [word for card in self.cards for word in ("--gpu", card)]
        simctl("create", *cards, *self.options)
        nvml.nvmlInit()
        self.gpus = [nvml.nvmlDeviceGetHandleByIndex(n) for n in range(len(self.cards))]

    def tearDown(self):
        with contextlib.suppress(nvml.NVMLError):
            while True:
                nvml.nvmlShutdown()

    @contextlib.contextmanager
    def refused(self, code):
        """The call within ends with that NVML error."""
        with self.assertRaises(nvml.NVMLError) as caught:
            yield
        self.assertEqual(caught.exception.value, code, caught.exception)
