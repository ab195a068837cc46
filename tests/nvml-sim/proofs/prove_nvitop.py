"""nvitop, a program much used and much less forgiving than the bindings, runs as on hardware."""

import os
import subprocess
import unittest

from bench import Proof, simctl


class Nvitop(Proof):
    cards = ("a100-80gb", "l40s", "rtx-4090", "v100-32gb")

    def shown(self):
        run = subprocess.run([os.environ["NVITOP"], "-1"], capture_output=True, text=True)
        said = run.stdout + run.stderr
        self.assertEqual(run.returncode, 0, said)
        for complaint in ("FunctionNotFound", "Function Not Found", "Traceback", "ERROR"):
            self.assertNotIn(complaint, said)
        return run.stdout

    def test_it_shows_the_cards(self):
        simctl("set", "load=1.0", "inlet=30")
        simctl("advance", 300)
        shown = self.shown()
        for name in ("A100-SXM4-80GB", "L40S", "RTX 4090", "V100-PCIE-32GB"):
            self.assertIn(name, shown)
        self.assertIn("580.95.05", shown)
        self.assertIn("/ 400W", shown)
        self.assertIn("100%", shown)

    def test_it_bears_a_card_with_little_to_say(self):
        simctl("fault", "--gpu", 1, "unsupported:temperature,power,fan,clocks")
        self.assertIn("N/A", self.shown())


if __name__ == "__main__":
    unittest.main()
