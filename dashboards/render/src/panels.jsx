// Stand-ins for Grafana's panel plugins, which it doesn't publish, over the components they use.

import React from 'react';
import {
    FieldType,
    dateTime,
    formattedValueToString,
    standardTransformers,
    standardTransformersRegistry,
    transformDataFrame,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, useTheme2 } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { lastValueFrom } from 'rxjs';
import { StateTimeline } from './timeline.jsx';

standardTransformersRegistry.setInit(() =>
    ['mergeTransformer', 'organizeFieldsTransformer', 'filterFieldsByNameTransformer'].map((key) => {
        const transformation = standardTransformers[key];
        return {
            id: transformation.id,
            name: transformation.name,
            transformation: async () => transformation,
        };
    }),
);

export function transform(frames, transformations = []) {
    return lastValueFrom(transformDataFrame(transformations, frames));
}

const values = (frames) =>
    frames.flatMap((frame) =>
        frame.fields.filter((field) => field.type === FieldType.number).map((field) => ({ frame, field })),
    );
const last = (field) => field.values[field.values.length - 1];

function Stat({ frames, panel, width, height }) {
    const theme = useTheme2();
    const [{ field }] = values(frames);
    const { colorMode, graphMode, justifyMode, textMode } = panel.options;
    return (
        <BigValue
            theme={theme}
            value={field.display(last(field))}
            {...{ width, height, colorMode, graphMode, justifyMode, textMode }}
        />
    );
}

function Bars({ frames, panel, width, height }) {
    const theme = useTheme2();
    const { displayMode, orientation, showUnfilled, valueMode, namePlacement, maxVizHeight, minVizHeight } =
        panel.options;
    const all = values(frames);
    const max = Math.max(1, ...all.map(({ field }) => last(field)));
    const factors = {
        title: longest(all.map(({ field }) => field.state.displayName)),
        text: longest(all.map(({ field }) => formattedValueToString(field.display(last(field))))),
    };
    const rowHeight = Math.min(maxVizHeight, Math.max(minVizHeight, height / all.length - 10));
    return all.map(({ field }, index) => (
        <div key={index} style={{ marginBottom: 10 }}>
            <BarGauge
                theme={theme}
                width={width}
                height={rowHeight}
                field={{ ...field.config, min: 0, max }}
                display={field.display}
                value={{ ...field.display(last(field)), title: field.state.displayName }}
                alignmentFactors={factors}
                valueDisplayMode={valueMode}
                {...{ displayMode, orientation, showUnfilled, namePlacement }}
            />
        </div>
    ));
}

const longest = (texts) => texts.reduce((a, b) => (b.length > a.length ? b : a), '');

function Lines({ frames, panel, width, height, range, annotations }) {
    const { legend } = panel.options;
    const timeRange = {
        from: dateTime(range.from * 1000),
        to: dateTime(range.to * 1000),
        raw: { from: 'now-1h', to: 'now' },
    };
    const drawn = new WeakSet();
    return (
        <TimeSeries
            frames={frames}
            width={width}
            height={height}
            timeRange={timeRange}
            timeZone="utc"
            legend={legend}
            options={panel.options}
        >
            {(builder) => {
                if (!drawn.has(builder))
                    builder.addHook('draw', (plot) => drawAnnotations(plot, annotations));
                drawn.add(builder);
                return null;
            }}
        </TimeSeries>
    );
}

function drawAnnotations(plot, annotations) {
    const { ctx, bbox } = plot;
    for (const { time, timeEnd, color } of annotations) {
        const left = Math.max(bbox.left, plot.valToPos(time, 'x', true));
        const right = Math.max(left, plot.valToPos(timeEnd, 'x', true));
        ctx.save();
        ctx.strokeStyle = ctx.fillStyle = color;
        ctx.globalAlpha = 0.12;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
        ctx.globalAlpha = 0.9;
        ctx.lineWidth = 1;
        ctx.setLineDash([5, 5]);
        ctx.beginPath();
        ctx.moveTo(left, bbox.top);
        ctx.lineTo(left, bbox.top + bbox.height);
        ctx.stroke();
        ctx.restore();
    }
}

function Table({ frames, panel, width, height }) {
    const { cellHeight, sortBy } = panel.options;
    return (
        <TableNG
            data={frames[0]}
            cellHeight={cellHeight}
            sortBy={sortBy}
            noValue={panel.fieldConfig.defaults.noValue}
            getActions={() => []}
            {...{ width, height }}
        />
    );
}

const NoData = ({ panel, height }) => (
    <div
        style={{
            height,
            display: 'grid',
            placeItems: 'center',
            textAlign: 'center',
            opacity: 0.75,
            padding: 8,
        }}
    >
        {panel.fieldConfig.defaults.noValue ?? 'No data'}
    </div>
);

const KINDS = {
    stat: Stat,
    bargauge: Bars,
    timeseries: Lines,
    table: Table,
    'state-timeline': StateTimeline,
};

export function Panel(props) {
    const empty = props.frames.every(
        (frame) =>
            frame.length === 0 ||
            values([frame]).length + frame.fields.filter(({ type }) => type === FieldType.string).length ===
                0,
    );
    const Kind = empty ? NoData : KINDS[props.panel.type];
    return <Kind {...props} />;
}
