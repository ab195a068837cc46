"""The page stays at home, is small, and shows hostile words as words."""

import re

from proof import FIRST, Proof, card

HOSTILE = "<img src=x onerror='window.pwned=1'><script>window.pwned=1</script>"
ALERT = {
    "version": "4",
    "status": "firing",
    "alerts": [
        {
            "status": "firing",
            "labels": {
                "alertname": HOSTILE,
                "uuid": FIRST,
                "guard_action": "gradual",
                "severity": HOSTILE,
            },
            "annotations": {"summary": HOSTILE},
            "startsAt": "2026-11-23T08:06:41.752Z",
            "fingerprint": "febc53a2d4c8b45d",
        }
    ],
}

# A script that would be unsafe, and a page whose policy lets it be.
CARELESS = ("place.textContent = text", "place.innerHTML = text")


def injected(page):
    """What a hostile word has brought about."""
    return page.evaluate("""() => ({
        pwned: window.pwned === 1,
        elements: document.querySelectorAll("img, main script, header script").length })""")


class Safety(Proof):
    def hostile(self, tab):
        """The page while an alert with a hostile name holds a lease."""
        guard = self.guard("a100-80gb")
        guard.post("/hook", ALERT)
        page = tab.open(guard.url)
        lease = page.locator(f"{card(FIRST)} .leases li")
        tab.eventually(lambda: lease.count() == 1)
        # Time for a view or two from the stream.
        page.wait_for_timeout(1200)
        return page, lease

    def careless(self, tab, lift_policy):
        def script(route):
            body = route.fetch().text()
            self.assertIn(CARELESS[0], body)
            route.fulfill(body=body.replace(*CARELESS), content_type="text/javascript")

        def page(route):
            answer = route.fetch()
            headers = dict(answer.headers)
            if lift_policy:
                del headers["content-security-policy"]
            # As an attacker would find it: nothing said yet.
            body = re.sub(r'(class="source"[^>]*>)[^<]*', r"\1", answer.text())
            route.fulfill(response=answer, body=body, headers=headers)

        tab.page.route("**/assets/live.js", script)
        tab.page.route(re.compile(r"^http://[^/]+/$"), page)

    def test_a_hostile_alert_stays_words(self):
        tab = self.tab()
        page, lease = self.hostile(tab)
        self.assertIn("<img src=x onerror='window.pwned=1'>", lease.text_content())
        self.assertEqual(injected(page), {"pwned": False, "elements": 0})
        self.assertEqual((tab.refused(), tab.errors), ([], []))

    def test_the_same_check_sees_a_careless_script(self):
        tab = self.tab()
        self.careless(tab, lift_policy=True)
        page, _ = self.hostile(tab)
        found = injected(page)
        self.assertTrue(found["pwned"] and found["elements"] > 0, found)

    def test_the_policy_stops_even_a_careless_script(self):
        tab = self.tab()
        self.careless(tab, lift_policy=False)
        page, _ = self.hostile(tab)
        self.assertEqual(injected(page), {"pwned": False, "elements": 0})
        self.assertTrue(any("Trusted" in error for error in tab.errors), tab.errors)

    def test_the_page_asks_nobody_but_the_guard_and_little_of_it(self):
        guard = self.guard(*["h100"] * 8)
        tab = self.tab()
        sizes = {}
        tab.page.on("response", lambda answer: sizes.update({answer.url: answer}))
        self.live(tab, guard)
        self.assertEqual(tab.elsewhere(guard.url), [])
        self.assertEqual((tab.refused(), tab.errors, tab.complaints), ([], [], []))
        still = {url: answer for url, answer in sizes.items() if not url.endswith("/live")}
        weights = {url.removeprefix(guard.url): len(answer.body()) for url, answer in still.items()}
        print("  weight with 8 GPUs:", weights, "=", sum(weights.values()))
        self.assertGreaterEqual(len(weights), 5)
        self.assertLess(sum(weights.values()), 100_000)

    def test_the_check_of_requests_sees_one_that_leaves(self):
        guard = self.guard("a100-80gb")
        tab = self.tab()
        page = self.live(tab, guard)
        page.evaluate("fetch('http://127.0.0.1:9/').catch(() => 0)")
        self.assertTrue(tab.eventually(tab.refused))
        self.assertIn("connect-src http://127.0.0.1:9/", tab.refused()[0])
