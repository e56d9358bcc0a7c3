// What R, G, B and A of a texture are, checked and as text of a shader. GLSL and WGSL read these expressions alike.

import { FormatError } from './errors.js';

/**
 * @param {object[]} components 3 or 4, each one of {channel, invert, source}, {value} and {normalZ: [x, y]}: a channel, 1 minus
 *     it, or in the units of its map; a value in 0..1; the Z of a normal.
 * @throws {FormatError} They are anything else, or the file has no such channel.
 */
export function checkComponents(components, material) {
    const isChannel = (c) => Number.isInteger(c) && c >= 0 && c < material.channels.length;
    const isSound = ({ channel, value, normalZ }) => {
        if ([channel, value, normalZ].filter((x) => x !== undefined).length !== 1) return false;
        if (channel !== undefined) return isChannel(channel);
        if (value !== undefined) return typeof value === 'number' && value >= 0 && value <= 1;
        return Array.isArray(normalZ) && normalZ.length === 2 && normalZ.every(isChannel);
    };
    const isList = Array.isArray(components) && (components.length === 3 || components.length === 4);
    if (!isList || !components.every((part) => part && isSound(part)))
        throw new FormatError(`components: got ${JSON.stringify(components)}, expected 3 or 4 that the file has`);
}

/** The channels that some maps need, a bit each: GSTEX_CHANNELS. */
export function channelsOf(maps) {
    let needed = 0;
    for (const { components } of maps) {
        for (const { channel, normalZ } of components)
            for (const c of normalZ ?? (channel === undefined ? [] : [channel])) needed |= 1 << c;
    }
    return needed;
}

/** `r, g, b, a` of a map from a GstexValue called `value`. The shader has a function gstex_z(value, x, y). */
export function expressionsOf({ components }) {
    const all = components.length === 4 ? components : [...components, { value: 1 }];
    return all.map(({ channel, invert, source, value, normalZ }) => {
        if (normalZ) return `gstex_z(value, ${normalZ.join(', ')})`;
        if (channel === undefined) return value.toPrecision(9);
        const x = `${invert ? '1.0 - ' : ''}gstex_channel(value, ${channel})`;
        return source ? `gstex_source_value(0u, ${channel}, ${x})` : x;
    }).join(', ');
}
