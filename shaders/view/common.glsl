// What the viewer's shaders share: facts of the file, colours, channels. Comes after gstex.glsl.

uniform vec2 texture_size; // texels of mip 0
uniform int mip_count;
uniform bool wraps;        // the texture repeats
uniform int srgb_bits;     // one bit per channel that is sRGB-encoded

vec4 light_of(vec4 stored) {
    vec4 high = pow((max(stored, 0.0) + 0.055) / 1.055, vec4(2.4));
    return mix(high, stored / 12.92, lessThanEqual(stored, vec4(0.04045)));
}

vec4 stored_of(vec4 light) {
    vec4 high = 1.055 * pow(max(light, 0.0), vec4(1.0 / 2.4)) - 0.055;
    return mix(high, light * 12.92, lessThanEqual(light, vec4(0.0031308)));
}

bool is_srgb(int channel) {
    return (srgb_bits >> channel & 1) == 1;
}

bvec4 are_srgb(int group) {
    return bvec4(is_srgb(4 * group), is_srgb(4 * group + 1), is_srgb(4 * group + 2), is_srgb(4 * group + 3));
}

float channel_of(GstexValue value, int channel) {
    return clamp(value.v[channel >> 2][channel & 3], 0.0, 1.0);
}

ivec2 mip_size(int mip) {
    return max(ivec2(texture_size) >> mip, ivec2(1));
}

// A texel of a mip for any whole numbers.
ivec2 texel_inside(ivec2 texel, ivec2 size) {
    return wraps ? texel - size * ivec2(floor((vec2(texel) + 0.5) / vec2(size))) : clamp(texel, ivec2(0), size - 1);
}
