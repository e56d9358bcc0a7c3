// The lists of the tiles of a mip, for the expanded form (docs/expanded.md): a workgroup a tile, and each invocation has one of
// the points of it. It is the text of gstex/native/gstex_expand.h, function by function, which says what each of them is for.
// gstex/gl/expanded.py says how to bind and dispatch it.
//
// All invocations of a workgroup decide the same, by votes, and write the same where they share memory.

#ifndef GSTEX_GRIDS
#define GSTEX_GRIDS 2 // of points; 1 for materials that are fitted for bilinear filtering
#endif
#if GSTEX_GRIDS == 2
#define POINTS 128u
layout(local_size_x = 128) in;
#else
#define POINTS 64u
layout(local_size_x = 64) in;
#endif

#define SEEN_MAX 512
#define LIST_BYTES 1020
#define DROP_LIMIT (0.94 / 512.0)
#define CHOICE_LIMIT (0.95 / 512.0)
#define ERROR_LIMIT (0.97 / 512.0)
#define LEAST_WEIGHT 1.0e-4
#define LEAST_ERROR (0.002 / 512.0)
#define BACKGROUND_WEIGHT 2.0611537e-9
#define LOG2E 1.442695
#define UNIT 0.8493218

// gstex__tiles as C lays it out: pointers are two words, and what has some is filled up to an even number of words.
struct Group {
    uint words_at[2], header, members;
    int channel_count, channel[16], top_k, candidates_max, palette_count, palette_bits[4], channel_bits[16];
    float channel_lo[16], channel_step[16], amplitude_lo, amplitude_step;
    uint palette_offset, entry_words;
    int width, height, mip_count, tail, first_mip, repeat;
};
struct View {
    uint group_at[2], words_at[2];
    int width, height;
    float own_width, own_height, variance;
    int level_count;
    uint background, entries, texels;
    int bent;
    float bend[48];
    int texel_stride, slot[16], lanes;
    float lo[16], step[16];
    int own_bits[16], own_channels;
    uint filled;
};
struct Grid {
    int cells_x, cells_y;
    uint index_offset, record_offset, gaussian_count;
    int regular, stride, x_bits, y_bits, rotation_bits, scale_bits, amplitude_bits;
    float scale_lo, scale_step, cell_width, cell_height, step_x, step_y, half_turn, turn_step;
};
struct Set {
    View view;
    Grid grids[16];
    uint first[17];
    float cells_x[16], cells_y[16], units_x, units_y, steep_x, steep_y, lean, amplitude, amplitude_range, lo[16], hi[16];
    uint pointers[10], slot_count, eights, ranges, records, features, filled;
};
struct Candidate {
    uint record, level, place, words[4];
    float features[16], most, share;
    int kept, plain;
};

layout(std430, binding = 0) readonly buffer Words { uint words[]; };
layout(std430, binding = 1) readonly buffer Tiles {
    Group group;
    Set set;
    View view;
    int side, grids;
    float filter_variance[3], slope[16];
};
layout(std430, binding = 2) readonly buffer Places { uint places[]; };   // of the records of all Gaussians
layout(std430, binding = 3) readonly buffer Records { uint records[]; }; // four words each
// For each workgroup SEEN_MAX candidates, and their weights at its points.
layout(std430, binding = 4) buffer Candidates { Candidate candidates[]; };
layout(std430, binding = 5) buffer Weights { float weights[]; };
layout(std430, binding = 6) buffer Sizes { int sizes[]; };  // of lists, in bytes; -1: it cannot be made
layout(std430, binding = 7) buffer Lists { uint lists[]; }; // 255 words each
uniform int first_tile, first_list; // of the first workgroup: its tile, and its place in `sizes` and `lists`

shared uint vote;
shared float keys[SEEN_MAX];
shared int order[SEEN_MAX];

// Of the workgroup.
int count, byte_count;
// Of the point.
int grid_number, row_number, column_number;
uint point_x, point_y;
float value[16], error[16], sum;

bool leads() { return gl_LocalInvocationIndex == 0u; }

// The largest number that an invocation has.
uint most_of(uint own) {
    barrier(); // nobody reads that of the last call any more
    if (leads()) vote = 0u;
    memoryBarrierShared();
    barrier();
    atomicMax(vote, own);
    memoryBarrierShared();
    barrier();
    return vote;
}
bool any_of(bool own) { return most_of(own ? 1u : 0u) != 0u; }
float most_of(float own) { return uintBitsToFloat(most_of(floatBitsToUint(max(own, 0.0)))); }

// Which candidate of the workgroup, and what it weighs at the own point.
#define CANDIDATE(n) candidates[SEEN_MAX * int(gl_WorkGroupID.x) + (n)]
#define WEIGHT(n) weights[POINTS * uint(SEEN_MAX * int(gl_WorkGroupID.x) + (n)) + gl_LocalInvocationIndex]

// ---- The packed words ----

// `size` bits, 0 .. 15, from a bit on, counted from a word.
uint bits_at(uint word, uint bit, int size) {
    word += bit >> 5;
    bit &= 31u;
    uint low = words[word] >> bit;
    if (bit > 0u) low |= words[word + 1u] << (32u - bit);
    return low & ((1u << size) - 1u);
}

float take(uint word, inout uint bit, int size) {
    float code = float(bits_at(word, bit, size));
    bit += uint(size);
    return code;
}

// Number of Gaussians of a level before a cell.
uint start_of(int level, uint cell) {
    if (set.grids[level].regular != 0) return cell;
    uint index = set.grids[level].index_offset, inside = cell & 15u, at = index + 3u * (cell >> 4);
    uint first = words[at] & 0x7FFFFFFFu;
    if (words[at] >> 31 != 0u) {
        uint pair = words[index + words[at + 1u] + (inside >> 1)];
        return first + (pair >> (16u * (inside & 1u)) & 0xFFFFu);
    }
    for (uint i = 0u; i < inside; ++i) first += words[at + 1u + (i >> 3)] >> (4u * (i & 7u)) & 15u;
    return first;
}

float fade_of(float from_middle) {
    float f = clamp(3.0 - 2.0 * abs(from_middle), 0.0, 1.0);
    return f * f * (3.0 - 2.0 * f);
}

// The features of the record whose palette entries start at a bit.
void read_features(uint word, uint bit, int n) {
    uint palette = group.palette_offset, entries[4];
    for (int p = 0; p < group.palette_count; ++p) {
        entries[p] = palette + bits_at(word, bit, group.palette_bits[p]) * group.entry_words;
        palette += group.entry_words << group.palette_bits[p];
        bit += uint(group.palette_bits[p]);
    }
    for (int k = 0; k < group.channel_count; ++k) {
        uint code = 0u;
        for (int p = 0; p < group.palette_count; ++p)
            code += words[entries[p] + uint(k >> 2)] >> (8 * (k & 3)) & 255u;
        int size = group.channel_bits[k];
        if (size > 0) code += bits_at(word, bit, size);
        bit += uint(size);
        CANDIDATE(n).features[k] = group.channel_lo[k] + group.channel_step[k] * float(code);
    }
}

// ---- What a tile sees ----

int find_seen(uint level, uint record) {
    int n = int(gl_LocalInvocationIndex);
    while (n < count && !(CANDIDATE(n).record == record && CANDIDATE(n).level == level)) n += int(POINTS);
    return int(most_of(n < count ? uint(n + 1) : 0u)) - 1;
}

bool see(int level, uint record, int number, vec2 from, float fade, bool again) {
    uint word = set.grids[level].record_offset, stride = uint(set.grids[level].stride);
    word += record * stride >> 5;
    uint bit = record * stride & 31u;
    int at = again ? find_seen(uint(level), record) : -1;
    bool is_new = at < 0;
    if (is_new) at = count;
    if (at == SEEN_MAX) return false;
    float x = (take(word, bit, set.grids[level].x_bits) + 0.5) * set.grids[level].step_x;
    float y = (take(word, bit, set.grids[level].y_bits) + 0.5) * set.grids[level].step_y;
    float turn = take(word, bit, set.grids[level].rotation_bits);
    float t = set.grids[level].rotation_bits > 0 ? (turn - set.grids[level].half_turn) * set.grids[level].turn_step : 0.0;
    float scale_lo = set.grids[level].scale_lo, scale_step = set.grids[level].scale_step;
    float along = exp2(scale_lo + scale_step * take(word, bit, set.grids[level].scale_bits));
    float across = exp2(scale_lo + scale_step * take(word, bit, set.grids[level].scale_bits));
    float amplitude = LOG2E * (group.amplitude_lo + group.amplitude_step * take(word, bit, set.grids[level].amplitude_bits));
    if (is_new) {
        uint place = places[set.first[level] + record];
        CANDIDATE(at).record = record;
        CANDIDATE(at).level = uint(level);
        CANDIDATE(at).place = place;
        for (uint i = 0u; i < 4u; ++i) CANDIDATE(at).words[i] = records[4u * place + i];
        WEIGHT(at) = 0.0;
        read_features(word, bit, at);
        ++count;
    }
    if (number != grid_number) return true;
    if (view.variance > 0.0) {
        along *= inversesqrt(1.0 + along * along * view.variance);
        across *= inversesqrt(1.0 + across * across * view.variance);
    }
    float norm = 1.0 / (1.0 + t * t), cosine = (1.0 - t * t) * norm, sine = 2.0 * t * norm;
    vec2 d = (from - vec2(x, y)) * vec2(set.grids[level].cell_width, set.grids[level].cell_height);
    float u = UNIT * along * (cosine * d.x + sine * d.y), v = UNIT * across * (cosine * d.y - sine * d.x);
    WEIGHT(at) += exp2(max(amplitude - u * u - v * v, -126.0)) * fade;
    return true;
}

// The cell of column or row i of grid `number`, and the place in it, times `parts`.
ivec2 locate(int number, int first, int size, int i, int cells, int texels, out int parts) {
    int place = number == 0 ? (2 * (first + min(i, size - 1)) + 1) * cells : (7 * first + i * size) * cells;
    parts = number == 0 ? 2 * texels : 7 * texels;
    int cell = min(place / parts, cells - 1);
    return ivec2(cell, place - cell * parts);
}

int wrapped(int cell, int cells) {
    if (cell >= 0 && cell < cells) return cell;
    return group.repeat == 0 ? -1 : cell < 0 ? cell + cells : cell - cells;
}

// Whether one of the columns or rows sees a cell.
bool is_seen(int cell, int number, int first, int size, int cells, int texels) {
    int parts;
    for (int i = 0; i < 8; ++i)
        if (abs(locate(number, first, size, i, cells, texels, parts).x - cell) <= 1) return true;
    return false;
}

bool gather(ivec2 corner, ivec2 size) {
    count = 0;
    for (int number = 0; number < GSTEX_GRIDS; ++number)
        for (int l = 0; l < view.level_count; ++l) {
            ivec2 cells = ivec2(set.grids[l].cells_x, set.grids[l].cells_y), parts;
            ivec2 at_x = locate(number, corner.x, size.x, column_number, cells.x, view.width, parts.x);
            ivec2 at_y = locate(number, corner.y, size.y, row_number, cells.y, view.height, parts.y);
            vec2 inside = vec2(at_x.y, at_y.y) / vec2(parts);
            ivec2 begin, end;
            int any;
            begin.x = locate(number, corner.x, size.x, 0, cells.x, view.width, any).x - 1;
            begin.y = locate(number, corner.y, size.y, 0, cells.y, view.height, any).x - 1;
            end.x = locate(number, corner.x, size.x, 7, cells.x, view.width, any).x + 1;
            end.y = locate(number, corner.y, size.y, 7, cells.y, view.height, any).x + 1;
            for (int y = begin.y; y <= end.y; ++y) {
                int row = wrapped(y, cells.y);
                if (row < 0 || !is_seen(y, number, corner.y, size.y, cells.y, view.height)) continue;
                for (int x = begin.x; x <= end.x; ++x) {
                    int column = wrapped(x, cells.x);
                    if (column < 0 || !is_seen(x, number, corner.x, size.x, cells.x, view.width)) continue;
                    vec2 from = inside - vec2(ivec2(x, y) - ivec2(at_x.x, at_y.x));
                    float fade = fade_of(from.x - 0.5) * fade_of(from.y - 0.5);
                    uint cell = uint(row * cells.x + column), after = start_of(l, cell + 1u);
                    for (uint r = start_of(l, cell); r < after; ++r)
                        if (!see(l, r, number, from, fade, number > 0 || group.repeat != 0)) return false;
                }
            }
        }
    return true;
}

void sum_tile() {
    sum = BACKGROUND_WEIGHT;
    for (int k = 0; k < group.channel_count; ++k)
        value[k] = BACKGROUND_WEIGHT * uintBitsToFloat(words[view.background + uint(k)]);
    for (int n = 0; n < count; ++n) {
        float weight = WEIGHT(n);
        sum += weight;
        for (int k = 0; k < group.channel_count; ++k) value[k] += weight * CANDIDATE(n).features[k];
    }
    for (int k = 0; k < group.channel_count; ++k) value[k] /= sum;
}

// ---- What it lists ----

// What an expanded record weighs, as shaders/gstex_expanded.glsl finds it.
float expanded_weight(int n, bool plain) {
    uvec4 of = uvec4(CANDIDATE(n).words[0], CANDIDATE(n).words[1], CANDIDATE(n).words[2], CANDIDATE(n).words[3]);
    int level = int(CANDIDATE(n).level);
    vec2 ends = unpackSnorm2x16(of.z), steep = unpackUnorm2x16(of.w), steep2 = steep * steep;
    float lean = set.lean * ends.x, amplitude = set.amplitude_range * ends.y, det = steep2.x * steep2.y;
    float wider = 1.0 / (1.0 + filter_variance[0] * steep2.x + filter_variance[1] * (lean * lean + steep2.y) +
                         filter_variance[2] * det);
    vec2 d = vec2(ivec2((of.xy - uvec2(point_x, point_y)) << 12)), cells = vec2(set.cells_x[level], set.cells_y[level]);
    float fade = 1.0;
    if (!plain) {
        vec2 position = vec2(of.xy & 0xFFFFFu) * cells, from = fract(position) - 0.5 - d * (cells / 4096.0);
        vec2 period = 1048576.0 * cells, turn = floor(from / period + 0.5);
        fade = fade_of(from.x - turn.x * period.x) * fade_of(from.y - turn.y * period.y);
        d += 4294967296.0 * turn;
    }
    d *= vec2(set.steep_x, set.steep_y) / 4096.0;
    float u = steep.x * d.x + lean * d.y, v = steep.y * d.y;
    float blur = det * (filter_variance[1] * d.x * d.x + filter_variance[0] * d.y * d.y);
    return exp2(max(amplitude - (u * u + v * v + blur) * wider, -126.0)) * fade;
}

void sort_candidates() {
    barrier();
    for (int n = int(gl_LocalInvocationIndex); n < count; n += int(POINTS)) {
        int at = 0;
        for (int i = 0; i < count; ++i) at += int(i < n ? keys[i] <= keys[n] : keys[i] < keys[n]);
        order[at] = n;
    }
    memoryBarrierShared();
    barrier();
}

void order_candidates() {
    for (int n = 0; n < count; ++n) {
        float contrast = 0.0, share = WEIGHT(n) / sum;
        for (int k = 0; k < group.channel_count; ++k)
            contrast = max(contrast, slope[k] * abs(CANDIDATE(n).features[k] - value[k]));
        float most = most_of(contrast * share), most_share = most_of(share);
        CANDIDATE(n).most = most;
        CANDIDATE(n).share = most_share;
        if (leads()) keys[n] = most;
    }
    memoryBarrierShared();
    sort_candidates();
}

bool stays_near(int n, float change, float limit) {
    bool far = sum + change < 0.1 * sum;
    for (int k = 0; k < group.channel_count && !far; ++k)
        far = abs(error[k] + change * (CANDIDATE(n).features[k] - value[k])) > limit / slope[k] * (sum + change);
    return !any_of(far);
}

void change_weight(int n, float change) {
    sum += change;
    for (int k = 0; k < group.channel_count; ++k) error[k] += change * (CANDIDATE(n).features[k] - value[k]);
}

float largest_error() {
    float most = 0.0;
    for (int k = 0; k < group.channel_count; ++k) most = max(most, slope[k] * abs(error[k]) / sum);
    return most_of(most);
}

void begin_list() {
    sum = BACKGROUND_WEIGHT * exp2(-set.amplitude);
    for (int k = 0; k < group.channel_count; ++k)
        error[k] = sum * (uintBitsToFloat(words[view.background + uint(k)]) - value[k]);
}

bool choose_listed(float least, float part) {
    begin_list();
    for (int n = 0; n < count; ++n) {
        bool kept = CANDIDATE(n).most >= least || CANDIDATE(n).share >= least;
        CANDIDATE(n).plain = 0;
        CANDIDATE(n).kept = int(kept);
        if (!kept) continue;
        WEIGHT(n) = expanded_weight(n, false);
        change_weight(n, WEIGHT(n));
    }
    float limit = largest_error();
    if (!(limit <= ERROR_LIMIT)) return false;
    limit = max(limit, part * DROP_LIMIT);
    for (int i = 0; i < 2 * count; ++i) {
        int n = order[i % count];
        if (CANDIDATE(n).kept == 0 || CANDIDATE(n).most > 64.0 * limit) continue;
        float change = -WEIGHT(n);
        if (!stays_near(n, change, limit)) continue;
        change_weight(n, change);
        CANDIDATE(n).kept = 0;
    }
    for (int i = 0; i < count; ++i) {
        int n = order[i];
        if (CANDIDATE(n).kept == 0) continue;
        float change = expanded_weight(n, true) - WEIGHT(n);
        if (!stays_near(n, change, max(limit, part * CHOICE_LIMIT))) continue;
        change_weight(n, change);
        WEIGHT(n) += change;
        CANDIDATE(n).plain = 1;
    }
    return true;
}

// Returns how many are listed.
int sort_listed() {
    int listed = 0;
    barrier();
    for (int n = 0; n < count; ++n) {
        bool kept = CANDIDATE(n).kept != 0;
        if (leads()) keys[n] = kept ? float(CANDIDATE(n).place) : 3.0e38;
        listed += int(kept);
    }
    memoryBarrierShared();
    sort_candidates();
    return listed;
}

bool is_near(int listed) {
    begin_list();
    for (int i = 0; i < listed; ++i) {
        int n = order[i];
        change_weight(n, WEIGHT(n) < LEAST_WEIGHT * sum ? 0.0 : WEIGHT(n));
    }
    return largest_error() <= ERROR_LIMIT;
}

bool add_byte(uint list, uint byte) {
    if (byte_count == LIST_BYTES) return false;
    uint at = list + uint(byte_count >> 2);
    byte <<= 8 * (byte_count & 3);
    if (leads()) lists[at] = (byte_count & 3) == 0 ? byte : lists[at] | byte;
    ++byte_count;
    return true;
}

bool make_list(uint list, int listed) {
    uint next = 0u;
    byte_count = 0;
    for (int i = 0; i < listed; ++i) {
        uint place = CANDIDATE(order[i]).place, jump = place + 1u - next;
        bool plain = CANDIDATE(order[i]).plain != 0;
        while (jump > (plain ? 127u : 63u)) {
            uint shift = jump > 2048u ? 11u : 5u, steps = min((jump - 1u) >> shift, 32u);
            if (!add_byte(list, 192u | (shift > 5u ? 32u : 0u) | (steps - 1u))) return false;
            jump -= steps << shift;
        }
        if (!add_byte(list, jump | (plain ? 0u : 128u))) return false;
        next = place + 1u;
    }
    return true;
}

// Where a column or row is, in units. texel: units of one.
uint point_at(int first, int size, int i, float texel) {
    float place = grid_number > 0 ? float(i * size) / 7.0 : float(min(i, size - 1)) + 0.5;
    return uint((float(first) + place) * texel + 0.5);
}

bool choose_list(int number, uint list) {
    int columns = (view.width + side - 1) / side;
    ivec2 corner = side * ivec2(number % columns, number / columns), size = min(ivec2(view.width, view.height) - corner, side);
    point_x = point_at(corner.x, size.x, column_number, set.units_x * view.own_width / float(view.width));
    point_y = point_at(corner.y, size.y, row_number, set.units_y * view.own_height / float(view.height));
    for (int i = 2; i >= 0; --i) {
        if (!gather(corner, size)) return false;
        sum_tile();
        order_candidates();
        if (!choose_listed(i > 0 ? LEAST_ERROR : 0.0, 0.5 * float(i))) continue;
        int listed = sort_listed();
        if (is_near(listed)) return make_list(list, listed);
    }
    return false;
}

void main() {
    int own = int(gl_LocalInvocationIndex), at = first_list + int(gl_WorkGroupID.x);
    grid_number = own / 64;
    row_number = own % 64 / 8;
    column_number = own % 8;
    bool made = choose_list(first_tile + int(gl_WorkGroupID.x), 255u * uint(at));
    if (leads()) sizes[at] = made ? byte_count : -1;
}
