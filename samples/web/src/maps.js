// Which channels of a file hold which map, from the binary table of channels, and which textures three.js wants of them.

const ROLES = ['other', 'albedo', 'color', 'opacity', 'normal', 'roughness', 'metallic', 'ao', 'height', 'emissive', 'gloss',
    'specular', 'mask'];
const ONLY = 0, RED = 1, X = 4, Y = 5; // components

/**
 * The same as gstex_find_channels of gstex.glsl and gstex.h. Of two channels for the same the first counts; a picture stands in
 * for an albedo that is missing, and a constant opacity hides nothing.
 *
 * @param {object} material Of `readFile`.
 * @returns {object} Numbers of channels: albedo, emissive: [r, g, b]; normal: [x, y]; roughness, metallic, ao, height, gloss,
 *     opacity. What is not there is null. flipped: Y of the normal points down.
 */
export function findChannels(material) {
    const find = (role, component) => {
        const index = material.channels.findIndex((c) => ROLES[c.role] === role && component(c.component));
        return index < 0 ? null : index;
    };
    const single = (role) => find(role, () => true);
    const color = (role) => {
        const three = [0, 1, 2].map((i) => find(role, (c) => c === ONLY || c === RED + i));
        return three.includes(null) ? null : three;
    };
    const normal = [X, Y].map((axis) => find('normal', (c) => c === axis));
    const opacity = single('opacity');
    return {
        albedo: color('albedo') ?? color('color'), emissive: color('emissive'), normal: normal.includes(null) ? null : normal,
        flipped: normal[1] !== null && material.channels[normal[1]].flipped,
        roughness: single('roughness'), metallic: single('metallic'), ao: single('ao'), height: single('height'),
        gloss: single('gloss'), opacity: opacity !== null && material.channels[opacity].constant === null ? opacity : null,
    };
}

const channel = (index) => ({ channel: index });
const value = (x) => ({ value: x });
const ONE = value(1);

/**
 * The textures of a MeshStandardMaterial. A texture is `components`, R, G, B and A, each one of {channel, invert, source},
 * {value} and {normalZ: [x, y]}; `srgb`; and `float`, of values that do not fit into 0..1.
 *
 * @returns {object} By name: map, normalMap, packedMap (ao, roughness, metallic in R, G, B), emissiveMap.
 */
export function standardMaps(material) {
    const at = findChannels(material), maps = {};
    const color = (indices, alpha) => {
        const { srgb, scale, bias, stops } = material.channels[indices[0]];
        const float = scale !== 1 || bias !== 0 || stops !== 0;
        return { components: [...indices.map((i) => ({ channel: i, source: float })), alpha], srgb, float };
    };
    if (at.albedo) maps.map = color(at.albedo, at.opacity === null ? ONE : channel(at.opacity));
    if (at.normal) {
        const [x, y] = at.normal;
        const up = { channel: y, invert: at.flipped };
        maps.normalMap = { components: [channel(x), up, { normalZ: [x, y] }, ONE], srgb: false, float: false };
    }
    if (at.ao !== null || at.roughness !== null || at.metallic !== null || at.gloss !== null) {
        const rough = at.roughness !== null ? channel(at.roughness)
            : at.gloss !== null ? { channel: at.gloss, invert: true } : value(0.5);
        const or = (index, missing) => (index === null ? value(missing) : channel(index));
        maps.packedMap = { components: [or(at.ao, 1), rough, or(at.metallic, 0), ONE], srgb: false, float: false };
    }
    if (at.emissive) maps.emissiveMap = color(at.emissive, ONE);
    return maps;
}
