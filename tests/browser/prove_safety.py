"""The page stays at home: nothing from elsewhere, nothing that its policy refuses."""

import pathlib
import tempfile
import unittest

import rig


class Safety(unittest.TestCase):
    def test_the_page_asks_nobody_but_the_guard(self):
        with tempfile.TemporaryDirectory() as directory, rig.chromium() as browser:
            directory = pathlib.Path(directory)
            guard = rig.Guard(directory, rig.machine(directory, "a100-80gb"))
            guard.start()
            self.addCleanup(guard.stop)
            with rig.Tab(browser) as tab:
                tab.open(guard.url)
                live = tab.eventually(lambda: any("events" in asked for asked in tab.requests))
                self.assertTrue(live)
                self.assertEqual(tab.elsewhere(guard.url), [])
                self.assertEqual((tab.refused(), tab.errors, tab.complaints), ([], [], []))
