// Reads a .gstex file: docs/format.md, "File". Nothing is allocated by what the file says, and no JSON is parsed.

import { FormatError } from './errors.js';
import { validate } from './validate.js';

export { FormatError };

const MAGIC = [0x89, 0x47, 0x53, 0x54, 0x45, 0x58, 0x0d, 0x0a];
const HEADER_BYTES = 256;
const MAX_JSON_BYTES = 1 << 20;
const ALIGN_BYTES = 256; // of the GPU section, and of its resident part

/** Throws a FormatError unless `ok`. */
function require(ok, subject, found, expected) {
    if (!ok) throw new FormatError(`${subject}: got ${found}, expected ${expected}`);
}

let table; // of the CRC-32

/** The CRC-32 of zlib, of a Uint8Array. */
export function crc32(bytes) {
    if (!table) {
        table = new Uint32Array(256);
        for (let n = 0; n < 256; ++n) {
            let value = n;
            for (let bit = 0; bit < 8; ++bit) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
            table[n] = value;
        }
    }
    let crc = 0xffffffff;
    for (let i = 0; i < bytes.length; ++i) crc = table[(crc ^ bytes[i]) & 0xff] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
}

/**
 * Read and check a file.
 *
 * @param {ArrayBuffer|Uint8Array} data The whole file, which is not changed; the words are a view of it where they can be.
 * @returns {{words: Uint32Array, material: object}} The GPU section, and what `validate` found in it.
 * @throws {FormatError} It breaks a rule.
 */
export function readFile(data) {
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
    require(MAGIC.every((byte, i) => bytes[i] === byte), 'file magic', 'other bytes', 'those of a .gstex file');
    require(bytes.length >= HEADER_BYTES, 'file size', bytes.length, `at least ${HEADER_BYTES} bytes`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const u32 = (offset) => view.getUint32(offset, true);
    require(u32(8) === 2, 'version', u32(8), '2');
    require(u32(12) === 0, 'flags', u32(12), '0');
    require(u32(16) === bytes.length, 'file_bytes', u32(16), `${bytes.length}, the size of the file`);
    const gpuBytes = u32(24), jsonOffset = u32(28), jsonBytes = u32(32), residentBytes = u32(44);
    require(u32(20) === HEADER_BYTES, 'gpu_offset', u32(20), HEADER_BYTES);
    require(gpuBytes > 0 && gpuBytes % ALIGN_BYTES === 0, 'gpu_bytes', gpuBytes, 'a positive multiple of 256');
    require(jsonOffset === HEADER_BYTES + gpuBytes, 'json_offset', jsonOffset, HEADER_BYTES + gpuBytes);
    require(jsonBytes >= 2 && jsonBytes <= MAX_JSON_BYTES, 'json_bytes', jsonBytes, `2 .. ${MAX_JSON_BYTES}`);
    require(jsonOffset + jsonBytes === bytes.length, 'json_bytes', jsonBytes, `${bytes.length - jsonOffset}, what is left`);
    require(residentBytes > 0 && residentBytes % ALIGN_BYTES === 0 && residentBytes <= gpuBytes, 'resident_bytes',
        residentBytes, `a positive multiple of 256, at most the ${gpuBytes} of gpu_bytes`);
    require(bytes.subarray(52, HEADER_BYTES).every((byte) => byte === 0), 'padding of the file header', 'bytes that are set',
        'zeros');

    const gpu = bytes.subarray(HEADER_BYTES, jsonOffset);
    checkCrc('gpu_crc', u32(36), gpu);
    checkCrc('json_crc', u32(40), bytes.subarray(jsonOffset));
    checkCrc('resident_crc', u32(48), gpu.subarray(0, residentBytes));
    const words = wordsOf(gpu);
    require(residentBytes === 4 * words[5], 'resident_bytes', residentBytes, `${4 * words[5]}, 4 resident_words`);
    return { words, material: validate(words) };
}

function checkCrc(name, stated, bytes) {
    const found = crc32(bytes);
    require(stated === found, name, stated, found);
}

/** Little-endian words, without a copy where the machine and the place in memory allow it. */
function wordsOf(gpu) {
    const isLittle = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
    if (isLittle && gpu.byteOffset % 4 === 0) return new Uint32Array(gpu.buffer, gpu.byteOffset, gpu.length / 4);
    const view = new DataView(gpu.buffer, gpu.byteOffset, gpu.byteLength);
    return Uint32Array.from({ length: gpu.length / 4 }, (_, i) => view.getUint32(4 * i, true));
}
