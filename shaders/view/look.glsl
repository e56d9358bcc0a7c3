// How people see the channels of a map; gstex/view/maps.py, shown(), is the same on the CPU.

uniform ivec3 look_channels; // of the stack, -1 where the map has none
uniform int look;            // a number of gstex.view.maps.LOOKS, whose names are defined as LOOK_...
uniform vec2 look_range;     // of a grey map: the values that are black and white

// sRGB in 0..1.
vec3 seen(GstexValue value) {
    vec3 map = vec3(0.0);
    for (int i = 0; i < 3; ++i) {
        if (look_channels[i] >= 0) map[i] = channel_of(value, look_channels[i]);
    }
    if (look == LOOK_GREY) return vec3(clamp((map.r - look_range.x) / (look_range.y - look_range.x), 0.0, 1.0));
    if (look == LOOK_LINEAR_COLOR) return stored_of(vec4(map, 0.0)).rgb;
    if (look == LOOK_NORMAL) {
        vec2 slope = map.xy * 2.0 - 1.0;
        return vec3(map.xy, sqrt(max(1.0 - dot(slope, slope), 0.0)) * 0.5 + 0.5);
    }
    return map;
}

// The size of a difference, 0..1: gstex/view/errors.py, shown_error(), is the same on the CPU.
float error_size(vec3 a, vec3 b) {
    vec3 away = abs(a - b);
    if (look != LOOK_NORMAL) return max(away.r, max(away.g, away.b));
    a = 2.0 * a - 1.0;
    b = 2.0 * b - 1.0;
    return min(degrees(atan(length(cross(a, b)), dot(a, b))) / MOST_ANGLE, 1.0);
}
