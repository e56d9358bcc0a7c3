// A plugin of three.js' GLTFLoader for GSTEX_texture (docs/gltf.md): textures that are channels of .gstex files.
//
//     new GLTFLoader().register((parser) => new GLTFGstexExtension(parser, gstexLoader))

import {
    ClampToEdgeWrapping, LinearFilter, LinearMipmapLinearFilter, LinearMipmapNearestFilter, LoaderUtils, MirroredRepeatWrapping,
    NearestFilter, NearestMipmapLinearFilter, NearestMipmapNearestFilter, NoColorSpace, RepeatWrapping, SRGBColorSpace,
} from 'three';

import { FormatError, LimitError } from './errors.js';
import { readFile } from './file.js';

const NAME = 'GSTEX_texture';
const WRAPS = { 33071: ClampToEdgeWrapping, 33648: MirroredRepeatWrapping, 10497: RepeatWrapping };
const FILTERS = {
    9728: NearestFilter, 9729: LinearFilter, 9984: NearestMipmapNearestFilter, 9985: LinearMipmapNearestFilter,
    9986: NearestMipmapLinearFilter, 9987: LinearMipmapLinearFilter,
};

export class GLTFGstexExtension {
    /**
     * @param {GLTFParser} parser
     * @param {GstexLoader} loader With a renderer.
     */
    constructor(parser, loader) {
        this.parser = parser;
        this.loader = loader;
        this.name = NAME;
        this._decoded = new Map(); // by file: a promise of textures by their components
    }

    /** Called by GLTFLoader; null for textures that are not ours. Of a file that is not sound the fallback is shown. */
    loadTexture(index) {
        const { json, textureLoader } = this.parser, { source, extensions } = json.textures[index];
        if (!extensions?.[NAME]) return null;
        return this._load(index, extensions[NAME]).catch((error) => {
            const isOfTheFile = error instanceof FormatError || error instanceof LimitError;
            if (!isOfTheFile || source === undefined) throw error;
            console.warn(`textures[${index}]: the fallback is shown; ${error.message}`);
            return this.parser.loadTextureImage(index, source, textureLoader);
        });
    }

    async _load(index, stated) {
        const { json } = this.parser, { file } = stated;
        if (!this._decoded.has(file)) this._decoded.set(file, this._decode(file));
        const texture = (await this._decoded.get(file)).get(JSON.stringify(stated.components)).clone();
        const of = json.textures[index], sampler = json.samplers?.[of.sampler] ?? {};
        texture.name = of.name ?? stated.image?.name ?? '';
        texture.magFilter = FILTERS[sampler.magFilter] ?? LinearFilter;
        texture.minFilter = FILTERS[sampler.minFilter] ?? LinearMipmapLinearFilter;
        texture.wrapS = WRAPS[sampler.wrapS] ?? RepeatWrapping;
        texture.wrapT = WRAPS[sampler.wrapT] ?? RepeatWrapping;
        texture.colorSpace = this._isColor(index) ? SRGBColorSpace : NoColorSpace;
        this.parser.associations.set(texture, { textures: index });
        return texture;
    }

    /** All textures of a file, decoded at once. */
    async _decode(number) {
        const { json } = this.parser, entry = json.extensions?.[NAME]?.files?.[number];
        if (!entry) throw new FormatError(`${NAME}: file ${number} is not in the model`);
        const data = await (entry.uri === undefined ? this.parser.getDependency('bufferView', entry.bufferView)
            : this.parser.fileLoader.loadAsync(LoaderUtils.resolveURL(entry.uri, this.parser.options.path)));
        const file = readFile(data), maps = new Map();
        for (const texture of json.textures) {
            const stated = texture.extensions?.[NAME];
            if (stated?.file === number) maps.set(JSON.stringify(stated.components), { components: stated.components });
        }
        const decoder = await this.loader.decoder();
        const textures = await decoder.decode(file, [...maps.values()], { flipY: false });
        return new Map([...maps.keys()].map((key, i) => [key, textures[i]]));
    }

    /** Whether glTF means the texture as sRGB. */
    _isColor(index) {
        return (this.parser.json.materials ?? []).some((material) =>
            material.pbrMetallicRoughness?.baseColorTexture?.index === index || material.emissiveTexture?.index === index);
    }
}
