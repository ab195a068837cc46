// Field settings: a panel's defaults and overrides, onto the fields they are for.

import { getDisplayProcessor, getFieldDisplayName } from '@grafana/data';

function matches({ id, options }, name) {
    if (id === 'byName') return name === options;
    const [, pattern, flags] = /^\/(.*)\/(\w*)$/.exec(options);
    return new RegExp(pattern, flags).test(name);
}

function set(config, path, value) {
    if (path.startsWith('custom.')) config.custom[path.slice('custom.'.length)] = value;
    else config[path] = value;
}

export function applyFieldConfig(frames, { defaults, overrides }, theme) {
    return frames.map((frame, frameIndex) => ({
        ...frame,
        fields: frame.fields.map((field, index) => {
            const config = {
                ...structuredClone(defaults),
                ...field.config,
                custom: structuredClone(defaults.custom ?? {}),
            };
            const name = getFieldDisplayName({ ...field, config }, frame, frames);
            for (const { matcher, properties } of overrides) {
                if (matches(matcher, name)) properties.forEach(({ id, value }) => set(config, id, value));
            }
            const configured = {
                ...field,
                config,
                state: {
                    seriesIndex: frameIndex,
                    displayName: name,
                    origin: { frameIndex, fieldIndex: index },
                },
            };
            configured.display = getDisplayProcessor({ field: configured, theme, timeZone: 'utc' });
            return configured;
        }),
    }));
}
