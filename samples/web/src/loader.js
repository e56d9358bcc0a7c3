// GstexLoader: a .gstex file -> textures and the parameters of a MeshStandardMaterial.

import { FileLoader, Loader } from 'three';

import { readFile } from './file.js';
import { standardMaps } from './maps.js';
import { WebGLDecoder } from './webgl.js';
import { WebGPUDecoder } from './webgpu.js';

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
        this.shaderPath = new URL('../', import.meta.url).href;
        this._shaders = {};
        this._decoder = null;
    }

    /** The WebGLRenderer or WebGPURenderer that decodes. Needed before anything is loaded. */
    setRenderer(renderer) {
        this.renderer = renderer;
        this._decoder = null;
        return this;
    }

    /** The folder of gstex.glsl and gstex.wgsl, of which one is fetched. Default: that of this package. */
    setShaderPath(url) {
        this.shaderPath = new URL(url.endsWith('/') ? url : `${url}/`, globalThis.location?.href).href;
        this._shaders = {};
        this._decoder = null;
        return this;
    }

    /** As of `GstexDecoder`: maxValues. */
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

    /** The text of gstex.glsl or gstex.wgsl. */
    async shader(language = 'glsl') {
        const files = new FileLoader(this.manager);
        this._shaders[language] ??= files.loadAsync(`${this.shaderPath}gstex.${language}`);
        return this._shaders[language];
    }

    /** What decodes for this loader. */
    async decoder() {
        this._decoder ??= this._makeDecoder();
        return this._decoder;
    }

    async _makeDecoder() {
        const { renderer, options } = this;
        if (!renderer) throw new Error('GstexLoader: call setRenderer before loading');
        if (!renderer.isWebGPURenderer) return new WebGLDecoder(renderer, await this.shader('glsl'), options);
        await renderer.init();
        const { device } = renderer.backend;
        if (!device) throw new Error('GstexLoader: this WebGPURenderer draws by WebGL; pass a WebGLRenderer to setRenderer');
        return new WebGPUDecoder(device, await this.shader('wgsl'), options);
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
