// Decodes by shaders/gstex.wgsl in a compute shader of WebGPU. A texel is decoded once, for all maps.

import { channelsOf, expressionsOf } from './components.js';
import { GstexDecoder } from './decoder.js';
import { LimitError } from './errors.js';

const GROUP = 8; // texels along each side of a workgroup

/** gstex.wgsl with the constants that suit a file. */
function decoderText(shader, material, maps) {
    const values = {
        GSTEX_VEC4S: Math.ceil(material.channels.length / 4), GSTEX_MAX_K: material.topK,
        GSTEX_CHANNELS: `${channelsOf(maps)}u`,
    };
    let text = shader;
    for (const [name, value] of Object.entries(values)) {
        const line = new RegExp(`^const ${name}: (i32|u32) = .*?;`, 'm');
        if (!line.test(text)) throw new Error(`gstex.wgsl: has no constant ${name}; take the file of this version of gstex`);
        text = text.replace(line, (_, type) => `const ${name}: ${type} = ${value};`);
    }
    return text;
}

const computeShader = (shader, material, maps, isFloat) => `
${decoderText(shader, material, maps)}
struct Band { mip: i32, width: i32, rows: i32, first_row: i32, last_row: i32 } // last_row: of the mip if rows are turned over
@group(0) @binding(1) var<storage, read_write> pixels: array<${isFloat ? 'vec4f' : 'u32'}>;
@group(0) @binding(2) var<uniform> band: Band;

fn gstex_z(value: GstexValue, x: i32, y: i32) -> f32 {
    let xy = 2.0 * vec2f(gstex_channel(value, x), gstex_channel(value, y)) - 1.0;
    return 0.5 + 0.5 * sqrt(max(1.0 - dot(xy, xy), 0.0));
}

@compute @workgroup_size(${GROUP}, ${GROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
    let at = vec2i(id.xy);
    if (at.x >= band.width || at.y >= band.rows) { return; }
    var texel = at + vec2i(0, band.first_row);
    if (band.last_row >= 0) { texel.y = band.last_row - texel.y; }
    let value = gstex_fetch(0u, texel, band.mip);
    let place = at.y * band.width + at.x;
    let size = band.width * band.rows; // of a map
${maps.map((map, i) => {
        const color = `vec4f(${expressionsOf(map)})`;
        return `    pixels[${i} * size + place] = ${isFloat ? color : `pack4x8unorm(${color})`};`;
    }).join('\n')}
}
`;

/** Decodes with a GPUDevice, such as that of a WebGPURenderer: `renderer.backend.device`, once it is initialised. */
export class WebGPUDecoder extends GstexDecoder {
    /**
     * @param {GPUDevice} device
     * @param {string} shader The text of gstex.wgsl.
     * @param {object} [options] Of `GstexDecoder`.
     */
    constructor(device, shader, options) {
        super(options);
        this.device = device;
        this.shader = shader;
        this.maxSize = device.limits.maxTextureDimension2D;
        this.mapsAtOnce = 16;
    }

    begin(file, maps, isFloat) {
        const { device } = this, { STORAGE, COPY_SRC, COPY_DST, MAP_READ, UNIFORM } = GPUBufferUsage;
        const bytes = file.words.byteLength, most = device.limits.maxStorageBufferBindingSize;
        if (bytes > most) throw new LimitError(`the file has ${bytes} bytes of words; this GPU takes ${most}`);
        const words = device.createBuffer({ size: bytes, usage: STORAGE | COPY_DST });
        device.queue.writeBuffer(words, 0, file.words);
        const band = device.createBuffer({ size: 32, usage: UNIFORM | COPY_DST });
        const module = device.createShaderModule({ code: computeShader(this.shader, file.material, maps, isFloat) });
        const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module, entryPoint: 'main' } });
        return {
            async draw({ mip, width, rows, first, last }, to) {
                const mapBytes = (isFloat ? 16 : 4) * width * rows, size = maps.length * mapBytes;
                const pixels = device.createBuffer({ size, usage: STORAGE | COPY_SRC });
                const read = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
                try {
                    device.queue.writeBuffer(band, 0, new Int32Array([mip, width, rows, first, last]));
                    const bindings = [words, pixels, band].map((buffer, binding) => ({ binding, resource: { buffer } }));
                    const encoder = device.createCommandEncoder(), pass = encoder.beginComputePass();
                    pass.setPipeline(pipeline);
                    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: bindings }));
                    pass.dispatchWorkgroups(Math.ceil(width / GROUP), Math.ceil(rows / GROUP));
                    pass.end();
                    encoder.copyBufferToBuffer(pixels, 0, read, 0, size);
                    device.queue.submit([encoder.finish()]);
                    await read.mapAsync(GPUMapMode.READ);
                    const found = new Uint8Array(read.getMappedRange());
                    for (const [n, part] of to.entries()) {
                        const target = new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
                        target.set(found.subarray(n * mapBytes, (n + 1) * mapBytes));
                    }
                } finally {
                    pixels.destroy();
                    read.destroy();
                }
            },
            dispose() {
                words.destroy();
                band.destroy();
            },
        };
    }
}
