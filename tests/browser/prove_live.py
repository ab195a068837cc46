"""The page follows the guard: within two seconds, and by itself after the guard was away."""

import re
import time

import rig
from proof import FIRST, SECOND, Proof, card

# Ages and times, which go on between two looks.
NUMBERS = re.compile(r"time: .*|\d[\w.]*( \d\w*)*")

# Notes, on the machine's one clock, when a card's state first says a word.
WATCH_STATES = """
    window.said = {};
    const note = () => {
        for (const state of document.querySelectorAll(".gpus .state b")) {
            const key = state.closest("[data-key]").dataset.key + " " + state.textContent;
            window.said[key] ??= Date.now() / 1000;
        }
    };
    new MutationObserver(note).observe(document.body,
        { subtree: true, childList: true, characterData: true });
"""


class Live(Proof):
    def test_a_throttle_appears_within_two_seconds(self):
        guard = self.guard("a100-80gb", "l40s")
        tab = self.tab()
        page = self.live(tab, guard)
        page.evaluate(WATCH_STATES)
        delays = []
        for level in ("gradual", "emergency"):
            for gpu, uuid in enumerate((FIRST, SECOND)):
                guard.client("throttle", "--gpu", gpu, "--level", level, "--for", "5m")
                rig.eventually(lambda: guard.status()["gpus"][gpu]["state"] == level)
                changed = time.time()
                key = f"{uuid} {level}"
                shown = tab.eventually(lambda: page.evaluate("key => window.said[key]", key))
                self.assertIsNotNone(shown, f"{key} never came")
                delays.append(shown - changed)
        print("  throttle to page:", ", ".join(f"{delay:.2f} s" for delay in delays))
        self.assertLess(max(delays), 2.0)

    def test_a_card_that_heats_up_is_told_once_and_its_leases_are_named(self):
        guard = self.guard("a100-80gb", time_scale=0)
        tab = self.tab()
        page = self.live(tab, guard)
        said = page.locator("#announcement")
        page.wait_for_timeout(2500)
        self.assertEqual(said.text_content(), "", "a live region that speaks of nothing")
        guard.client("throttle", "--gpu", "0", "--level", "gradual", "--for", "5m")
        told = tab.eventually(said.text_content, 3)
        self.assertIn("GPU 0: gradual. Throttled: an operator asked", told)
        lease = page.locator(f"{card(FIRST)} .leases li")
        self.assertRegex(lease.text_content(), r"^gradual by an operator, .* left$")
        events = page.locator(".events li")
        self.assertTrue(tab.eventually(lambda: "throttled to gradual" in events.all_text_contents()[0]
                                       or "lease (gradual) began" in events.all_text_contents()[0]))

    def test_it_comes_back_by_itself_after_the_guard_was_killed(self):
        guard = self.guard("a100-80gb")
        tab = self.tab()
        page = self.live(tab, guard)
        guard.kill()
        link = page.locator("#link")
        self.assertTrue(tab.eventually(lambda: "Connection lost" in link.text_content()))
        page.wait_for_timeout(1500)
        guard.start()
        began = time.monotonic()
        self.assertTrue(tab.eventually(lambda: link.text_content() == ""))
        print(f"  guard ready to page current: {time.monotonic() - began:.2f} s")
        guard.client("throttle", "--gpu", "0", "--level", "gradual", "--for", "5m")
        state = page.locator(f"{card(FIRST)} .state b")
        self.assertTrue(tab.eventually(lambda: state.text_content() == "gradual", 2))

    def test_an_answer_that_is_no_stream_is_not_the_end(self):
        """The browser's own retries stop at a proxy's error page."""
        guard = self.guard("a100-80gb")
        tab = self.tab()
        answers = []

        def proxy(route):
            answers.append(502)
            route.fulfill(status=502) if len(answers) < 3 else route.continue_()

        tab.page.route("**/live", proxy)
        tab.open(guard.url)
        link = tab.page.locator("#link")
        self.assertTrue(tab.eventually(lambda: "Connection lost" in link.text_content()))
        self.assertTrue(tab.eventually(lambda: link.text_content() == ""))

    def test_the_script_says_what_the_server_said(self):
        """With and without a script: the same words in the same order, whatever the ages."""
        guard = self.guard("a100-80gb", "l40s", time_scale=0)
        guard.client("throttle", "--gpu", "1", "--level", "gradual", "--for", "5m")
        # Until the reading shows what was written, the page has other words for the limit.
        limit = lambda: guard.status()["gpus"][1]["limit"]
        rig.eventually(lambda: limit()["current"] < limit().get("original", 0))
        texts = []
        for scripts in (False, True):
            tab = self.tab(java_script_enabled=scripts)
            page = tab.open(guard.url)
            if scripts:
                page.wait_for_timeout(2500)
            text = page.locator("body").aria_snapshot()
            texts.append(NUMBERS.sub("#", text))
        self.assertIn("Throttled: an operator asked", texts[0])
        self.assertEqual(texts[0], texts[1])

    def test_the_chart_draws_what_was_measured(self):
        guard = self.guard("a100-80gb", time_scale=0)
        page = self.live(self.tab(), guard)
        drawn = page.evaluate("""
            () => {
                const plot = document.querySelector('[data-plot="temperature"]');
                const height = (name) => Number(plot.querySelector(name).getAttribute("y1"));
                const path = plot.querySelector(".line.mean").getAttribute("d");
                return { alert: height(".alert"), critical: height(".critical"),
                         now: Number(path.split(" ").at(-1)) };
            }""")
        gpu = guard.status()["gpus"][0]
        alert, critical = (gpu["trips"][f"{trip}_celsius"] for trip in ("alert", "critical"))
        degrees_per_unit = (critical - alert) / (drawn["critical"] - drawn["alert"])
        shown = alert + (drawn["now"] - drawn["alert"]) * degrees_per_unit
        self.assertAlmostEqual(shown, gpu["temperature_celsius"], delta=0.5)

    def test_a_young_guards_charts_are_as_short_as_its_life_with_clock_times_and_values(self):
        guard = self.guard("a100-80gb")
        page = self.live(self.tab(), guard)
        figure = page.locator("figure.temperature")
        width = figure.locator("svg").evaluate("it => it.viewBox.baseVal.width")
        step = page.evaluate("fetch('api/v1/history').then((it) => it.json()).then((it) => it.step_seconds)")
        self.assertEqual(width * step, 300, "five minutes, not an hour")
        first, middle, last = figure.locator(".axis span").all_text_contents()
        minutes = page.evaluate("""(texts) => texts.map((text) => {
            const [hour, minute] = text.match(/\\d+/g).map(Number);
            return (hour % 12) * 60 + minute;
        })""", [first, middle])
        now = page.evaluate("new Date().getHours() % 12 * 60 + new Date().getMinutes()")
        self.assertIn((now - minutes[0]) % 720, (5, 6), first)
        self.assertIn((now - minutes[1]) % 720, (2, 3, 4), middle)
        self.assertEqual(last, "now")
        plot = figure.locator(".plot")
        box = plot.bounding_box()
        page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] / 2)
        self.assertRegex(plot.get_attribute("data-told"), r"\d:\d\d.*, mean \d+ °C")
        page.mouse.move(0, 0)
        self.assertIsNone(plot.get_attribute("data-told"))
