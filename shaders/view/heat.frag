// How many Gaussians each texel looks at, for some channels: docs/format.md, "Candidates".

uniform vec2 texture_size; // texels of mip 0
uniform uint heat_channels;
#define GSTEX_CHANNELS heat_channels
#include "gstex.glsl"
#include "view/frame.glsl"

uniform vec3 ramp[8]; // colours from none to `most`
uniform float most;

out vec4 color;

void main() {
    vec2 uv = uv_here();
    if (!inside_texture(uv)) {
        color = vec4(backdrop(), 1.0);
        return;
    }
    int mip = int(lod + 0.5);
    ivec2 size = max(ivec2(texture_size) >> mip, 1);
    ivec2 texel = min(ivec2(fract(uv) * vec2(size)), size - 1);
    float at = clamp(float(gstex_candidates(0u, texel, mip)) / most, 0.0, 1.0) * 7.0;
    int low = min(int(at), 6);
    color = vec4(mix(ramp[low], ramp[low + 1], at - float(low)), 1.0);
}
