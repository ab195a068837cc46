// Draws the dashboards as pictures: node render.mjs PROMETHEUS_URL FROM TO OUT_FOLDER
// FROM and TO are Unix times; CHROMIUM names the browser, /usr/bin/chromium if unset.

import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const WIDTH = 1512; // Grafana's 24 columns on a laptop
const STEPS = 300; // of a range query: about what Grafana asks for a panel of that width

const [prometheus, from, to, out] = process.argv.slice(2);
const step = Math.max(1, Math.round((to - from) / STEPS));
const common = { prometheus, from, to, step, theme: process.env.THEME ?? 'dark' };
const { INSTANCE, ROWS, CHROMIUM = '/usr/bin/chromium' } = process.env;
const PICTURES = [
    { dashboard: 'thermal', ...(INSTANCE && { 'var-instance': INSTANCE }), ...(ROWS && { rows: ROWS }) },
    { dashboard: 'fleet' },
];

async function draw(page, origin, picture) {
    const { dashboard } = picture;
    page.on('pageerror', (error) => console.error(`${dashboard}: ${error.stack}`));
    page.on(
        'console',
        (message) => message.type() === 'error' && console.error(`${dashboard}: ${message.text()}`),
    );
    await page.goto(`${origin}/?${new URLSearchParams({ ...common, ...picture })}`);
    await page.waitForSelector('body[data-done]', { timeout: 180_000, state: 'attached' });
    // Tables draw only the rows that are in view.
    const height = await page.evaluate(() => document.documentElement.scrollHeight);
    await page.setViewportSize({ width: WIDTH, height });
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${out}/dashboard-${dashboard}.png` });
}

const server = await createServer({
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0, fs: { allow: ['..'] } },
    optimizeDeps: { include: ['@grafana/data', '@grafana/ui', '@grafana/ui/unstable'] },
});
await server.listen();
const origin = `http://127.0.0.1:${server.httpServer.address().port}`;
const quiet = [
    '--disable-quic',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];
const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', ...quiet],
});
try {
    for (const picture of PICTURES) {
        await draw(await browser.newPage({ viewport: { width: WIDTH, height: 1000 } }), origin, picture);
    }
} finally {
    await browser.close();
    await server.close();
}
