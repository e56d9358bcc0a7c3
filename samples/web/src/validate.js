// Proves that a GPU section is sound: the rules of docs/format.md, in the order of gstex_validate in gstex.h. After it no
// offset in the words leads out of them, and every loop over them is bounded.

import { FormatError } from './errors.js';
import { mostCandidates } from './candidates.js';

const MAGIC = 0x4d545347;
const ALIGN = 64; // words
const CONSTANT = 7; // the group of a constant channel
const RAW = 256, SHARED = 512; // bits of the first word of a mip block
const MAX_SIZE = 16384, MAX_CHANNELS = 16, MAX_MIPS = 15, MAX_GROUPS = 4, MAX_LEVELS = 16, MAX_CELLS = 8192;
const MAX_CANDIDATES = 4096, MAX_STRIDE = 320, MAX_FIELD_BITS = 12, MAX_CELL_GROUP = 65535, CELLS = 16;
const NORMAL = 4, Y = 5;

export const bits = (word, first, count) => (word >>> first) & (2 ** count - 1);

/** The checks of one section, and where they are: messages begin with it. */
class Check {
    constructor(words) {
        this.words = words;
        this.floats = new Float32Array(words.buffer, words.byteOffset, words.length);
        this.group = this.mip = this.level = -1;
        this.end = 0; // of what the parts may take: the guard word
        this.position = 0;
    }

    require(ok, subject, found, expected) {
        if (ok) return;
        const places = [['group', this.group], ['mip', this.mip], ['level', this.level]].filter(([, n]) => n >= 0);
        const where = places.map(([name, n]) => `${name} ${n} `).join('');
        throw new FormatError(`${where}${subject}: got ${found}, expected ${expected}`);
    }

    /** NaN is in no range. */
    range(value, subject, lo, hi) {
        this.require(value >= lo && value <= hi, subject, value, `${lo} .. ${hi}`);
    }

    room(size, subject) {
        this.require(this.position + size <= this.end, subject, `${size} words`,
            `at most the ${this.end - this.position} words left before the guard word`);
    }

    zeros(first, end, subject) {
        for (let i = first; i < end; ++i) this.require(this.words[i] === 0, subject, 'bits that are set', 'zeros');
    }
}

/**
 * Check a GPU section.
 *
 * @param {Uint32Array} words
 * @returns {object} width, height, mipCount, repeat, bilinear, candidatesMax, topK (the largest), and `channels`: of each role,
 *     component, srgb, flipped, constant (or null), scale, bias, stops, as docs/format.md calls them.
 * @throws {FormatError} It breaks a rule.
 */
export function validate(words) {
    const at = new Check(words);
    const material = checkHeader(at);
    at.position = words[1] >>> 16;
    for (at.group = 0; at.group < material.groupCount; ++at.group) {
        const group = checkGroupHeader(at, material);
        material.groups.push(group);
        checkPalettes(at, group);
    }
    at.group = -1;
    if (material.tail < material.mipCount) {
        checkMips(at, material, true);
        const end = (Math.floor(at.position / ALIGN) + 1) * ALIGN;
        at.require(material.residentWords === end, 'resident_words', material.residentWords, `${end}, where the tail ends`);
        at.zeros(at.position, end, 'guard word');
        at.position = end;
        at.end = words[4] - 1;
    }
    checkMips(at, material, false);
    at.require(at.position === at.end, 'words', at.end + 1, `${at.position + 1}: the parts and one guard word`);
    at.zeros(at.end, at.end + 1, 'guard word');
    for (at.group = 0; at.group < material.groupCount; ++at.group) {
        const group = material.groups[at.group];
        const most = Math.max(0, ...group.blocks.map((levels) => mostCandidates(words, levels, material.repeat)));
        at.require(group.candidatesMax === most, 'candidates_max', group.candidatesMax, most);
    }
    return material;
}

function checkHeader(at) {
    const { words, floats } = at;
    const count = words.length;
    at.require(count > 0 && count % ALIGN === 0 && count < 2 ** 30, 'GPU section', `${count} words`, 'a multiple of 64');
    at.require(words[0] === MAGIC, 'GPU section magic', words[0], MAGIC);
    at.require((words[1] & 0xffff) === 2, 'version', words[1] & 0xffff, 2);
    const channelCount = words[3] & 255, mipCount = bits(words[3], 8, 8), groupCount = bits(words[3], 16, 3);
    at.range(channelCount, 'channel_count', 1, MAX_CHANNELS);
    at.range(mipCount, 'mip_count', 1, MAX_MIPS);
    at.range(groupCount, 'group_count', 0, MAX_GROUPS);
    let size = 8 + channelCount;
    for (let c = 0; c < channelCount; ++c) { // where the numbers of a channel stand
        const entry = words[8 + c];
        const numbers = (bits(entry, 16, 3) === CONSTANT) + 2 * bits(entry, 23, 1) + (bits(entry, 21, 2) === 1);
        const expected = numbers ? size : 0;
        at.require(entry >>> 24 === expected, `numbers[${c}]`, entry >>> 24, expected);
        size += numbers;
    }
    size += groupCount;
    at.require(words[1] >>> 16 === size, 'header_words', words[1] >>> 16, size);
    at.require((words[3] & 0xc0800000) === 0, 'reserved bits of word 3', words[3], 0);
    at.require(bits(words[3], 26, 4) === 0, 'first_mip', bits(words[3], 26, 4), '0 in a file');
    at.require((words[6] | words[7]) === 0, 'reserved words 6 and 7', words[6] | words[7], 0);
    at.require(count > size, 'group header', `${size} words`, `at most the ${count} words left`);

    const width = words[2] & 0xffff, height = words[2] >>> 16, tail = bits(words[3], 19, 4);
    at.range(width, 'width', 1, MAX_SIZE);
    at.range(height, 'height', 1, MAX_SIZE);
    at.range(mipCount, 'mip_count', 1, 32 - Math.clz32(Math.max(width, height)));
    at.range(tail, 'tail', 1, mipCount);
    at.require(groupCount > 0 || tail === mipCount, 'tail', tail, `${mipCount}, as all channels are constant`);
    const used = words[4], residentWords = words[5], hasTail = tail < mipCount;
    if (hasTail) {
        const most = used ? Math.floor((used - 1) / ALIGN) * ALIGN : 0;
        at.require(residentWords % ALIGN === 0 && residentWords > size && residentWords <= most, 'resident_words', residentWords,
            `a multiple of 64 in ${size + 1} .. ${most}`);
        at.require(count !== residentWords, 'GPU section', 'a resident part', 'a whole section');
    }
    const least = Math.max(count - ALIGN, size);
    at.require(used > least && used <= count, 'words', used, `${least + 1} .. ${count}`);
    at.zeros(used, count, 'padding after the used words');
    at.require(hasTail || residentWords === count, 'resident_words', residentWords, `${count}, as there is no tail`);
    at.end = (hasTail ? residentWords : used) - 1;
    const channels = [];
    for (let c = 0; c < channelCount; ++c) channels.push(checkChannel(at, words[8 + c], c, groupCount, floats));
    return {
        width, height, mipCount, groupCount, tail, residentWords, channels, groups: [], candidatesMax: 0, topK: 0,
        repeat: bits(words[3], 24, 1) === 1, bilinear: bits(words[3], 25, 1) === 1, offsets: size - groupCount,
    };
}

function checkChannel(at, entry, c, groupCount, floats) {
    const role = entry & 255, component = bits(entry, 8, 3), group = bits(entry, 16, 3), curve = bits(entry, 21, 2);
    const isRanged = bits(entry, 23, 1) === 1, isConstant = group === CONSTANT, flipped = bits(entry, 20, 1);
    at.range(role, `role[${c}]`, 0, 12);
    at.range(component, `component[${c}]`, 0, 5);
    at.require((entry & 0xf800) === 0, `reserved bits of channel entry ${c}`, entry & 0xf800, 0);
    at.require(group < groupCount || isConstant, `group[${c}]`, group, `a number below ${groupCount}, or ${CONSTANT}`);
    at.require(!flipped || (role === NORMAL && component === Y), `flipped[${c}]`, 1, '0: only Y of a normal');
    at.require(curve <= 1, `curve[${c}]`, curve, '0 or 1');
    at.require(!curve || isRanged, `curve[${c}]`, 1, '0: only a channel with scale and bias has a curve');
    let next = entry >>> 24;
    const constant = isConstant ? floats[next++] : null;
    const scale = isRanged ? floats[next++] : 1, bias = isRanged ? floats[next++] : 0, stops = curve ? floats[next++] : 0;
    at.range(constant ?? 0, `constant[${c}]`, -1, 2);
    at.require(Number.isFinite(scale) && scale !== 0, `scale[${c}]`, scale, 'a finite number other than 0');
    at.require(Number.isFinite(bias), `bias[${c}]`, bias, 'a finite number');
    at.require(!curve || (stops > 0 && stops <= 32), `stops[${c}]`, stops, 'a number above 0, at most 32');
    at.require(!isRanged || curve || scale !== 1 || bias !== 0, `ranged[${c}]`, 1, '0: scale and bias are 1 and 0');
    const srgb = bits(entry, 19, 1) === 1;
    return { role, component, group, srgb, flipped: flipped === 1, constant, scale, bias, stops };
}

function checkGroupHeader(at, material) {
    const { words, floats, position } = at;
    const number = at.group, stated = words[material.offsets + number];
    at.require(stated === position, `group_offset[${number}]`, stated, position);
    let members = 0;
    material.channels.forEach((channel, c) => { members |= (channel.group === number) << c; });
    at.room(6, 'group header');
    at.require(members !== 0, 'members', 0, 'at least one channel');
    at.require((words[position] & 0xffff) === members, 'members', words[position] & 0xffff, members);
    at.require(words[position] >>> 24 === 0, 'reserved bits of the group header', words[position] >>> 24, 0);
    at.require(words[position + 5] >>> 16 === 0, 'reserved bits of the group header', words[position + 5] >>> 16, 0);
    const paletteBits = [];
    for (let p = 0; p < 4; ++p) {
        const count = bits(words[position + 5], 4 * p, 4);
        at.require(count === 0 || paletteBits.length === p, `palette_bits[${p}]`, count, '0, as the one before is not there');
        if (count) paletteBits.push(count);
    }
    const count = material.channels.filter((channel) => channel.group === number).length;
    const { mipCount, tail } = material;
    const ranges = 6 + 2 * mipCount - tail, size = ranges + 2 * count + Math.ceil(count / 8);
    at.room(size, 'group header');
    const last = words[position + size - 1];
    const unused = count % 8 === 0 ? 0 : last >>> (4 * (count % 8));
    at.require(unused === 0, 'unused nibbles of channel_bits', 'bits that are set', 'zeros');
    const paletteOffset = words[position + 4], afterHeader = paletteBits.length ? position + size : 0;
    at.require(paletteOffset === afterHeader, 'palette_offset', paletteOffset, afterHeader);
    const topK = bits(words[position], 16, 8), amplitudeLo = floats[position + 1], amplitudeStep = floats[position + 2];
    at.range(topK, 'top_k', 0, 32);
    at.range(amplitudeLo, 'amplitude_lo', -16, 8);
    at.range(amplitudeStep, 'amplitude_step', 0, 8);
    const channelBits = [];
    for (let k = 0; k < count; ++k) {
        const own = bits(words[position + ranges + 2 * count + (k >> 3)], 4 * (k & 7), 4);
        at.range(floats[position + ranges + 2 * k], `channel_lo[${k}]`, -1, 2);
        at.range(floats[position + ranges + 2 * k + 1], `channel_step[${k}]`, 0, 1);
        at.range(own, `channel_bits[${k}]`, paletteBits.length ? 0 : 1, 12);
        channelBits.push(own);
    }
    paletteBits.forEach((own, p) => at.range(own, `palette_bits[${p}]`, 1, 12));
    const candidatesMax = words[position + 3];
    at.require(candidatesMax + material.candidatesMax <= MAX_CANDIDATES, 'candidates_max of all groups',
        candidatesMax + material.candidatesMax, `at most ${MAX_CANDIDATES}`);
    material.candidatesMax += candidatesMax;
    material.topK = Math.max(material.topK, topK);
    at.position += size;
    const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
    return {
        head: position, count, entryWords: Math.ceil(count / 4), paletteBits, amplitudeLo, amplitudeStep, candidatesMax,
        featureBits: sum(paletteBits) + sum(channelBits), blocks: [], // the levels of each mip of Gaussians
    };
}

/** Whether the last word of every entry, or texel, ends with zeros. */
function checkSpareBytes(at, group, words, subject) {
    const used = group.count % 4;
    if (used === 0) return;
    for (let i = group.entryWords - 1; i < words; i += group.entryWords)
        at.require(at.words[at.position + i] >>> (8 * used) === 0, subject, 'bits that are set', 'zeros');
}

function checkPalettes(at, group) {
    const size = group.paletteBits.reduce((sum, own) => sum + group.entryWords * 2 ** own, 0);
    at.room(size, 'palettes');
    checkSpareBytes(at, group, size, 'spare bytes of the palettes');
    at.position += size;
}

/** The blocks of the tail of all groups, or those of the rest. */
function checkMips(at, material, inTail) {
    const { words } = at, { mipCount, tail } = material;
    for (at.group = 0; at.group < material.groupCount; ++at.group) {
        const group = material.groups[at.group];
        for (let m = inTail ? tail : 0; m < mipCount; ++m) {
            const whole = words[group.head + 6 + m], ofTail = m >= tail ? words[group.head + 6 + mipCount + m - tail] : -1;
            if (!inTail && whole === ofTail) continue;
            const [offset, name] = inTail ? [ofTail, `tail_offset[${m - tail}]`] : [whole, `mip_offset[${m}]`];
            at.require(offset === at.position, name, offset, at.position);
            at.mip = m;
            at.require(inTail || m < tail || (at.position < at.end && words[at.position] & SHARED), name, offset, ofTail);
            checkMip(at, material, group, inTail);
            at.mip = -1;
        }
    }
    at.group = -1;
}

function checkMip(at, material, group, inTail) {
    at.room(2, 'block');
    const kind = at.words[at.position];
    at.require(kind >>> 10 === 0, 'reserved bits of word 0', kind >>> 10, 0);
    if (kind & SHARED) checkShared(at, group, inTail);
    else if (kind & RAW) checkRaw(at, material, group);
    else checkGaussians(at, material, group);
}

function checkShared(at, group, inTail) {
    const { words, position } = at;
    const first = at.mip > 0 && !inTail ? words[words[group.head + 6]] : SHARED;
    at.require(words[position] === SHARED, 'word 0', words[position], `${SHARED}: shared and nothing else`);
    at.require((first & (RAW | SHARED)) === 0, 'shared', 1, '0: only mips below a mip 0 of Gaussians share them');
    at.range(at.floats[position + 1], 'filter', 0, MAX_SIZE);
    at.room(2 + group.count, 'block');
    for (let k = 0; k < group.count; ++k)
        at.require(words[position + 2 + k] >>> 30 === 0, `bend[${k}]`, words[position + 2 + k], 'zeros in bits 30 and 31');
    at.position += 2 + group.count;
}

function checkRaw(at, material, group) {
    const { words, position } = at;
    const side = (size) => Math.max(1, size >> at.mip);
    const size = side(material.width) * side(material.height) * group.entryWords;
    at.require((words[position] & 255) === 0, 'level_count', words[position] & 255, '0 in a raw mip');
    at.require(words[position + 1] === 0, 'gaussian_count', words[position + 1], '0 in a raw mip');
    at.room(2 + size, 'texels');
    at.position += 2;
    checkSpareBytes(at, group, size, 'spare bytes of the texels');
    at.position += size;
}

function checkGaussians(at, material, group) {
    const { words, floats, position } = at;
    const levelCount = words[position] & 255, entries = position + 2 + group.count;
    at.room(2 + group.count, 'block');
    at.range(levelCount, 'level_count', 0, MAX_LEVELS);
    at.room(2 + group.count + 7 * levelCount, 'block');
    for (let k = 0; k < group.count; ++k) at.range(floats[position + 2 + k], `background[${k}]`, -1, 2);
    const levels = [];
    for (at.level = 0; at.level < levelCount; ++at.level)
        levels.push(checkLayout(at, material, group, entries + 7 * at.level));
    for (at.level = 1; at.level < levelCount; ++at.level) {
        const [before, level] = [levels[at.level - 1], levels[at.level]];
        at.require(level.cellsX <= before.cellsX && level.cellsY <= before.cellsY, 'cells', `${level.cellsX} x ${level.cellsY}`,
            `at most the ${before.cellsX} x ${before.cellsY} of the level before`);
    }
    at.position = entries + 7 * levelCount;
    let count = 0;
    for (at.level = 0; at.level < levelCount; ++at.level) {
        checkLevel(at, levels[at.level]);
        count += levels[at.level].count;
    }
    at.level = -1;
    at.require(words[position + 1] === count, 'gaussian_count', words[position + 1], count);
    group.blocks.push(levels);
}

function checkLayout(at, material, group, entry) {
    const { words, floats } = at, least = material.repeat ? 3 : 1, widths = words[entry + 4];
    at.require(widths >>> 30 === 0, 'reserved bits of the field widths', widths >>> 30, 0);
    const level = {
        cellsX: words[entry] & 0xffff, cellsY: words[entry] >>> 16, indexOffset: words[entry + 1],
        recordOffset: words[entry + 2], count: words[entry + 3], stride: widths & 511, isRegular: bits(widths, 29, 1) === 1,
    };
    const rotation = bits(widths, 17, 4), scale = bits(widths, 21, 4), amplitude = bits(widths, 25, 4);
    const geometry = bits(widths, 9, 4) + bits(widths, 13, 4) + rotation + 2 * scale + amplitude;
    level.usedBits = geometry + group.featureBits;
    at.range(level.cellsX, 'cells_x', least, MAX_CELLS);
    at.range(level.cellsY, 'cells_y', least, MAX_CELLS);
    at.range(rotation, 'rotation_bits', 0, MAX_FIELD_BITS);
    at.range(scale, 'scale_bits', 0, MAX_FIELD_BITS);
    at.range(amplitude, 'amplitude_bits', 0, MAX_FIELD_BITS);
    at.require(level.stride % 4 === 0 && level.stride >= Math.max(4, level.usedBits) && level.stride <= MAX_STRIDE, 'stride',
        level.stride, `a multiple of 4 in ${level.usedBits} .. ${MAX_STRIDE}`);
    at.range(geometry, 'geometry bits', 0, 32 + Math.min(level.stride & -level.stride, 32));
    const scaleLo = floats[entry + 5], scaleStep = floats[entry + 6];
    at.range(scaleLo, 'scale_lo', -16, 8);
    at.range(scaleStep, 'scale_step', -4, 4);
    at.range(scaleLo + scaleStep * (2 ** scale - 1), 'log2 of the inverse scale of the last code', -16, 8);
    at.range(group.amplitudeLo + group.amplitudeStep * (2 ** amplitude - 1), 'log-amplitude of the last code', -16, 8);
    return level;
}

function checkLevel(at, level) {
    const { words } = at, size = Math.ceil((level.count * level.stride) / 32);
    at.require(level.indexOffset === at.position, 'index_offset', level.indexOffset, at.position);
    at.require(level.count >= 1, 'count', level.count, 'at least 1');
    if (level.isRegular) at.require(level.count === level.cellsX * level.cellsY, 'count', level.count, 'one for every cell');
    else checkIndex(at, level);
    at.require(level.recordOffset === at.position, 'record_offset', level.recordOffset, at.position);
    at.require(at.position + size <= at.end, 'count', `${size} words`, `at most the ${at.end - at.position} words left`);
    checkSpareBits(at, level, size);
    at.position += size;
}

const nibbleSum = (word) => {
    let sum = 0;
    for (let k = 0; k < 8; ++k) sum += bits(word, 4 * k, 4);
    return sum;
};

function checkIndex(at, level) {
    const { words, position } = at, cells = level.cellsX * level.cellsY, groups = Math.floor(cells / CELLS) + 1;
    const room = at.end - position;
    at.require(3 * groups <= room, 'cells', `${level.cellsX} x ${level.cellsY}`, `a grid whose index fits into ${room} words`);
    let crowded = 0, block = 3 * groups;
    for (let g = 0; g < groups; ++g) crowded += words[position + 3 * g] >>> 31;
    at.require(3 * groups + 8 * crowded <= room, 'crowded groups', crowded, 'as many as fit into the file');
    for (let g = 0; g < groups; ++g) {
        const [head, low, high] = words.subarray(position + 3 * g, position + 3 * g + 3);
        const base = head & 0x7fffffff, next = g + 1 < groups ? words[position + 3 * g + 3] & 0x7fffffff : level.count;
        const there = Math.min(cells - CELLS * g, CELLS), total = next - base;
        at.require(g > 0 || base === 0, 'index base of group 0', base, 0);
        at.require(next >= base, 'index base', next, 'bases that do not fall');
        at.require(total <= MAX_CELL_GROUP, 'Gaussians of a group of 16 cells', total, `at most ${MAX_CELL_GROUP}`);
        if (head >>> 31) {
            at.require(low === block, 'prefix block offset', low, block);
            at.require(high === 0, 'third word of a crowded group', high, 0);
            checkCrowded(at, position + block, total, there, g);
            block += 8;
            continue;
        }
        const sum = nibbleSum(low) + nibbleSum(high);
        at.require(sum === total, 'index counts of a group', sum, total);
        for (let k = there; k < CELLS; ++k)
            at.require(bits(k < 8 ? low : high, 4 * (k & 7), 4) === 0, 'index counts beyond the last cell', 'some', 0);
    }
    at.position += 3 * groups + 8 * crowded;
}

function checkCrowded(at, block, total, there, number) {
    const prefix = (k) => (k < CELLS ? bits(at.words[block + (k >> 1)], 16 * (k & 1), 16) : total);
    let most = 0;
    at.require(prefix(0) === 0, 'first prefix of a crowded group', prefix(0), 0);
    for (let k = 0; k < CELLS; ++k) {
        at.require(prefix(k + 1) >= prefix(k), 'prefixes of crowded group', number, 'prefixes that do not fall');
        most = Math.max(most, prefix(k + 1) - prefix(k));
    }
    at.require(most > 15, 'crowded group', number, 'a cell of more than 15 Gaussians in it');
    at.require(prefix(there) === total, 'index counts beyond the last cell', total - prefix(there), 0);
}

/** Bits of records beyond their fields, and of the last word beyond the last record, are zeros. */
function checkSpareBits(at, level, size) {
    const { words, position } = at, { stride, usedBits, count } = level;
    // Where records start in a word repeats after `period` words.
    const period = stride / Math.min(stride & -stride, 32), spare = new Uint32Array(period);
    for (let start = 0; start < 32 * period; start += stride)
        for (let bit = start + usedBits; bit < start + stride; ++bit) spare[bit >> 5] |= 1 << (bit & 31);
    let set = 0;
    for (let i = 0, phase = 0; i < size; ++i) {
        set |= words[position + i] & spare[phase];
        phase = phase + 1 < period ? phase + 1 : 0;
    }
    const rest = (count * stride) % 32;
    if (rest) set |= words[position + size - 1] >>> rest;
    at.require(set === 0, 'spare bits of the records', 'bits that are set', 'zeros');
}
