// Texels: from the PNG files in the page to codes 0..255, and from those to what is seen.

// The error ramp: "inferno" of Matplotlib (CC0) at ten equal steps, dark to light.
const RAMP = ["000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4"];
const HIDDEN = 90; // grey of texels that are not measured
const HATCH = [[41, 41, 41], [61, 61, 61]]; // stripes over colour that nobody sees
const KEPT = 40; // prepared pictures; of 1024 x 1024 texels they take 4 MB each
const COLOR_ROLES = ["albedo", "color", "emissive"];

const rampColors = Array.from({ length: 256 }, (_, code) => {
  const at = (code / 255) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  const part = (step, c) => parseInt(RAMP[step].slice(2 * c, 2 * c + 2), 16);
  return [0, 1, 2].map((c) => Math.round(part(low, c) + (part(low + 1, c) - part(low, c)) * (at - low)));
});

const lightToSrgb = Uint8Array.from({ length: 256 }, (_, code) => {
  const v = code / 255;
  return Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));
});

const kept = new Map();

/** The value of `make` for a key, a promise; what was not used for long is made again. */
function remember(key, make) {
  const value = kept.get(key) ?? make();
  kept.delete(key);
  kept.set(key, value);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return value;
}

/** Codes of one map of one stack: {width, height, planes: one Uint8Array per channel}. part: "texels" | "overview". */
function loadPlanes(stack, map, part) {
  return remember(`planes ${stack} ${map} ${part}`, async () => {
    const images = gallery.maps[map].images;
    const decoded = await Promise.all(images.map((_, i) => decodePicture(`picture-${stack}-${map}-${i}-${part}`)));
    const planes = decoded.flatMap(({ data }, i) =>
      Array.from({ length: images[i] }, (_, c) => Uint8Array.from({ length: data.length / 4 }, (_, t) => data[4 * t + c])),
    );
    return { width: decoded[0].width, height: decoded[0].height, planes };
  });
}

async function decodePicture(id) {
  const bytes = Uint8Array.from(atob(byId(id).textContent), (c) => c.charCodeAt(0));
  // Codes are data: no colour profile of a screen may change them.
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), options);
  const context = newCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

function newCanvas(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

/** A canvas of the map as people see it: colours in sRGB, normals with Z, one value as grey; colour that zero opacity
 * hides is hatched. */
function mapCanvas(stack, map, part) {
  return remember(`map ${stack} ${map} ${part}`, async () => {
    const { kind } = gallery.maps[map];
    const opacity = await hidingOpacity(map, part);
    const codes = await loadPlanes(stack, map, part);
    const [r, g = r, b = codes.planes.length > 1 ? null : r] = codes.planes;
    return painted(codes, (t) => {
      if (opacity && opacity[t] === 0) return hatch(t % codes.width, Math.floor(t / codes.width));
      if (kind === "normal") return [r[t], g[t], normalZ(r[t], g[t])];
      if (kind === "light") return [lightToSrgb[r[t]], lightToSrgb[g[t]], lightToSrgb[b[t]]];
      return [r[t], g[t], b ? b[t] : 0];
    });
  });
}

const hatch = (x, y) => ((x + y) % 4 < 2 ? HATCH[0] : HATCH[1]);

function normalZ(codeX, codeY) {
  const x = codeX / 127.5 - 1;
  const y = codeY / 127.5 - 1;
  return Math.round(127.5 * (Math.sqrt(Math.max(0, 1 - x * x - y * y)) + 1));
}

/** A canvas of the error: the largest difference of a texel's channels to the original, times the gain. */
function errorCanvas(stack, map, part, gain) {
  return remember(`error ${stack} ${map} ${part} ${gain}`, async () => {
    const codes = await loadPlanes(stack, map, part);
    const original = await loadPlanes(0, map, part);
    const opacity = await hidingOpacity(map, part);
    return painted(codes, (t) => {
      if (opacity && opacity[t] === 0) return [HIDDEN, HIDDEN, HIDDEN];
      let error = 0;
      codes.planes.forEach((plane, c) => (error = Math.max(error, Math.abs(plane[t] - original.planes[c][t]))));
      return rampColors[Math.min(255, error * gain)];
    });
  });
}

/** The channel of the opacity that hides texels of a map, undefined without. */
function hides(map) {
  if (!COLOR_ROLES.includes(gallery.maps[map].role)) return undefined;
  return numbers.material.channels.find((c) => c.role === "opacity" && c.constant === null);
}

/** The original's opacity where zero of it takes texels of this map out of all metrics, else null. */
async function hidingOpacity(map, part) {
  const channel = hides(map);
  if (!channel) return null;
  const index = gallery.maps.findIndex((m) => m.role === "opacity" && m.file === channel.file);
  return (await loadPlanes(0, index, part)).planes[0];
}

function painted({ width, height }, colorAt) {
  const canvas = newCanvas(width, height);
  const image = new ImageData(width, height);
  for (let t = 0; t < width * height; t++) {
    const [r, g, b] = colorAt(t);
    image.data[4 * t] = r;
    image.data[4 * t + 1] = g;
    image.data[4 * t + 2] = b;
    image.data[4 * t + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
