// A small Grafana: lays a dashboard's panels out with the data of a Prometheus.
// /?dashboard=…&prometheus=…&from=…&to=…&step=…&theme=…[&var-instance=…][&rows=title,…]

import React from 'react';
import { createRoot } from 'react-dom/client';
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import { ThemeContext, createTheme } from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { applyFieldConfig } from './fields.js';
import { Panel, transform } from './panels.jsx';
import { Prometheus, legend } from './prometheus.js';

const CELL = { width: 62, height: 30, gap: 8 };
const DASHBOARDS = import.meta.glob('../../*.json', { import: 'default' });
const SCRAPE_INTERVAL = 15; // the data source's default; Grafana doesn't ask Prometheus
const query = Object.fromEntries(new URLSearchParams(location.search));
const range = { from: Number(query.from), to: Number(query.to) };
const step = Number(query.step);
const prometheus = new Prometheus(query.prometheus, range.from, range.to, step);
const theme = createTheme({ colors: { mode: query.theme } });

const quantifier = (values) => (values.length > 1 ? `(${values.join('|')})` : values[0]);
/** As Grafana has it: the step and a scrape, so that each window holds two samples at least. */
const rateInterval = ({ interval = '0s' }) => `${Math.max(step, parseInt(interval, 10)) + SCRAPE_INTERVAL}s`;
const substitute = (text, values) =>
    text.replace(/\$\{?([A-Za-z_]\w*)\}?/g, (all, name) =>
        name in values ? quantifier([].concat(values[name])) : all,
    );

async function variables(list) {
    const values = { __range: `${range.to - range.from}s`, __interval: `${step}s` };
    for (const variable of list.filter(({ type }) => type === 'query')) {
        const found = await prometheus.labelValues(substitute(variable.query.query, values));
        const all = variable.multi ? found : found[0];
        values[variable.name] = query[`var-${variable.name}`] ?? all;
    }
    return values;
}

/** Panels with their variables and place; a row that repeats appears once for each value. */
function place(panels, values) {
    const sections = [];
    for (const panel of panels) {
        if (panel.type === 'row') sections.push([panel]);
        else sections[sections.length - 1].push(panel);
    }
    const placed = [];
    let y = 0;
    for (const [row, ...rest] of sections) {
        const repeats = row.repeat
            ? [].concat(values[row.repeat]).map((value) => ({ ...values, [row.repeat]: value }))
            : [values];
        for (const own of repeats) {
            if (query.rows && !query.rows.split(',').includes(substitute(row.title, own))) continue;
            const bottom = Math.max(...rest.map(({ gridPos }) => gridPos.y + gridPos.h));
            for (const panel of [row, ...rest])
                placed.push({ panel, values: own, y: y + panel.gridPos.y - row.gridPos.y });
            y += bottom - row.gridPos.y;
        }
    }
    return { placed, height: y };
}

async function load({ panel, values, y }) {
    if (panel.type === 'row') return { panel, values, y };
    const { targets } = panel;
    const all = { ...values, __rate_interval: rateInterval(panel) };
    const frames = (
        await Promise.all(
            targets.map((target) => prometheus.frames(target, substitute(target.expr, all), targets.length)),
        )
    ).flat();
    return {
        panel,
        values,
        y,
        frames: applyFieldConfig(await transform(frames, panel.transformations), panel.fieldConfig, theme),
    };
}

async function annotate({ expr, iconColor, useValueForTime, titleFormat }, values) {
    const events = [];
    for (const { metric, values: samples } of await prometheus.range(substitute(expr, values))) {
        const times = samples
            .filter(([, value]) => Number(value) > 0)
            .map(([time, value]) => (useValueForTime ? Number(value) : time * 1000));
        for (const time of times) {
            const open = events[events.length - 1];
            if (open && open.metric === metric && open.timeEnd + step * 1000 >= time) open.timeEnd = time;
            else
                events.push({
                    metric,
                    time,
                    timeEnd: time,
                    color: theme.visualization.getColorByName(iconColor),
                    title: legend(titleFormat, metric),
                });
        }
    }
    return events.filter(({ timeEnd }) => timeEnd >= range.from * 1000);
}

function Placed({ item: { panel, values, y, frames }, annotations }) {
    const { x, w, h } = panel.gridPos;
    const style = {
        position: 'absolute',
        left: x * CELL.width,
        top: y * (CELL.height + CELL.gap),
        width: w * CELL.width - CELL.gap,
        height: h * (CELL.height + CELL.gap) - CELL.gap,
    };
    const title = substitute(panel.title, values);
    if (panel.type === 'row')
        return (
            <div style={{ ...style, fontWeight: 500, display: 'flex', alignItems: 'center' }}>
                ⌄&ensp;{title}
            </div>
        );
    return (
        <div style={style}>
            <PanelChrome
                title={title}
                description={panel.description}
                width={style.width}
                height={style.height}
            >
                {(width, height) => <Panel {...{ panel, frames, width, height, range, annotations }} />}
            </PanelChrome>
        </div>
    );
}

async function main() {
    const dashboard = await DASHBOARDS[`../../${query.dashboard}.json`]();
    const values = await variables(dashboard.templating.list);
    const { placed, height } = place(dashboard.panels, values);
    const items = await Promise.all(placed.map(load));
    const annotations = (
        await Promise.all(
            dashboard.annotations.list
                .filter(({ enable }) => enable)
                .map((annotation) => annotate(annotation, values)),
        )
    ).flat();
    const page = {
        position: 'relative',
        width: 24 * CELL.width,
        height: height * (CELL.height + CELL.gap),
        margin: 12,
    };
    createRoot(document.getElementById('root')).render(
        <ThemeContext.Provider value={theme}>
            <GlobalStyles />
            <h1 style={{ margin: '12px 12px 0', fontSize: 18 }}>
                {dashboard.title}
                {query['var-instance'] ? `, ${query['var-instance']}` : ''}
            </h1>
            <div style={page}>
                {items.map((item, index) => (
                    <Placed key={index} item={item} annotations={annotations} />
                ))}
            </div>
        </ThemeContext.Provider>,
    );
    setTimeout(() => document.body.setAttribute('data-done', ''), 1500);
}

main().catch((error) => {
    document.body.textContent = error.stack;
    document.body.setAttribute('data-done', 'failed');
});
