// A state timeline: one line a series, runs of equal values as boxes, coloured and named by the
// panel's value mappings. Grafana's own is not among the published components.

import React from 'react';
import { FieldType } from '@grafana/data';
import { LegendDisplayMode } from '@grafana/schema';
import { VizLegend, useTheme2 } from '@grafana/ui';

const AXIS_HEIGHT = 22;
const LEGEND_HEIGHT = 28;

/** Runs of equal values: [{ value, from, to }] in indexes. */
function runs(values) {
    const found = [];
    values.forEach((value, index) => {
        const previous = found[found.length - 1];
        if (previous && previous.value === value) previous.to = index + 1;
        else found.push({ value, from: index, to: index + 1 });
    });
    return found.filter(({ value }) => value !== null);
}

export function StateTimeline(props) {
    const { panel, height } = props;
    if (!panel.options.legend.showLegend) return <Rows {...props} />;
    return (
        <>
            <Rows {...props} height={height - LEGEND_HEIGHT} />
            <Legend {...props} />
        </>
    );
}

/** What the colours mean. */
function Legend({ panel }) {
    const theme = useTheme2();
    const [{ options }] = panel.fieldConfig.defaults.mappings;
    const items = Object.values(options).map(({ text, color }) => ({
        label: text,
        color: theme.visualization.getColorByName(color),
        yAxis: 1,
    }));
    return <VizLegend items={items} displayMode={LegendDisplayMode.List} placement="bottom" />;
}

function Rows({ frames, panel, width, height, range }) {
    const theme = useTheme2();
    const { rowHeight, showValue } = panel.options;
    const rows = frames.map((frame) => frame.fields.find(({ type }) => type === FieldType.number));
    const gutter = Math.min(
        width / 3,
        14 + 7 * Math.max(...rows.map((field) => field.state.displayName.length)),
    );
    const row = (height - AXIS_HEIGHT) / rows.length;
    const box = Math.min(row * rowHeight, 34);
    const steps = rows[0].values.length;
    const x = (index) => gutter + ((width - gutter) * index) / steps;
    const opacity = (panel.fieldConfig.defaults.custom.fillOpacity ?? 70) / 100;
    return (
        <svg width={width} height={height} style={{ font: `12px ${theme.typography.fontFamily}` }}>
            {rows.map((field, line) => (
                <g key={line}>
                    <text
                        x={gutter - 8}
                        y={(line + 0.5) * row}
                        textAnchor="end"
                        dominantBaseline="middle"
                        fill={theme.colors.text.primary}
                    >
                        {field.state.displayName}
                    </text>
                    {runs(field.values).map(({ value, from, to }) => {
                        const { color, text } = field.display(value);
                        if (color === 'transparent' || color === 'rgba(0, 0, 0, 0)') return null;
                        const boxWidth = x(to) - x(from);
                        const fits = showValue !== 'never' && boxWidth > text.length * 7 + 6;
                        return (
                            <g key={from}>
                                <rect
                                    x={x(from)}
                                    y={(line + 0.5) * row - box / 2}
                                    width={boxWidth}
                                    height={box}
                                    fill={color}
                                    fillOpacity={opacity}
                                />
                                {fits && (
                                    <text
                                        x={x(from) + 4}
                                        y={(line + 0.5) * row}
                                        dominantBaseline="middle"
                                        fill={theme.colors.getContrastText(color)}
                                    >
                                        {text}
                                    </text>
                                )}
                            </g>
                        );
                    })}
                </g>
            ))}
            <Axis {...{ range, gutter, width, height, theme }} />
        </svg>
    );
}

function Axis({ range, gutter, width, height, theme }) {
    const every = 300;
    const ticks = [];
    for (let time = Math.ceil(range.from / every) * every; time <= range.to; time += every) ticks.push(time);
    const x = (time) => gutter + ((width - gutter) * (time - range.from)) / (range.to - range.from);
    return ticks.map((time) => (
        <text key={time} x={x(time)} y={height - 4} textAnchor="middle" fill={theme.colors.text.secondary}>
            {new Date(time * 1000).toISOString().slice(11, 16)}
        </text>
    ));
}
