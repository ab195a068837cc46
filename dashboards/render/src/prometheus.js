// Prometheus's answers as Grafana's data frames, the way its Prometheus data source makes them.

import { FieldType, createDataFrame } from '@grafana/data';

export class Prometheus {
    constructor(url, from, to, step) {
        Object.assign(this, { url, from, to, step });
    }

    async ask(path, parameters) {
        const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
        const body = await response.json();
        if (body.status !== 'success') throw new Error(body.error);
        return body.data;
    }

    labelValues(query) {
        const [, selector, label] = /^label_values\((.*),\s*(\w+)\)$/.exec(query);
        const range = { start: this.from, end: this.to };
        return this.ask(`label/${label}/values`, { 'match[]': selector, ...range });
    }

    range(expr) {
        const { from: start, to: end, step } = this;
        return this.ask('query_range', { query: expr, start, end, step }).then(({ result }) => result);
    }

    /** The frames of one target, `count` being how many the panel has. */
    async frames(target, expr, count) {
        if (target.format === 'table') return [await this.table(target, expr, count)];
        const series = target.instant
            ? (await this.ask('query', { query: expr, time: this.to })).result.map(({ metric, value }) => ({
                  metric,
                  values: [value],
              }))
            : await this.range(expr);
        return series.map(({ metric, values }) =>
            this.seriesFrame(target, metric, target.instant ? values : this.withGaps(values)),
        );
    }

    /** A step without a sample is a null: a line ends there. */
    withGaps(values) {
        const at = new Map(values.map(([time, value]) => [Math.round(time), value]));
        const steps = [];
        for (let time = this.from; time <= this.to; time += this.step)
            steps.push([time, at.get(Math.round(time)) ?? null]);
        return steps;
    }

    seriesFrame(target, metric, values) {
        const name = legend(target.legendFormat, metric);
        return createDataFrame({
            refId: target.refId,
            name,
            fields: [
                {
                    name: 'Time',
                    type: FieldType.time,
                    values: values.map(([time]) => time * 1000),
                    config: { interval: this.step * 1000 },
                },
                {
                    name: 'Value',
                    type: FieldType.number,
                    labels: metric,
                    config: { displayNameFromDS: name },
                    values: values.map(([, value]) => (value === null ? null : Number(value))),
                },
            ],
        });
    }

    async table({ refId }, expr, count) {
        const { result } = await this.ask('query', { query: expr, time: this.to });
        const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))];
        return createDataFrame({
            refId,
            fields: [
                { name: 'Time', type: FieldType.time, values: result.map(({ value }) => value[0] * 1000) },
                ...labels.map((label) => ({
                    name: label,
                    type: FieldType.string,
                    values: result.map(({ metric }) => metric[label] ?? ''),
                })),
                {
                    name: count > 1 ? `Value #${refId}` : 'Value',
                    type: FieldType.number,
                    values: result.map(({ value }) => Number(value[1])),
                },
            ],
        });
    }
}

export function legend(format, labels) {
    return (format ?? '').replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? '');
}
