// The viewer: two pictures of one map on a canvas, with a split between them.

const ZOOMS = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64]; // screen pixels per texel
const GAINS = [1, 2, 4, 8, 16, 32, 64];
const FLICKER = 500; // milliseconds a picture
const HINT = 1600;
const SURROUND = "#2b2b2b"; // behind the material, in light and dark alike: eyes adapt to it
const VEIL = "rgba(43, 43, 43, 0.6)"; // over what is an overview only
const WHEEL_STEP = 50; // pixels of a wheel's turn for one step of zoom

const view = {
  map: 0, left: 0, right: 0, // indices in gallery.maps and gallery.stacks
  zoom: 1, x: 0, y: 0, // screen pixels per texel; the texel coordinates in the middle of the canvas
  split: 0.5, // share of the width that is the left picture's
  error: false, gains: gallery.maps.map((m) => m.gain),
  flicker: false, flickered: false, // flickered: the right picture's turn
  held: null, // "original" | "exchanged" while a key or button is held
  pointer: null, // [x, y] of the pointer on the canvas in screen pixels
}; // prettier-ignore

const canvas = byId("canvas");
const context = canvas.getContext("2d", { alpha: false });
const { width: fullWidth, height: fullHeight } = numbers.material;
let shown = null; // what was decoded for the last refresh; drawing needs no waiting

function startViewer() {
  const file = Math.max(1, gallery.stacks.indexOf(numbers.file));
  view.left = Math.min(file, gallery.stacks.length - 1);
  view.right = rival(view.left);
  // A cut-out is seen as what it is under light, where its opacity counts.
  if (hides(0) && gallery.lit) view.map = gallery.maps.length - 1;
  gallery.maps.forEach((map, index) => {
    const shared = gallery.maps.some((other, i) => i !== index && other.role === map.role);
    byId("maps").append(pill("map", index, map.role + (shared ? ` (${map.file})` : ""), index === view.map, () => change({ map: index })));
  });
  for (const side of ["left", "right"]) {
    byId(side).append(...gallery.stacks.map((_, stack) => element("option", { value: stack }, stackLabel(stack))));
    byId(side).addEventListener("change", (event) => change({ [side]: Number(event.target.value) }));
  }
  byId("gain").append(...GAINS.map((gain) => element("option", { value: gain }, `× ${gain}`)));
  byId("gain").addEventListener("change", (event) => setGain(Number(event.target.value)));
  byId("ramp").style.background = `linear-gradient(90deg, ${RAMP.map((color) => `#${color}`).join()})`;
  startButtons();
  startPointer();
  startKeys();
  drawControls(); // at once: the pictures take a moment to decode
  observeSize();
  setInterval(() => view.flicker && change({ flickered: !view.flickered }), FLICKER);
}

/** The picture to put beside another: of a different family, the nearest in bytes that has no fewer, else the one with
 * the most; of two with the same the better one. Without any, the original. */
function rival(stack) {
  const point = stackPoint(stack);
  const others = [...gallery.stacks.keys()].filter((s) => s > 0 && point && stackPoint(s).family !== point.family);
  const psnr = (s) => stackPoint(s).quality.psnr ?? Infinity; // null is an exact match
  const rank = (s) => {
    const more = stackPoint(s).bytes - point.bytes;
    return [more < 0 ? 1 : 0, Math.abs(more), -psnr(s)];
  };
  const before = (a, b) => {
    const at = a.findIndex((value, i) => value !== b[i]);
    return at >= 0 && a[at] < b[at];
  };
  return others.reduce((best, s) => (best === 0 || before(rank(s), rank(best)) ? s : best), 0);
}

function observeSize() {
  let first = true;
  const resize = ([entry]) => {
    const exact = entry.devicePixelContentBoxSize?.[0];
    canvas.width = Math.max(1, exact?.inlineSize ?? Math.round(entry.contentRect.width * devicePixelRatio));
    canvas.height = Math.max(1, exact?.blockSize ?? Math.round(entry.contentRect.height * devicePixelRatio));
    if (first) showFirst();
    first = false;
    draw();
  };
  const observer = new ResizeObserver(resize);
  try {
    observer.observe(canvas, { box: "device-pixel-content-box" });
  } catch {
    observer.observe(canvas); // browsers that do not tell
  }
}

// --- state

function change(values) {
  Object.assign(view, values);
  refresh();
}

/** Decode what the state asks for, then draw it; a later call overtakes an earlier one. */
async function refresh() {
  const wanted = {};
  const picture = (stack, part) =>
    view.error ? errorCanvas(stack, view.map, part, view.gains[view.map]) : mapCanvas(stack, view.map, part);
  const stacks = { left: sideStack("left"), right: sideStack("right") };
  refresh.latest = wanted;
  for (const [side, stack] of Object.entries(stacks)) {
    wanted[side] = { texels: await picture(stack, "texels"), overview: gallery.overview && !view.error ? await picture(stack, "overview") : null };
  }
  wanted.codes = {};
  for (const [name, stack] of [["Original", 0], ["Left", stacks.left], ["Right", stacks.right]]) {
    wanted.codes[name] = await loadPlanes(stack, view.map, "texels");
  }
  wanted.opacity = gallery.maps[view.map].file ? await hidingOpacity(view.map, "texels") : null;
  if (refresh.latest !== wanted) return;
  shown = wanted;
  drawControls();
  draw();
}

function sideStack(side) {
  if (view.held === "original") return 0;
  const exchanged = (view.held === "exchanged") !== (view.flicker && view.flickered);
  return exchanged ? (side === "left" ? view.right : view.left) : view[side];
}

function showOnRight(stack) {
  change({ right: stack });
  byId("viewer").scrollIntoView({ block: "start" });
}

const setGain = (gain) => change({ gains: view.gains.with(view.map, gain), error: true });
const setSplit = (share) => {
  view.split = Math.min(1, Math.max(0, share));
  draw();
};

// --- zoom and pan

/** Change the zoom by steps; the texel under (px, py), in screen pixels of the canvas, stays where it is. */
function zoomBy(steps, px = canvas.width / 2, py = canvas.height / 2) {
  const now = ZOOMS.findIndex((z) => z >= view.zoom);
  zoomTo(ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, now + steps))], px, py);
}

function zoomTo(zoom, px = canvas.width / 2, py = canvas.height / 2) {
  const [dx, dy] = [px - canvas.width / 2, py - canvas.height / 2];
  moveTo(view.x + dx / view.zoom - dx / zoom, view.y + dy / view.zoom - dy / zoom, zoom);
}

function moveTo(x, y, zoom = view.zoom) {
  Object.assign(view, { x: Math.min(fullWidth, Math.max(0, x)), y: Math.min(fullHeight, Math.max(0, y)), zoom });
  draw();
}

/** The whole material, or what is kept of it, as large as it fits, though no smaller than `least`. */
function showAll(least = 0) {
  const fits = ZOOMS.filter((z) => z * fullWidth <= canvas.width && z * fullHeight <= canvas.height);
  moveTo(fullWidth / 2, fullHeight / 2, Math.max(least, fits.at(-1) ?? ZOOMS[0]));
}

/** What opens: everything; or, with an overview around it, the texels that are kept, cut off a little at most. */
function showFirst() {
  if (!gallery.overview) return showAll(1);
  const [x, y, width, height] = gallery.crop;
  const fits = ZOOMS.filter((z) => z * width <= 1.6 * canvas.width && z * height <= 1.6 * canvas.height);
  moveTo(x + width / 2, y + height / 2, Math.max(1, fits.at(-1) ?? 1));
}

/** Screen position of texel (0, 0): whole pixels, so that every texel covers the same number of them. */
const origin = () => [Math.round(canvas.width / 2 - view.x * view.zoom), Math.round(canvas.height / 2 - view.y * view.zoom)];

// --- drawing

function draw() {
  if (!shown) return;
  const edge = Math.round(view.split * canvas.width);
  context.fillStyle = SURROUND;
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (view.flicker) {
    drawSide(shown.left, 0, canvas.width);
  } else {
    drawSide(shown.left, 0, edge);
    drawSide(shown.right, edge, canvas.width);
  }
  if (gallery.overview) drawFrame();
  const split = byId("split");
  split.hidden = view.flicker;
  split.style.left = `${(edge / canvas.width) * canvas.clientWidth}px`;
  split.setAttribute("aria-valuenow", Math.round(view.split * 100));
  byId("zoom").value = view.zoom < 1 ? `1/${1 / view.zoom} ×` : `${view.zoom} ×`;
  drawReadout();
}

/** One picture between the columns x0 and x1 of the canvas. */
function drawSide({ texels, overview }, x0, x1) {
  const [left, top] = origin();
  const z = view.zoom;
  context.save();
  context.beginPath();
  context.rect(x0, 0, x1 - x0, canvas.height);
  context.clip();
  if (gallery.overview) {
    context.beginPath(); // the last blocks reach over the border
    context.rect(left, top, fullWidth * z, fullHeight * z);
    context.clip();
    const block = gallery.overview * z;
    context.imageSmoothingEnabled = true;
    if (overview) context.drawImage(overview, left, top, overview.width * block, overview.height * block);
    // The error of means is smaller than that of texels: none is shown.
    context.fillStyle = overview ? VEIL : `rgb(${HIDDEN} ${HIDDEN} ${HIDDEN})`;
    context.fillRect(left, top, fullWidth * z, fullHeight * z);
  }
  const [x, y] = gallery.crop;
  context.imageSmoothingEnabled = z < 1;
  context.imageSmoothingQuality = "high";
  context.drawImage(texels, left + x * z, top + y * z, texels.width * z, texels.height * z);
  context.restore();
}

function drawFrame() {
  const [left, top] = origin();
  const [x, y, width, height] = gallery.crop.map((v) => v * view.zoom);
  context.strokeStyle = "rgba(255, 255, 255, 0.6)";
  context.lineWidth = Math.max(1, Math.round(devicePixelRatio));
  context.strokeRect(left + x - 0.5, top + y - 0.5, width + 1, height + 1);
  context.fillStyle = "rgba(255, 255, 255, 0.8)";
  context.font = `${12 * devicePixelRatio}px sans-serif`;
  context.fillText("outside: a coarse overview only", left + x, top + y + height + 16 * devicePixelRatio);
}

function drawControls() {
  byId("maps").querySelectorAll("input").forEach((input, index) => (input.checked = index === view.map));
  for (const side of ["left", "right"]) {
    byId(side).value = view[side];
    byId(`${side}-facts`).textContent = factsOf(view[side]);
  }
  byId("gain").value = view.gains[view.map];
  byId("flicker").setAttribute("aria-pressed", view.flicker);
  byId("error").setAttribute("aria-pressed", view.error);
  byId("peek").setAttribute("aria-pressed", view.held === "original");
  byId("legend").hidden = !view.error;
  byId("legend-high").textContent = `${(255 / view.gains[view.map]).toFixed(0)} of 255`;
  if (view.held === "original") badge("Original");
  else if (view.held === "exchanged") badge("Exchanged");
  else badge(view.flicker ? stackLabel(sideStack("left")) : "");
}

/** What a picture costs and how good this map is in it. */
function factsOf(stack) {
  const point = stackPoint(stack);
  if (!point) return `${gallery.maps[view.map].file || "shaded from the original maps"}`;
  const { role, file } = gallery.maps[view.map];
  const metric = file ? PSNR_BY_MAP.find((m) => m.role === role) : METRICS.find((m) => m.id === "shaded_psnr");
  const image = choiceOf(point, role);
  const choice = image ? `${choiceText(image)}, ` : "";
  return `${bytesText(point.bytes)} · ${bppText(point.bpp)} · ${file ? role : "shaded"}: ${choice}${measuredText(metric, point)}`;
}

function badge(text) {
  byId("badge").textContent = text;
  byId("badge").hidden = !text;
}

function hint(text) {
  badge(text);
  clearTimeout(hint.timer);
  hint.timer = setTimeout(() => drawControls(), HINT);
}

/** The values of the texel under the pointer, or in the middle of the view. */
function drawReadout() {
  const [px, py] = view.pointer ?? [canvas.width / 2, canvas.height / 2];
  const [left, top] = origin();
  const x = Math.floor((px - left) / view.zoom);
  const y = Math.floor((py - top) / view.zoom);
  const [cropX, cropY, width, height] = gallery.crop;
  const inside = x >= cropX && y >= cropY && x < cropX + width && y < cropY + height;
  const place = element("span", { class: "place" }, `x ${x}  y ${y}`, element("small", {}, view.pointer ? "pointer" : "middle of the view"));
  if (!inside) {
    const outside = x >= 0 && y >= 0 && x < fullWidth && y < fullHeight ? "overview only: no single texels here" : "outside the material";
    byId("readout").replaceChildren(place, element("span", {}, outside));
    return;
  }
  const texel = (y - cropY) * width + (x - cropX);
  const original = shown.codes.Original.planes.map((plane) => plane[texel]);
  const hidden = shown.opacity?.[texel] === 0;
  const rows = Object.entries(shown.codes).map(([name, { planes }]) => {
    const codes = planes.map((plane) => plane[texel]);
    const error = name === "Original" ? "" : hidden ? "hidden" : codes.map((code, c) => signed(code - original[c])).join(" ");
    return element("span", { class: "values", "data-side": name.toLowerCase() },
      element("b", {}, name), " ", element("code", {}, codes.map((c) => String(c).padStart(3, "\u2007")).join(" ")), element("i", {}, error));
  }); // prettier-ignore
  byId("readout").replaceChildren(place, ...rows);
}

const signed = (value) => (value > 0 ? `+${value}` : value < 0 ? `−${-value}` : "0").padStart(3, "\u2007");
