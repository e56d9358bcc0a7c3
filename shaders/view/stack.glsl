// The stacks that a file is compared with, in texture arrays: filtered by the rules that hold for the file
// (docs/format.md, "Sampling"), whatever the hardware would do. Channel c is component c % 4 of layer c / 4.

GstexValue stack_fetch(sampler2DArray stack, ivec2 texel, int mip) {
    GstexValue value;
    ivec2 at = texel_inside(texel, mip_size(mip));
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = texelFetch(stack, ivec3(at, i), mip);
    return value;
}

// One mip, bilinear.
GstexValue stack_point(sampler2DArray stack, vec2 uv, int mip) {
    vec2 at = vec2(mip_size(mip)) * (wraps ? fract(uv) : clamp(uv, 0.0, 1.0)) - 0.5;
    ivec2 corner = ivec2(floor(at));
    vec2 share = at - vec2(corner);
    GstexValue value;
    for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] = vec4(0);
    for (int n = 0; n < 4; ++n) {
        ivec2 beside = ivec2(n & 1, n >> 1);
        vec2 weight = mix(1.0 - share, share, vec2(beside));
        GstexValue texel = stack_fetch(stack, corner + beside, mip);
        for (int i = 0; i < GSTEX_VEC4S; ++i) value.v[i] += texel.v[i] * (weight.x * weight.y);
    }
    return value;
}

// The least value of a channel among the texels that a point is filtered from.
float stack_least(sampler2DArray stack, vec2 uv, float lod, int channel) {
    float least = 1.0;
    lod = clamp(lod, 0.0, float(mip_count - 1));
    for (int mip = int(lod); mip <= int(ceil(lod)); ++mip) {
        vec2 at = vec2(mip_size(mip)) * (wraps ? fract(uv) : clamp(uv, 0.0, 1.0)) - 0.5;
        vec2 share = at - floor(at);
        for (int n = 0; n < 4; ++n) {
            ivec2 beside = ivec2(n & 1, n >> 1);
            vec2 weight = mix(1.0 - share, share, vec2(beside));
            if (min(weight.x, weight.y) < 1.0 / 256.0) continue;
            least = min(least, channel_of(stack_fetch(stack, ivec2(floor(at)) + beside, mip), channel));
        }
    }
    return least;
}

// Taps `step_uv` apart round uv, each between the two mips around lod, blended as light.
GstexValue stack_taps(sampler2DArray stack, vec2 uv, float lod, int taps, vec2 step_uv) {
    lod = clamp(lod, 0.0, float(mip_count - 1));
    int fine = int(lod);
    float coarse_share = lod - float(fine);
    int mips = coarse_share > 0.0 ? 2 : 1;
    GstexValue sum;
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = vec4(0);
    for (int n = 0; n < taps * mips; ++n) {
        int tap = n / mips, coarser = n - tap * mips;
        vec2 at = uv + (float(tap) - 0.5 * float(taps - 1)) * step_uv;
        float share = (coarser == 1 ? coarse_share : 1.0 - coarse_share) / float(taps);
        GstexValue value = stack_point(stack, at, fine + coarser);
        for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] += share * mix(value.v[i], light_of(value.v[i]), are_srgb(i));
    }
    for (int i = 0; i < GSTEX_VEC4S; ++i) sum.v[i] = clamp(mix(sum.v[i], stored_of(sum.v[i]), are_srgb(i)), 0.0, 1.0);
    return sum;
}

// The footprint of a pixel, dx and dy its sides.
GstexValue stack_grad(sampler2DArray stack, vec2 uv, vec2 dx, vec2 dy) {
    vec2 a = texture_size * dx, b = texture_size * dy;
    float d = 0.5 * (a.x * a.x + b.x * b.x - a.y * a.y - b.y * b.y), q = a.x * a.y + b.x * b.y, r = length(vec2(d, q));
    float major = sqrt(0.5 * (dot(a, a) + dot(b, b)) + r);
    if (!(major > 0.0)) return stack_taps(stack, uv, 0.0, 1, vec2(0));
    float minor = abs(a.x * b.y - a.y * b.x) / major;
    float taps = clamp(ceil(major / max(minor, 1.0) - 1.0 / 64.0), 1.0, 8.0);
    vec2 axis = d >= 0.0 ? vec2(d + r, q) : vec2(q, r - d);
    vec2 step_uv = axis / max(length(axis), 1e-30) * (major / taps) / texture_size;
    return stack_taps(stack, uv, log2(major / taps), int(taps), step_uv);
}
