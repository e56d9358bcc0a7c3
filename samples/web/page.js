// The page: a material, or a model, from its images on the left of a bar and from .gstex on the right.

import * as THREE from 'three';
import { GLTFLoader } from './node_modules/three/examples/jsm/loaders/GLTFLoader.js';
import { OrbitControls } from './node_modules/three/examples/jsm/controls/OrbitControls.js';
import { RoomEnvironment } from './node_modules/three/examples/jsm/environments/RoomEnvironment.js';
import { GLTFGstexExtension, GstexLoader, readFile, sampleInMaterial } from './src/index.js';

const find = (id) => document.getElementById(id);
const canvas = find('view'), split = find('split');
const renderer = new THREE.WebGLRenderer({ canvas, antialias: true });
renderer.autoClear = false; // scenes with a background clear what they draw to

const loader = new GstexLoader().setRenderer(renderer).setShaderPath('../../shaders/');
const camera = new THREE.PerspectiveCamera(40, 1, 0.05, 50);
camera.position.set(0.9, 0.7, 3.2);
const controls = new OrbitControls(camera, canvas);
controls.minDistance = 1.4;
controls.maxDistance = 8;

// The same lights twice: an object belongs to one scene.
const room = new THREE.PMREMGenerator(renderer).fromScene(new RoomEnvironment(), 0.04).texture;
const scenes = [0, 1].map(() => {
    const scene = new THREE.Scene(), sun = new THREE.DirectionalLight(0xffffff, 2);
    scene.background = new THREE.Color(0x16181c);
    scene.environment = room;
    sun.position.set(2, 3, 4);
    scene.add(sun);
    return scene;
});
let shown = [null, null], place = 0.5, loading = 0;

async function bytesOf(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
    return answer.arrayBuffer();
}

const size = (bytes) => (bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(2)} MiB`);

/** A material of images: by name of the parameter, a file. */
async function originalMaterial(folder, images) {
    const textures = new Map(), parameters = { roughness: 1, metalness: 0 };
    let bytes = 0;
    for (const [name, file] of Object.entries(images)) {
        if (!textures.has(file)) {
            const data = await bytesOf(folder + file), bitmap = await createImageBitmap(new Blob([data]), {
                imageOrientation: 'flipY', colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
            const texture = new THREE.Texture(bitmap);
            texture.flipY = false; // the bitmap is turned over
            texture.wrapS = texture.wrapT = THREE.RepeatWrapping;
            texture.colorSpace = name === 'map' || name === 'emissiveMap' ? THREE.SRGBColorSpace : THREE.NoColorSpace;
            texture.needsUpdate = true;
            textures.set(file, texture);
            bytes += data.byteLength;
        }
        parameters[name] = textures.get(file);
        if (name === 'metalnessMap') parameters.metalness = 1;
        if (name === 'emissiveMap') parameters.emissive = 0xffffff;
    }
    return { material: new THREE.MeshStandardMaterial(parameters), bytes };
}

async function gstexMaterial(url, isSampled) {
    const data = await bytesOf(url);
    if (!isSampled) {
        const { parameters } = await loader.parse(data);
        return { material: new THREE.MeshStandardMaterial(parameters), bytes: data.byteLength };
    }
    const material = new THREE.MeshStandardMaterial({ roughness: 1, metalness: 1, emissive: 0xffffff });
    sampleInMaterial(material, renderer, readFile(data), await loader.shader());
    return { material, bytes: data.byteLength };
}

async function model(url) {
    const data = await bytesOf(url), gltf = new GLTFLoader();
    gltf.register((parser) => new GLTFGstexExtension(parser, loader));
    const { scene } = await gltf.parseAsync(data, new URL('.', new URL(url, location.href)).href);
    return { object: scene, bytes: data.byteLength };
}

/** Both sides of an entry of demo.json: [{object, bytes}, {object, bytes}]. */
async function sides(entry, isSampled) {
    if (entry.compressed) return Promise.all([model(`demo/${entry.original}`), model(`demo/${entry.compressed}`)]);
    const both = [await originalMaterial('demo/', entry.images), await gstexMaterial(`demo/${entry.gstex}`, isSampled)];
    const geometry = new THREE.PlaneGeometry(2, 2);
    return both.map(({ material, bytes }) => ({ object: new THREE.Mesh(geometry, material), bytes }));
}

async function show(entry) {
    const mine = ++loading, isModel = Boolean(entry.compressed);
    find('mode').disabled = isModel;
    find('message').hidden = true;
    try {
        const both = await sides(entry, find('mode').value === 'sampled');
        if (mine !== loading) return;
        shown.forEach((object, i) => object && scenes[i].remove(object));
        shown = both.map(({ object }) => object);
        shown.forEach((object, i) => scenes[i].add(object));
        find('before').textContent = `${size(both[0].bytes)}${isModel ? ', the whole model' : ' of images'}`;
        find('after').textContent = `${size(both[1].bytes)}${isModel ? ', the whole model' : ''}`;
        draw();
    } catch (error) {
        find('message').hidden = false;
        find('message').textContent = `${entry.name}: ${error.message}`;
        throw error;
    }
}

function draw() {
    const { clientWidth: width, clientHeight: height } = canvas;
    if (canvas.width !== Math.round(width * devicePixelRatio) || canvas.height !== Math.round(height * devicePixelRatio)) {
        renderer.setPixelRatio(devicePixelRatio);
        renderer.setSize(width, height, false);
        camera.aspect = width / height;
        camera.updateProjectionMatrix();
    }
    const edge = Math.round(width * place);
    renderer.setScissorTest(true);
    for (const [i, [from, wide]] of [[0, [0, edge]], [1, [edge, width - edge]]]) {
        if (wide === 0) continue;
        renderer.setScissor(from, 0, wide, height);
        renderer.render(scenes[i], camera);
    }
}

function moveSplit(to) {
    place = Math.min(Math.max(to, 0), 1);
    split.style.left = `${100 * place}%`;
    split.setAttribute('aria-valuenow', Math.round(100 * place));
    draw();
}

split.addEventListener('pointerdown', (event) => split.setPointerCapture(event.pointerId));
split.addEventListener('pointermove', (event) => {
    if (!split.hasPointerCapture(event.pointerId)) return;
    const { left, width } = canvas.getBoundingClientRect();
    moveSplit((event.clientX - left) / width);
});
split.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (step) moveSplit(place + step);
});
controls.addEventListener('change', draw);
new ResizeObserver(draw).observe(canvas);

async function start() {
    const answer = await fetch('demo/demo.json');
    if (!answer.ok) {
        find('message').hidden = false;
        find('message').textContent = 'There is nothing to show yet: run python samples/web/make_demo.py';
        return;
    }
    const entries = await answer.json(), select = find('entry');
    for (const { name } of entries) select.add(new Option(name));
    const showSelected = () => show(entries[select.selectedIndex]);
    select.addEventListener('change', showSelected);
    find('mode').addEventListener('change', showSelected);
    window.gstexPage = { show: (i) => { select.selectedIndex = i; return showSelected(); }, moveSplit };
    await showSelected();
}

start().finally(() => { window.ready = true; });
