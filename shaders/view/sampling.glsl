// The file and the stacks beside it, read in one way: SAMPLING is one of SAMPLING_TEXELS (the nearest texel),
// SAMPLING_POINT (a level of detail) and SAMPLING_GRAD (a footprint). Whether a point is one evaluation or four fetches
// is a bit of the file's header, which gstex/view/scene.py sets.

// lod: of the ways that have no footprint. dx, dy: steps of uv from pixel to pixel.
GstexValue read_file(vec2 uv, float lod, vec2 dx, vec2 dy) {
#if SAMPLING == SAMPLING_TEXELS
    int mip = int(lod + 0.5);
    ivec2 size = mip_size(mip);
    return gstex_fetch(0u, texel_inside(ivec2(floor(uv * vec2(size))), size), mip);
#elif SAMPLING == SAMPLING_GRAD
    return gstex_sample_grad(0u, uv, dx, dy);
#else
    return gstex_sample(0u, uv, lod);
#endif
}

GstexValue read_stack(sampler2DArray stack, vec2 uv, float lod, vec2 dx, vec2 dy) {
#if SAMPLING == SAMPLING_TEXELS
    int mip = int(lod + 0.5);
    return stack_fetch(stack, ivec2(floor(uv * vec2(mip_size(mip)))), mip);
#elif SAMPLING == SAMPLING_GRAD
    return stack_grad(stack, uv, dx, dy);
#else
    return stack_taps(stack, uv, lod, 1, vec2(0));
#endif
}
