"""Everybody can use the page: by keyboard, by ear, on a telephone, in the dark, without a script."""

import rig
from proof import FIRST, Proof, card

# Where a person can do something.
ACTS = "a[href], button, input, select, summary, [tabindex='0']"

# WCAG's contrast of every text that is seen, in every state that a card can have.
CONTRAST = """
() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], [R, G, B]) => [r*a + R*(1-a), g*a + G*(1-a), b*a + B*(1-a)];
    const light = (rgb) => rgb.map((c) => c / 255)
        .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (element) => element === null ? [255, 255, 255]
        : over(parse(getComputedStyle(element).backgroundColor), ground(element.parentElement));
    const poor = [], ratios = [];
    const cards = [...document.querySelectorAll(".gpus > li")];
    for (const tone of ["normal", "gradual", "recovering", "emergency", "blind", "down"]) {
        for (const card of cards) card.dataset.tone = tone;
        for (const light_ of document.querySelectorAll(".lights > div"))
            light_.dataset.tone = { normal: "good", gradual: "notice" }[tone] ?? "bad";
        for (const element of document.querySelectorAll("body *")) {
            const says = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
            if (!says || !element.checkVisibility() || element.closest(".unseen, .skip")) continue;
            const style = getComputedStyle(element);
            const back = ground(element);
            const [a, b] = [light(over(parse(style.color), back)), light(back)];
            const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
            ratios.push(ratio);
            if (ratio < 4.5) poor.push(`${tone}: ${element.className} ${ratio.toFixed(2)}`);
        }
    }
    return { poor, least: Math.min(...ratios), texts: ratios.length };
}
"""


class Reach(Proof):
    def test_the_keyboard_reaches_everything_that_acts(self):
        guard = self.guard("a100-80gb", "l40s")
        tab = self.tab()
        page = self.live(tab, guard)
        acting = page.evaluate(f"document.querySelectorAll(`{ACTS}`).length")
        reached = []
        for _ in range(acting):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.textContent"))
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            self.assertNotEqual(outline, "none", f"no focus to be seen on {reached[-1]}")
        self.assertEqual(len(set(reached)), acting, reached)
        self.assertIn("More of GPU 1", reached)

    def test_what_was_opened_and_focused_stays_so_while_the_page_goes_on(self):
        guard = self.guard("a100-80gb", "l40s")
        tab = self.tab()
        page = self.live(tab, guard)
        summary = page.locator(f"{card(FIRST)} summary")
        summary.focus()
        page.keyboard.press("Enter")
        page.wait_for_timeout(2500)
        self.assertTrue(page.locator(f"{card(FIRST)} details").evaluate("it => it.open"))
        self.assertTrue(summary.evaluate("it => it === document.activeElement"))
        self.assertTrue(page.get_by_text(FIRST).is_visible())

    def test_the_accessibility_tree_has_landmarks_headings_and_names(self):
        guard = self.guard("a100-80gb", "l40s", inlet=45, load=1)
        tab = self.tab()
        page = self.live(tab, guard)
        client = tab.context.new_cdp_session(page)
        nodes = client.send("Accessibility.getFullAXTree")["nodes"]
        nodes = [node for node in nodes if not node["ignored"]]
        role = lambda node: node["role"]["value"]
        name = lambda node: node.get("name", {}).get("value", "").strip()
        roles = [role(node) for node in nodes]
        for landmark in ("banner", "main", "contentinfo", "navigation"):
            self.assertEqual(roles.count(landmark), 1, landmark)
        for node in nodes:
            if role(node) in ("link", "button", "DisclosureTriangle", "heading", "region", "navigation"):
                self.assertTrue(name(node), f"a {role(node)} without a name")
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')]"
                               ".filter((h) => h.checkVisibility()).map((h) => Number(h.localName[1]))")
        self.assertEqual((levels[0], levels.count(1)), (1, 1))
        steps = [after - before for before, after in zip(levels, levels[1:])]
        self.assertLessEqual(max(steps), 1, f"a heading is left out: {levels}")
        figures = [name(node) for node in nodes if role(node) in ("figure", "Figure")]
        self.assertEqual(len(figures), 4)
        self.assertFalse([node for node in nodes if role(node) in ("image", "img", "SvgRoot")],
                         "the picture has its words beside it")
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((it) => it.id)")
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(page.evaluate("document.documentElement.lang"), "en")

    def test_all_text_has_contrast_in_the_light_and_in_the_dark(self):
        guard = self.guard("a100-80gb", config="alertmanager: { expected: true }\n",
                           flags=["--mode=observe"], inlet=45, load=1)
        for scheme in ("light", "dark"):
            tab = self.tab(color_scheme=scheme)
            page = self.live(tab, guard)
            page.locator("summary").first.click()
            found = page.evaluate(CONTRAST)
            print(f"  {scheme}: least contrast {found['least']:.2f} of {found['texts']} texts")
            self.assertGreater(found["texts"], 100)
            self.assertEqual(found["poor"], [])

    def test_the_check_of_contrast_sees_a_pale_text(self):
        guard = self.guard("a100-80gb")
        page = self.live(self.tab(color_scheme="light"), guard)
        page.evaluate("document.documentElement.style.setProperty('--faint', '#9aa0a6')")
        self.assertTrue(page.evaluate(CONTRAST)["poor"])

    def test_a_telephone_needs_no_scrolling_sideways(self):
        for cards in (1, 8, 16):
            guard = self.guard(*["h100"] * cards, inlet=45, load=1)
            guard.client("throttle", "--gpu", "all", "--level", "gradual", "--for", "5m")
            tab = self.tab(viewport={"width": 360, "height": 740})
            page = self.live(tab, guard)
            self.assertEqual(page.locator(".gpus > li").count(), cards)
            page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
            wide = page.evaluate("document.documentElement.scrollWidth")
            self.assertLessEqual(wide, 360, f"with {cards} GPUs")
            # Nothing is merely cut off, either.
            cut = page.evaluate("""() => [...document.querySelectorAll("body *")]
                .filter((it) => it.checkVisibility() && !it.closest(".unseen, .skip, svg"))
                .filter((it) => it.getBoundingClientRect().right > 360.5)
                .map((it) => it.className)""")
            self.assertEqual(cut, [], f"with {cards} GPUs")
            guard.stop()

    def test_the_cards_of_eight_gpus_fit_a_screen(self):
        guard = self.guard(*["h100"] * 8, load=1)
        for width, height in ((1440, 900), (1920, 1080)):
            tab = self.tab(viewport={"width": width, "height": height})
            page = self.live(tab, guard)
            end = page.locator(".gpus").evaluate("it => it.getBoundingClientRect().bottom")
            print(f"  eight GPUs at {width}: {end:.0f} pixels")
            self.assertLessEqual(end, height)

    def test_without_a_script_the_page_shows_the_board_and_asks_again(self):
        guard = self.guard("a100-80gb", inlet=45, load=1)
        tab = self.tab(java_script_enabled=False)
        page = tab.open(guard.url)
        self.assertEqual(page.locator(f"{card(FIRST)} .state b").text_content(), "normal")
        self.assertTrue(page.get_by_text("under alert").first.is_visible())
        self.assertFalse(page.locator(".plot").first.is_visible())
        guard.client("throttle", "--gpu", "0", "--level", "gradual", "--for", "5m")
        state = page.locator(f"{card(FIRST)} .state b")
        self.assertTrue(tab.eventually(lambda: state.text_content() == "gradual", 8))
