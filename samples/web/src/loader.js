// GstexLoader: a .gstex file -> textures and the parameters of a MeshStandardMaterial.

import { FileLoader, Loader } from 'three';

import { GstexDecoder } from './decoder.js';
import { readFile } from './file.js';
import { standardMaps } from './maps.js';

/**
 * const loader = new GstexLoader().setRenderer(renderer);
 * const { parameters } = await loader.loadAsync('wall.gstex');
 * const material = new MeshStandardMaterial(parameters);
 */
export class GstexLoader extends Loader {
    constructor(manager) {
        super(manager);
        this.renderer = null;
        this.options = {};
        this.shaderPath = new URL('../gstex.glsl', import.meta.url).href;
        this._shader = null;
        this._decoder = null;
    }

    /** The WebGLRenderer that decodes. Needed before anything is loaded. */
    setRenderer(renderer) {
        this.renderer = renderer;
        this._decoder = null;
        return this;
    }

    /** Where gstex.glsl is. Default: in this package. */
    setShaderPath(url) {
        this.shaderPath = url;
        this._shader = this._decoder = null;
        return this;
    }

    /** As of `GstexDecoder`: maxTexels. */
    setOptions(options) {
        this.options = options;
        this._decoder = null;
        return this;
    }

    load(url, onLoad, onProgress, onError) {
        const files = new FileLoader(this.manager);
        files.setPath(this.path).setResponseType('arraybuffer').setRequestHeader(this.requestHeader);
        files.setWithCredentials(this.withCredentials);
        const failed = (error) => {
            if (onError) onError(error);
            else console.error(error);
            this.manager.itemError(url);
        };
        files.load(url, (data) => this.parse(data).then(onLoad).catch(failed), onProgress, onError);
    }

    /**
     * @param {ArrayBuffer|Uint8Array} data Of a file.
     * @returns {Promise<object>} file: of `readFile`; textures: by name; parameters: of a MeshStandardMaterial; dispose().
     * @throws {FormatError|LimitError}
     */
    async parse(data) {
        const file = readFile(data), maps = standardMaps(file.material), names = Object.keys(maps);
        const decoder = await this.decoder();
        const list = await decoder.decode(file, Object.values(maps));
        const textures = Object.fromEntries(names.map((name, i) => [name, list[i]]));
        return {
            file, textures, parameters: parametersOf(textures, file.material, maps),
            dispose() { list.forEach((texture) => texture.dispose()); },
        };
    }

    /** The text of gstex.glsl. */
    async shader() {
        const files = new FileLoader(this.manager);
        this._shader ??= files.loadAsync(this.shaderPath);
        return this._shader;
    }

    /** What decodes for this loader. */
    async decoder() {
        if (!this.renderer) throw new Error('GstexLoader: call setRenderer with a WebGLRenderer before loading');
        const shader = await this.shader();
        this._decoder ??= new GstexDecoder(this.renderer, shader, this.options);
        return this._decoder;
    }
}

function parametersOf({ map, normalMap, packedMap, emissiveMap }, material, maps) {
    const parameters = {};
    if (map) Object.assign(parameters, { map, transparent: maps.map.components[3].channel !== undefined });
    if (normalMap) parameters.normalMap = normalMap;
    if (packedMap) {
        for (const name of ['aoMap', 'roughnessMap', 'metalnessMap']) parameters[name] = packedMap;
        Object.assign(parameters, { roughness: 1, metalness: 1 });
    }
    if (emissiveMap) Object.assign(parameters, { emissiveMap, emissive: 0xffffff });
    return parameters;
}
