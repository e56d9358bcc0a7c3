// Decodes files into ordinary textures, on load, by shaders/gstex.glsl in fragment shaders of WebGL2. All maps of a file are
// drawn at once, so a texel is decoded once.

import {
    Camera, DataTexture, DataUtils, FloatType, GLSL3, HalfFloatType, LinearFilter, LinearMipmapLinearFilter, Mesh, NearestFilter,
    NoBlending, NoColorSpace, PlaneGeometry, RawShaderMaterial, RedIntegerFormat, ClampToEdgeWrapping, RepeatWrapping,
    LinearSRGBColorSpace, RGBAFormat, SRGBColorSpace, Scene, UnsignedByteType, UnsignedIntType, WebGLRenderTarget,
} from 'three';

const WIDTH = 2048; // of the texture of words, GSTEX_WIDTH
const BAND = 1 << 18; // texels that are drawn at once: longer draws would make a page stutter, or be ended by the browser
const MOST_TEXELS = 2 ** 28; // counted in every component
const VALUE = -1, NORMAL_Z = -2, INVERT = 16, SOURCE = 32; // kinds of components, as in the shader

/** A file stands for more texels than may be decoded, or than the GPU takes. */
export class LimitError extends Error {
    constructor(message) {
        super(message);
        this.name = 'LimitError';
    }
}

/** The words of a file as a texture for the sampler `gstex_words`; its width is WIDTH. */
export function wordTexture(renderer, words) {
    const rows = Math.ceil(words.length / WIDTH), most = renderer.capabilities.maxTextureSize;
    if (rows > most) throw new LimitError(`the file has ${words.length} words; this GPU takes ${most * WIDTH}`);
    const padded = new Uint32Array(WIDTH * rows);
    padded.set(words);
    const texture = new DataTexture(padded, WIDTH, rows, RedIntegerFormat, UnsignedIntType);
    texture.internalFormat = 'R32UI';
    texture.minFilter = texture.magFilter = NearestFilter;
    texture.needsUpdate = true;
    return texture;
}

/** What stands before gstex.glsl. channels: how many of the file are needed, from the first one on. */
export const definesOf = (material) => `
#define GSTEX_WIDTH ${WIDTH}
#define GSTEX_VEC4S ${Math.ceil(material.channels.length / 4)}
#define GSTEX_MAX_K ${material.topK}
`;

const vertexShader = 'in vec3 position;\nvoid main() { gl_Position = vec4(position.xy, 0.0, 1.0); }';

const fragmentShader = (shader, material, count) => `
uniform highp uint needed_channels;
#define GSTEX_CHANNELS needed_channels
${definesOf(material)}
${shader}
uniform ivec4 kinds[${count}];    // of R, G, B and A of every map: a channel and bits, or what has no channel
uniform vec4 values[${count}];
uniform ivec2 normals[${count}];  // X and Y of the normal whose Z is wanted
uniform int mip, first_row, last_row; // last_row: of the mip if rows are turned over, else -1
${Array.from({ length: count }, (_, i) => `layout(location = ${i}) out vec4 map${i};`).join('\n')}

float component(GstexValue value, int kind, float same, ivec2 normal) {
    if (kind == ${VALUE}) return same;
    if (kind == ${NORMAL_Z}) {
        vec2 xy = 2.0 * vec2(gstex_channel(value, normal.x), gstex_channel(value, normal.y)) - 1.0;
        return 0.5 + 0.5 * sqrt(max(1.0 - dot(xy, xy), 0.0));
    }
    float x = gstex_channel(value, kind & 15);
    if ((kind & ${INVERT}) != 0) x = 1.0 - x;
    return (kind & ${SOURCE}) != 0 ? gstex_source_value(0u, kind & 15, x) : x;
}

vec4 texel_of(GstexValue value, int i) {
    ivec4 kind = kinds[i];
    vec4 same = values[i];
    return vec4(component(value, kind.x, same.x, normals[i]), component(value, kind.y, same.y, normals[i]),
                component(value, kind.z, same.z, normals[i]), component(value, kind.w, same.w, normals[i]));
}

void main() {
    ivec2 texel = ivec2(gl_FragCoord.xy) + ivec2(0, first_row);
    if (last_row >= 0) texel.y = last_row - texel.y;
    GstexValue value = gstex_fetch(0u, texel, mip);
${Array.from({ length: count }, (_, i) => `    map${i} = texel_of(value, ${i});`).join('\n')}
}
`;

/** Decodes files with the context of a WebGLRenderer. */
export class GstexDecoder {
    /**
     * @param {WebGLRenderer} renderer
     * @param {string} shader The text of gstex.glsl.
     * @param {object} [options] maxTexels: that one call decodes at most, counted in every component.
     */
    constructor(renderer, shader, { maxTexels = MOST_TEXELS } = {}) {
        this.renderer = renderer;
        this.shader = shader;
        this.maxTexels = maxTexels;
        this.scene = new Scene();
        this.quad = new Mesh(new PlaneGeometry(2, 2));
        this.quad.frustumCulled = false;
        this.scene.add(this.quad);
        this.camera = new Camera();
    }

    /**
     * Decode maps of a file into textures with all of its mips.
     *
     * @param {object} file Of `readFile`.
     * @param {object[]} maps As `standardMaps` gives them.
     * @param {object} [options] flipY: row 0 of the picture is at v = 1, as three.js' own geometry has it, and not at v = 0, as
     *     in glTF. type: FloatType for textures of floats, instead of UnsignedByteType (HalfFloatType for maps with `float`).
     *     mips: false for the largest alone.
     * @returns {Promise<DataTexture[]>} One for each map, whose pixels are in memory until it is uploaded.
     * @throws {LimitError} Too many texels, before anything is allocated.
     */
    async decode(file, maps, { flipY = true, type = UnsignedByteType, mips = true } = {}) {
        const { material, words } = file, levels = mips ? material.mipCount : 1;
        const side = (size, m) => Math.max(1, size >> m);
        const sizes = Array.from({ length: levels }, (_, m) => [side(material.width, m), side(material.height, m)]);
        const texels = 4 * maps.length * sizes.reduce((sum, [width, height]) => sum + width * height, 0);
        const most = this.renderer.capabilities.maxTextureSize;
        if (texels > this.maxTexels)
            throw new LimitError(`the file stands for ${texels} values; at most ${this.maxTexels} are decoded (maxTexels)`);
        if (Math.max(...sizes[0]) > most)
            throw new LimitError(`the file is ${sizes[0].join('x')}; this GPU takes ${most} texels along an axis`);

        const source = wordTexture(this.renderer, words), gl = this.renderer.getContext();
        const together = Math.min(8, gl.getParameter(gl.MAX_DRAW_BUFFERS));
        const results = [];
        try {
            for (const isFloat of [false, true]) { // targets of one draw have one type
                const mine = maps.filter((map) => Boolean(map.float || type !== UnsignedByteType) === isFloat);
                for (let i = 0; i < mine.length; i += together) {
                    const part = mine.slice(i, i + together);
                    const pixels = await this._draw(part, sizes, source, material, isFloat, flipY);
                    part.forEach((map, n) => results.push([map, this._texture(map, pixels[n], sizes, material, isFloat, type)]));
                }
            }
        } finally {
            source.dispose();
        }
        return maps.map((map) => results.find(([of]) => of === map)[1]);
    }

    /** Pixels of every map and mip: Uint8Array or Float32Array. */
    async _draw(maps, sizes, source, material, isFloat, flipY) {
        const shader = new RawShaderMaterial({
            glslVersion: GLSL3, vertexShader, fragmentShader: fragmentShader(this.shader, material, maps.length),
            blending: NoBlending, depthTest: false, depthWrite: false, toneMapped: false,
            uniforms: {
                gstex_words: { value: source }, ...uniformsOf(maps), mip: { value: 0 }, first_row: { value: 0 },
                last_row: { value: -1 },
            },
        });
        const pixels = maps.map(() => []);
        try {
            for (const [mip, [width, height]] of sizes.entries()) {
                const rows = Math.min(height, Math.max(1, Math.floor(BAND / width)));
                const target = new WebGLRenderTarget(width, rows, {
                    count: maps.length, type: isFloat ? FloatType : UnsignedByteType, format: RGBAFormat, depthBuffer: false,
                    minFilter: NearestFilter, magFilter: NearestFilter, colorSpace: NoColorSpace,
                });
                for (const list of pixels) list.push(new (isFloat ? Float32Array : Uint8Array)(4 * width * height));
                try {
                    for (let row = 0; row < height; row += rows) {
                        shader.uniforms.mip.value = mip;
                        shader.uniforms.first_row.value = row;
                        shader.uniforms.last_row.value = flipY ? height - 1 : -1;
                        this._render(shader, target);
                        const count = Math.min(rows, height - row);
                        for (const [n, list] of pixels.entries()) {
                            const to = list[mip].subarray(4 * width * row, 4 * width * (row + count));
                            await this.renderer.readRenderTargetPixelsAsync(target, 0, 0, width, count, to, undefined, n);
                        }
                    }
                } finally {
                    target.dispose();
                }
            }
        } finally {
            shader.dispose();
        }
        return pixels;
    }

    /** Draw into a target, and leave the renderer as it was. */
    _render(shader, target) {
        const { renderer } = this;
        const before = [renderer.getRenderTarget(), renderer.getActiveCubeFace(), renderer.getActiveMipmapLevel()];
        const { autoClear } = renderer, xr = renderer.xr.enabled;
        renderer.autoClear = renderer.xr.enabled = false;
        this.quad.material = shader;
        renderer.setRenderTarget(target);
        renderer.render(this.scene, this.camera);
        renderer.setRenderTarget(...before);
        renderer.autoClear = autoClear;
        renderer.xr.enabled = xr;
    }

    _texture(map, pixels, sizes, material, isFloat, type) {
        const kept = isFloat ? (type === FloatType ? FloatType : HalfFloatType) : UnsignedByteType;
        const data = kept === HalfFloatType ? pixels.map((level) => Uint16Array.from(level, halfOf)) : pixels;
        const texture = new DataTexture(data[0], ...sizes[0], RGBAFormat, kept);
        if (sizes.length > 1)
            texture.mipmaps = data.map((level, m) => ({ data: level, width: sizes[m][0], height: sizes[m][1] }));
        texture.colorSpace = map.srgb ? SRGBColorSpace : isFloat && map.float ? LinearSRGBColorSpace : NoColorSpace;
        texture.wrapS = texture.wrapT = material.repeat ? RepeatWrapping : ClampToEdgeWrapping;
        texture.magFilter = LinearFilter;
        texture.minFilter = sizes.length > 1 ? LinearMipmapLinearFilter : LinearFilter;
        texture.generateMipmaps = texture.flipY = false; // both are done
        texture.needsUpdate = true;
        return texture;
    }

    dispose() {
        this.quad.geometry.dispose();
    }
}

/** Within what a half holds. */
const halfOf = (x) => DataUtils.toHalfFloat(Math.min(Math.max(x, -65504), 65504));

function uniformsOf(maps) {
    let needed = 0;
    const kinds = [], values = [], normals = [];
    for (const { components } of maps) {
        let normal = [0, 0];
        for (const part of components) {
            if (part.normalZ) normal = part.normalZ;
            for (const channel of part.normalZ ?? (part.channel === undefined ? [] : [part.channel])) needed |= 1 << channel;
            const kind = part.channel === undefined ? (part.normalZ ? NORMAL_Z : VALUE)
                : part.channel | (part.invert ? INVERT : 0) | (part.source ? SOURCE : 0);
            kinds.push(kind);
            values.push(part.value ?? 0);
        }
        normals.push(...normal);
    }
    return {
        needed_channels: { value: needed }, kinds: { value: kinds }, values: { value: values }, normals: { value: normals },
    };
}
