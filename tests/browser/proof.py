"""What the proofs of the status page have in common."""

import pathlib
import tempfile
import unittest

import rig

FIRST, SECOND = (f"GPU-00000000-0000-4000-8000-{n:012x}" for n in (0, 1))


class Proof(unittest.TestCase):
    """One browser for all proofs of a class; a machine, a guard and tabs for each."""

    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(rig.chromium())

    def guard(self, *cards, flags=(), config="{}\n", **conditions):
        """Guards simulated cards until the proof ends; `self.machine` has them."""
        directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.machine = rig.machine(directory, *cards, **conditions)
        guard = rig.Guard(directory, self.machine, *flags, config=config)
        self.addCleanup(guard.stop)
        guard.start()
        return guard

    def tab(self, **options):
        return self.enterContext(rig.Tab(self.browser, **options))

    def live(self, tab, guard):
        """The page, once the script has had its first word from the stream."""
        page = tab.open(guard.url)
        drawn = page.locator("[data-plot] svg").first
        drawn.wait_for(state="attached")
        return page


def card(uuid):
    return f'[data-key="{uuid}"]'
