// Samples a file in a MeshStandardMaterial itself: the words are all that is in memory, and there are no textures.

import { definesOf, wordTexture } from './webgl.js';

const vertexUv = '#include <uv_pars_vertex>\nvarying vec2 vGstexUv;\nuniform mat3 gstex_uv;';

const surface = `
    vec2 gstexUv = vGstexUv;
    GstexValue gstexValue = gstex_sample_grad(0u, gstexUv, dFdx(gstexUv), dFdy(gstexUv));
    GstexSurface gstexSurface = gstex_surface(0u, gstexValue, gstex_find_channels(0u));
    diffuseColor *= vec4(gstexSurface.albedo, gstexSurface.opacity);
`;

// The frame of the uvs, as three.js has it. V points down in the picture, and Y of the normal up.
const normal = `
    {
        vec3 q0 = dFdx(-vViewPosition), q1 = dFdy(-vViewPosition);
        vec2 st0 = dFdx(gstexUv), st1 = dFdy(gstexUv);
        vec3 q1perp = cross(q1, normal), q0perp = cross(normal, q0);
        vec3 T = q1perp * st0.x + q0perp * st1.x, B = q1perp * st0.y + q0perp * st1.y;
        float det = max(dot(T, T), dot(B, B)), size = det == 0.0 ? 0.0 : inversesqrt(det);
        vec3 n = gstexSurface.normal;
        normal = normalize(T * size * n.x - B * size * n.y + normal * n.z);
    }
`;

const occlusion = `
    reflectedLight.indirectDiffuse *= gstexSurface.ao;
    #if defined( USE_ENVMAP ) && defined( STANDARD )
        reflectedLight.indirectSpecular *= computeSpecularOcclusion(saturate(dot(geometryNormal, geometryViewDir)),
                                                                    gstexSurface.ao, material.roughness);
    #endif
`;

/**
 * Let a material take its maps from a file where it is drawn.
 *
 * @param {MeshStandardMaterial} material Without maps. Its color, roughness, metalness and emissive are factors.
 * @param {WebGLRenderer} renderer
 * @param {object} file Of `readFile`.
 * @param {string} shader The text of gstex.glsl.
 * @param {object} [options] flipY: v points up, as in three.js' own geometry, and not down, as in glTF. transform: a Matrix3 of
 *     the uvs, before that.
 * @returns {DataTexture} The words; dispose of them with the material.
 */
export function sampleInMaterial(material, renderer, file, shader, { flipY = true, transform = null } = {}) {
    const words = wordTexture(renderer, file.words);
    const uv = transform ? transform.clone() : { elements: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
    const e = [...uv.elements];
    if (flipY) for (let column = 0; column < 3; ++column) e[3 * column + 1] = (column === 2 ? 1 : 0) - e[3 * column + 1];
    material.onBeforeCompile = (program) => {
        program.uniforms.gstex_words = { value: words };
        program.uniforms.gstex_uv = { value: e };
        program.vertexShader = replaced(program.vertexShader, {
            '#include <uv_pars_vertex>': vertexUv,
            '#include <uv_vertex>': '#include <uv_vertex>\nvGstexUv = (gstex_uv * vec3(uv, 1.0)).xy;',
        });
        program.fragmentShader = replaced(program.fragmentShader, {
            '#include <uv_pars_fragment>':
                `#include <uv_pars_fragment>\nvarying vec2 vGstexUv;\n${definesOf(file.material)}${shader}`,
            '#include <map_fragment>': surface,
            '#include <roughnessmap_fragment>': 'float roughnessFactor = roughness * gstexSurface.roughness;',
            '#include <metalnessmap_fragment>': 'float metalnessFactor = metalness * gstexSurface.metallic;',
            '#include <normal_fragment_maps>': normal,
            '#include <emissivemap_fragment>': 'totalEmissiveRadiance *= gstexSurface.emissive;',
            '#include <aomap_fragment>': occlusion,
        });
    };
    material.customProgramCacheKey = () => `gstex ${definesOf(file.material)}`;
    material.needsUpdate = true;
    return words;
}

/** Text with parts replaced, each of which has to be there: another version of three.js might name it in another way. */
function replaced(text, parts) {
    for (const [from, to] of Object.entries(parts)) {
        if (!text.includes(from)) throw new Error(`sampleInMaterial: this version of three.js has no ${from} in its shader`);
        text = text.replace(from, () => to);
    }
    return text;
}
