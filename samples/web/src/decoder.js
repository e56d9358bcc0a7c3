// Decodes files into ordinary textures, on load. What draws is in webgl.js and webgpu.js; here is what both have in common.

import {
    ClampToEdgeWrapping, DataTexture, DataUtils, FloatType, HalfFloatType, LinearFilter, LinearMipmapLinearFilter,
    LinearSRGBColorSpace, NoColorSpace, RepeatWrapping, RGBAFormat, SRGBColorSpace, UnsignedByteType,
} from 'three';

import { checkComponents } from './components.js';
import { LimitError } from './errors.js';

const BAND = 1 << 18; // texels that are drawn at once: longer draws would make a page stutter, or be ended by the browser
const MOST_VALUES = 2 ** 28;

/** Decodes files; `WebGLDecoder` and `WebGPUDecoder` say how. */
export class GstexDecoder {
    /** @param {object} [options] maxValues: that one call decodes at most, counted in every component of every map. */
    constructor({ maxValues = MOST_VALUES } = {}) {
        this.maxValues = maxValues;
    }

    /**
     * Decode maps of a file into textures with all of its mips.
     *
     * @param {object} file Of `readFile`.
     * @param {object[]} maps As `standardMaps` gives them.
     * @param {object} [options] flipY: row 0 of the picture is at v = 1, as three.js' own geometry has it, and not at v = 0, as
     *     in glTF. type: FloatType for textures of floats, instead of UnsignedByteType (HalfFloatType for maps with `float`).
     *     mips: false for the largest alone.
     * @returns {Promise<DataTexture[]>} One for each map, whose pixels are in memory until nobody refers to it.
     * @throws {LimitError} Too many texels, before anything is allocated. {FormatError} A map that the file does not have.
     */
    async decode(file, maps, { flipY = true, type = UnsignedByteType, mips = true } = {}) {
        const { material } = file, levels = mips ? material.mipCount : 1;
        const side = (size, m) => Math.max(1, size >> m);
        const sizes = Array.from({ length: levels }, (_, m) => [side(material.width, m), side(material.height, m)]);
        const values = 4 * maps.length * sizes.reduce((sum, [width, height]) => sum + width * height, 0);
        if (values > this.maxValues)
            throw new LimitError(`the file stands for ${values} values; at most ${this.maxValues} are decoded (maxValues)`);
        if (Math.max(...sizes[0]) > this.maxSize)
            throw new LimitError(`the file is ${sizes[0].join('x')}; this GPU takes ${this.maxSize} texels along an axis`);
        for (const { components } of maps) checkComponents(components, material);

        const isFloat = (map) => Boolean(map.float || type !== UnsignedByteType), textures = new Map();
        for (const float of [false, true]) { // what is drawn at once has one type
            const mine = maps.filter((map) => isFloat(map) === float);
            for (let i = 0; i < mine.length; i += this.mapsAtOnce) {
                const part = mine.slice(i, i + this.mapsAtOnce);
                const pixels = await this._decode(file, part, sizes, float, flipY);
                part.forEach((map, n) => textures.set(map, textureOf(map, pixels[n], sizes, material, float, type)));
            }
        }
        return maps.map((map) => textures.get(map));
    }

    /** Pixels of each map and mip: Uint8Array or Float32Array. */
    async _decode(file, maps, sizes, isFloat, flipY) {
        const Pixels = isFloat ? Float32Array : Uint8Array;
        const pixels = maps.map(() => sizes.map(([width, height]) => new Pixels(4 * width * height)));
        const drawing = this.begin(file, maps, isFloat);
        try {
            for (const [mip, [width, height]] of sizes.entries()) {
                const rows = Math.min(height, Math.max(1, Math.floor(BAND / width)));
                for (let first = 0; first < height; first += rows) {
                    const count = Math.min(rows, height - first);
                    const to = pixels.map((list) => list[mip].subarray(4 * width * first, 4 * width * (first + count)));
                    await drawing.draw({ mip, width, rows: count, first, last: flipY ? height - 1 : -1 }, to);
                }
            }
        } finally {
            drawing.dispose();
        }
        return pixels;
    }
}

function textureOf(map, pixels, sizes, material, isFloat, type) {
    const kept = isFloat ? (type === FloatType ? FloatType : HalfFloatType) : UnsignedByteType;
    const data = kept === HalfFloatType ? pixels.map((level) => Uint16Array.from(level, halfOf)) : pixels;
    const texture = new DataTexture(data[0], ...sizes[0], RGBAFormat, kept);
    if (sizes.length > 1) texture.mipmaps = data.map((level, m) => ({ data: level, width: sizes[m][0], height: sizes[m][1] }));
    texture.colorSpace = map.srgb ? SRGBColorSpace : map.float ? LinearSRGBColorSpace : NoColorSpace;
    texture.wrapS = texture.wrapT = material.repeat ? RepeatWrapping : ClampToEdgeWrapping;
    texture.magFilter = LinearFilter;
    texture.minFilter = sizes.length > 1 ? LinearMipmapLinearFilter : LinearFilter;
    texture.generateMipmaps = texture.flipY = false; // both are done
    texture.needsUpdate = true;
    return texture;
}

/** Within what a half holds. */
const halfOf = (x) => DataUtils.toHalfFloat(Math.min(Math.max(x, -65504), 65504));
