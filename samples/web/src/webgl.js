// Decodes by shaders/gstex.glsl in fragment shaders of WebGL2. All maps are drawn at once, so a texel is decoded once.

import {
    Camera, DataTexture, FloatType, GLSL3, Mesh, NearestFilter, NoBlending, NoColorSpace, PlaneGeometry, RawShaderMaterial,
    RedIntegerFormat, RGBAFormat, Scene, UnsignedByteType, UnsignedIntType, WebGLRenderTarget,
} from 'three';

import { channelsOf, expressionsOf } from './components.js';
import { GstexDecoder } from './decoder.js';
import { LimitError } from './errors.js';

const WIDTH = 2048; // of the texture of words, GSTEX_WIDTH

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

/** What stands before gstex.glsl. */
export const definesOf = (material) => `
#define GSTEX_WIDTH ${WIDTH}
#define GSTEX_VEC4S ${Math.ceil(material.channels.length / 4)}
#define GSTEX_MAX_K ${material.topK}
`;

const vertexShader = 'in vec3 position;\nvoid main() { gl_Position = vec4(position.xy, 0.0, 1.0); }';

const fragmentShader = (shader, material, maps) => `
#define GSTEX_CHANNELS ${channelsOf(maps)}u
${definesOf(material)}
${shader}
uniform int mip, first_row, last_row; // last_row: of the mip if rows are turned over, else -1
${maps.map((_, i) => `layout(location = ${i}) out vec4 map${i};`).join('\n')}

float gstex_z(GstexValue value, int x, int y) {
    vec2 xy = 2.0 * vec2(gstex_channel(value, x), gstex_channel(value, y)) - 1.0;
    return 0.5 + 0.5 * sqrt(max(1.0 - dot(xy, xy), 0.0));
}

void main() {
    ivec2 texel = ivec2(gl_FragCoord.xy) + ivec2(0, first_row);
    if (last_row >= 0) texel.y = last_row - texel.y;
    GstexValue value = gstex_fetch(0u, texel, mip);
${maps.map((map, i) => `    map${i} = vec4(${expressionsOf(map)});`).join('\n')}
}
`;

/** Decodes with the context of a WebGLRenderer. */
export class WebGLDecoder extends GstexDecoder {
    /**
     * @param {WebGLRenderer} renderer
     * @param {string} shader The text of gstex.glsl.
     * @param {object} [options] Of `GstexDecoder`.
     */
    constructor(renderer, shader, options) {
        super(options);
        const gl = renderer.getContext();
        this.renderer = renderer;
        this.shader = shader;
        this.maxSize = renderer.capabilities.maxTextureSize;
        this.mapsAtOnce = Math.min(8, gl.getParameter(gl.MAX_DRAW_BUFFERS));
    }

    begin(file, maps, isFloat) {
        const { renderer } = this, words = wordTexture(renderer, file.words);
        const shader = new RawShaderMaterial({
            glslVersion: GLSL3, vertexShader, fragmentShader: fragmentShader(this.shader, file.material, maps),
            blending: NoBlending, depthTest: false, depthWrite: false, toneMapped: false,
            uniforms: {
                gstex_words: { value: words }, mip: { value: 0 }, first_row: { value: 0 }, last_row: { value: -1 },
            },
        });
        const scene = new Scene(), quad = new Mesh(new PlaneGeometry(2, 2), shader), camera = new Camera();
        quad.frustumCulled = false;
        scene.add(quad);
        return {
            async draw({ mip, width, rows, first, last }, to) {
                const { uniforms } = shader;
                [uniforms.mip.value, uniforms.first_row.value, uniforms.last_row.value] = [mip, first, last];
                const target = new WebGLRenderTarget(width, rows, {
                    count: maps.length, type: isFloat ? FloatType : UnsignedByteType, format: RGBAFormat, depthBuffer: false,
                    minFilter: NearestFilter, magFilter: NearestFilter, colorSpace: NoColorSpace,
                });
                try {
                    render(renderer, scene, camera, target);
                    for (const [n, pixels] of to.entries())
                        await renderer.readRenderTargetPixelsAsync(target, 0, 0, width, rows, pixels, undefined, n);
                } finally {
                    target.dispose();
                }
            },
            dispose() {
                for (const part of [words, shader, quad.geometry]) part.dispose();
            },
        };
    }
}

/** Draw into a target, and leave the renderer as it was. */
function render(renderer, scene, camera, target) {
    const before = [renderer.getRenderTarget(), renderer.getActiveCubeFace(), renderer.getActiveMipmapLevel()];
    const { autoClear } = renderer, xr = renderer.xr.enabled;
    renderer.autoClear = renderer.xr.enabled = false;
    renderer.setRenderTarget(target);
    renderer.render(scene, camera);
    renderer.setRenderTarget(...before);
    renderer.autoClear = autoClear;
    renderer.xr.enabled = xr;
}
