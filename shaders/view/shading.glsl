// Light on a surface: gstex/shading.py says what and why; the names are the same.

// Numbers of channels in the stack, -1 where there is none.
uniform ivec3 base_channels;
uniform ivec3 emissive_channels;
uniform vec3 base_range; // scale, bias and stops
uniform vec3 emissive_range;
uniform ivec2 normal_channels;
uniform int roughness_channel;
uniform int metallic_channel;
uniform int ao_channel;
uniform int opacity_channel;
uniform bool is_gloss;
uniform float normal_up;   // of Y: 1 OpenGL, -1 DirectX

uniform vec3 light_to[2];
uniform vec3 light_color[2];
uniform vec3 ambient_up;
uniform vec3 ambient_sky;
uniform vec3 ambient_ground;
// Surroundings, gstex/view/environment.py; without them the three lines above.
uniform bool has_environment;
uniform sampler2D environment;  // equirectangular, a mip for each step of roughness
uniform float environment_last; // its last mip
uniform vec3 irradiance[9];
uniform vec2 environment_turn;  // cosine and sine of the angle by which it is turned round y
uniform float exposure;         // factor
uniform int tone;               // TONE_NEUTRAL, TONE_FILMIC or TONE_CLIP

struct Surface {
    vec3 base;     // linear
    vec3 normal;   // tangent space, z out of the surface
    float alpha;   // of GGX, roughness squared
    float metallic;
    float ao;
    vec3 emissive; // linear
    float opacity;
};

const float LEAST_ALPHA = 0.02; // of GGX: a lamp is a disc

float value_or(GstexValue value, int channel, float missing) {
    return channel < 0 ? missing : channel_of(value, channel);
}

vec3 color_or(GstexValue value, ivec3 channels, vec3 range, vec3 missing) {
    if (channels.x < 0) return missing;
    vec3 color = vec3(channel_of(value, channels.x), channel_of(value, channels.y), channel_of(value, channels.z));
    if (is_srgb(channels.x)) color = light_of(vec4(color, 0.0)).rgb;
    if (range.z > 0.0) color = exp2(range.z * color) - 1.0;
    return range.y + range.x * color;
}

Surface read_surface(GstexValue value) {
    Surface s;
    s.base = color_or(value, base_channels, base_range, vec3(0.2));
    s.emissive = color_or(value, emissive_channels, emissive_range, vec3(0.0));
    vec2 slope = vec2(0.0);
    if (normal_channels.x >= 0)
        slope = 2.0 * vec2(channel_of(value, normal_channels.x), channel_of(value, normal_channels.y)) - 1.0;
    s.normal = normalize(vec3(slope.x, slope.y * normal_up, sqrt(max(1.0 - dot(slope, slope), 0.0))));
    float roughness = value_or(value, roughness_channel, 0.5);
    if (is_gloss) roughness = 1.0 - roughness;
    s.alpha = max(roughness * roughness, LEAST_ALPHA);
    s.metallic = value_or(value, metallic_channel, 0.0);
    s.ao = value_or(value, ao_channel, 1.0);
    s.opacity = value_or(value, opacity_channel, 1.0);
    return s;
}

vec3 turned(vec3 way) {
    return vec3(environment_turn.x * way.x - environment_turn.y * way.z, way.y,
                environment_turn.y * way.x + environment_turn.x * way.z);
}

vec3 environment_light(vec3 way, float mip) {
    way = turned(way);
    vec2 uv = vec2(0.5 + atan(way.x, way.z) * 0.15915494, acos(clamp(way.y, -1.0, 1.0)) * 0.31830989);
    return textureLod(environment, uv, mip).rgb;
}

vec3 irradiance_at(vec3 way) {
    way = turned(way);
    vec3 light = 0.282095 * irradiance[0];
    light += 0.488603 * (way.y * irradiance[1] + way.z * irradiance[2] + way.x * irradiance[3]);
    light += 1.092548 * (way.x * way.y * irradiance[4] + way.y * way.z * irradiance[5] + way.x * way.z * irradiance[7]);
    light += 0.315392 * (3.0 * way.z * way.z - 1.0) * irradiance[6];
    return max(light + 0.546274 * (way.x * way.x - way.y * way.y) * irradiance[8], 0.0);
}

vec3 ambient_light(float alpha, vec3 n, vec3 eye, float n_eye, vec3 f0, vec3 diffuse) {
    float roughness = sqrt(alpha);
    float straight = 1.0 - roughness;
    float a004 = min(straight * straight, exp2(-9.28 * n_eye)) * straight + 0.0425 - 0.0275 * roughness;
    float scale = -1.04 * a004 + 1.04 - 0.572 * roughness;
    float offset = 1.04 * a004 - 0.04 + 0.022 * roughness;
    vec3 reflected = clamp(f0 * scale + offset, 0.0, 1.0);
    if (has_environment) {
        vec3 mirrored = environment_light(reflect(-eye, n), roughness * environment_last);
        return reflected * mirrored + (1.0 - reflected) * diffuse * irradiance_at(n);
    }
    float n_up = dot(n, ambient_up);
    float mirror_up = 2.0 * dot(n, eye) * n_up - dot(eye, ambient_up);
    vec3 mean = (ambient_sky + ambient_ground) / 2.0;
    vec3 contrast = (ambient_sky - ambient_ground) / 2.0;
    vec3 light_specular = mean + contrast * ((1.0 - alpha / 3.0) * mirror_up);
    vec3 light_diffuse = mean + contrast * (2.0 / 3.0 * n_up);
    return reflected * light_specular + (1.0 - reflected) * diffuse * light_diffuse;
}

// Linear light towards the eye. n, eye: unit vectors in the space of the lights.
vec3 shade(Surface s, vec3 n, vec3 eye) {
    float alpha = s.alpha;
    float square = alpha * alpha;
    float n_eye = max(dot(n, eye), 1e-4);
    vec3 f0 = mix(vec3(0.04), s.base, s.metallic);
    vec3 diffuse = s.base * (1.0 - s.metallic);
    vec3 radiance = s.emissive + s.ao * ambient_light(alpha, n, eye, n_eye, f0, diffuse);
    for (int i = 0; i < 2; ++i) {
        vec3 middle = normalize(eye + light_to[i]);
        float n_light = max(dot(n, light_to[i]), 0.0);
        float n_half = max(dot(n, middle), 0.0);
        vec3 fresnel = f0 + (1.0 - f0) * pow(1.0 - max(dot(eye, middle), 0.0), 5.0);
        float bump = n_half * n_half * (square - 1.0) + 1.0;
        float distribution = square / (bump * bump);
        float masking = n_light * sqrt(n_eye * n_eye * (1.0 - square) + square)
                      + n_eye * sqrt(n_light * n_light * (1.0 - square) + square);
        vec3 specular = fresnel * (distribution * 0.5 / masking);
        radiance += light_color[i] * n_light * ((1.0 - fresnel) * diffuse + specular);
    }
    return radiance;
}

// Linear light -> sRGB in 0..1.
vec3 tone_map(vec3 radiance) {
    radiance *= exposure;
    if (tone == TONE_FILMIC) { // Narkowicz 2016, "ACES Filmic Tone Mapping Curve"
        vec3 curve = radiance * (2.51 * radiance + 0.03) / (radiance * (2.43 * radiance + 0.59) + 0.14);
        return stored_of(vec4(clamp(curve, 0.0, 1.0), 0.0)).rgb;
    }
    if (tone == TONE_CLIP) return stored_of(vec4(clamp(radiance, 0.0, 1.0), 0.0)).rgb;
    // Khronos PBR Neutral
    const float start = 0.8 - 0.04;
    float low = min(radiance.r, min(radiance.g, radiance.b));
    vec3 color = radiance - (low < 0.08 ? low - 6.25 * low * low : 0.04);
    float peak = max(color.r, max(color.g, color.b));
    if (peak > start) {
        float squeezed = 1.0 - (1.0 - start) * (1.0 - start) / (peak + 1.0 - 2.0 * start);
        float keep = 1.0 / (0.15 * (peak - squeezed) + 1.0);
        color = color * (squeezed / peak * keep) + squeezed * (1.0 - keep);
    }
    return stored_of(vec4(clamp(color, 0.0, 1.0), 0.0)).rgb;
}
