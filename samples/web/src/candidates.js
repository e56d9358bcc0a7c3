// The largest number of Gaussians that a position of a mip sees: docs/format.md, "Number of candidates". The borders of all
// levels cut a mip into rows and columns of pieces; rows are swept from top to bottom, as in gstex.h.

/** How many Gaussians each cell of a row of cells has. */
function addCounts(words, level, row, counts) {
    const first = row * level.cellsX;
    for (let x = 0; x < level.cellsX; ++x) {
        if (level.isRegular) {
            counts[x] += 1;
            continue;
        }
        const cell = first + x, inside = cell & 15, at = level.indexOffset + 3 * (cell >>> 4);
        if (words[at] >>> 31) {
            const prefix = (k) => (words[level.indexOffset + words[at + 1] + (k >> 1)] >>> (16 * (k & 1))) & 0xffff;
            const next = (cell | 15) + 1 < 16 * (Math.floor((level.cellsX * level.cellsY) / 16) + 1)
                ? words[at + 3] & 0x7fffffff : level.count;
            const end = inside < 15 ? prefix(inside + 1) : next - (words[at] & 0x7fffffff);
            counts[x] += end - prefix(inside);
        } else {
            counts[x] += (words[at + 1 + (inside >> 3)] >>> (4 * (inside & 7))) & 15;
        }
    }
}

/** Gaussians in the 3x3 cells around every cell of a row. */
function sumRow(words, level, row, repeat) {
    const { cellsX, cellsY } = level, counts = new Uint32Array(cellsX), sums = new Uint32Array(cellsX);
    for (let j = row - 1; j <= row + 1; ++j) {
        if (repeat || (j >= 0 && j < cellsY)) addCounts(words, level, (j + cellsY) % cellsY, counts);
    }
    for (let x = 0; x < cellsX; ++x) {
        const left = x > 0 ? counts[x - 1] : repeat ? counts[cellsX - 1] : 0;
        const right = x + 1 < cellsX ? counts[x + 1] : repeat ? counts[0] : 0;
        sums[x] = counts[x] + left + right;
    }
    return sums;
}

/** At each border inside of a mip, which lie at k / n for every level's n and k = 1 .. n - 1, the levels that have it. */
function* borders(sizes) {
    const next = sizes.map(() => 1);
    for (;;) {
        let first = -1;
        sizes.forEach((n, l) => {
            if (next[l] < n && (first < 0 || next[l] * sizes[first] < next[first] * n)) first = l;
        });
        if (first < 0) return;
        const [place, cells] = [next[first], sizes[first]];
        const moved = [];
        sizes.forEach((n, l) => {
            if (next[l] < n && next[l] * cells === place * n) moved.push(l);
        });
        for (const l of moved) ++next[l];
        yield moved;
    }
}

/** @param {object[]} levels Of a mip, as `validate` reads them. */
export function mostCandidates(words, levels, repeat) {
    if (levels.length === 0) return 0;
    const rows = levels.map(() => 0), sums = levels.map((level) => sumRow(words, level, 0, repeat));
    // Of every border between columns its number; borders of several levels at one place have one.
    const numbers = levels.map((level) => new Uint32Array(level.cellsX)), next = levels.map(() => 1);
    let count = 0;
    for (const moved of borders(levels.map((level) => level.cellsX))) {
        for (const l of moved) numbers[l][next[l]++] = count;
        ++count;
    }
    const steps = new Int32Array(count); // how the number changes at each border
    levels.forEach((level, l) => {
        for (let x = 1; x < level.cellsX; ++x) steps[numbers[l][x]] += sums[l][x] - sums[l][x - 1];
    });
    let most = 0;
    const sweep = () => {
        let here = sums.reduce((sum, ofLevel) => sum + ofLevel[0], 0);
        most = Math.max(most, here);
        for (let i = 0; i < count; ++i) most = Math.max(most, here += steps[i]);
    };
    sweep();
    for (const moved of borders(levels.map((level) => level.cellsY))) {
        for (const l of moved) {
            const fresh = sumRow(words, levels[l], ++rows[l], repeat), old = sums[l];
            for (let x = 1; x < fresh.length; ++x) steps[numbers[l][x]] += fresh[x] - fresh[x - 1] - (old[x] - old[x - 1]);
            sums[l] = fresh;
        }
        sweep();
    }
    return most;
}
