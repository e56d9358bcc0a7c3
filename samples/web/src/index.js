export { FormatError, crc32, readFile } from './file.js';
export { validate } from './validate.js';
export { findChannels, standardMaps } from './maps.js';
export { GstexDecoder, LimitError } from './decoder.js';
export { WebGLDecoder } from './webgl.js';
export { WebGPUDecoder } from './webgpu.js';
export { GstexLoader } from './loader.js';
export { GLTFGstexExtension } from './gltf.js';
export { sampleInMaterial } from './sampling.js';
