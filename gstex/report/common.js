"use strict";

// What every part of the page uses: the numbers, how they are written, and how elements are made.
// Texts reach the page through textContent and attributes alone, so names from files cannot become markup.

const byId = (id) => document.getElementById(id);
const numbers = JSON.parse(byId("numbers").textContent);
const gallery = JSON.parse(byId("gallery").textContent);
const texelCount = numbers.material.width * numbers.material.height;

// Family -> name for people and shape of its mark. Colours are in the style sheet, as --gstex and so on.
const FAMILIES = {
  gstex: { name: "gstex", shape: "circle" },
  bc: { name: "BC", shape: "square" },
  astc: { name: "ASTC", shape: "triangle" },
};
const familyName = (family) => FAMILIES[family]?.name ?? family;
const familyColor = (family) => `var(--${family in FAMILIES ? family : "other"})`;
const families = [...new Set([...Object.keys(FAMILIES), ...numbers.points.map((p) => p.family)])].filter((family) =>
  numbers.points.some((p) => p.family === family),
);

/** element("a", {class: "b", onclick: f}, child or text, ...) */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** The mark of a family, as an SVG path around the origin. */
function mark(family, radius, attributes = {}) {
  const r = radius;
  const paths = {
    circle: `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
    square: `M${-r * 0.9} ${-r * 0.9}h${r * 1.8}v${r * 1.8}h${-r * 1.8}z`,
    triangle: `M0 ${-r * 1.2}L${r * 1.15} ${r * 0.8}H${-r * 1.15}z`,
    diamond: `M0 ${-r * 1.3}L${r * 1.1} 0L0 ${r * 1.3}L${-r * 1.1} 0z`,
  };
  return svg("path", { d: paths[FAMILIES[family]?.shape ?? "diamond"], fill: familyColor(family), ...attributes });
}

function swatch(family) {
  return svg("svg", { class: "swatch", viewBox: "-7 -7 14 14", "aria-hidden": "true" }, mark(family, 5));
}

const bytesText = (count) =>
  count < 1024 ? `${count} B`
  : count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB`
  : `${(count / 1024 / 1024).toFixed(2)} MiB`;
const bppText = (bpp) => `${bpp < 0.095 ? bpp.toPrecision(2) : bpp.toFixed(2)} bpp`;

// A metric: where its value stands in a point's `quality`; `exact`: null there means a perfect match.
const METRICS = [
  { id: "psnr", title: "PSNR", unit: "dB", digits: 2, exact: true },
  { id: "psnr_sampled", title: "PSNR sampled", unit: "dB", digits: 2, exact: true },
  { id: "shaded_psnr", title: "PSNR shaded", unit: "dB", digits: 2, exact: gallery.lit },
  { id: "shaded_flip", title: "FLIP shaded", unit: "", digits: 4, low: true },
  { id: "flip_albedo", title: "FLIP albedo", unit: "", digits: 4, low: true },
  { id: "normal_angle_mean", title: "Normals, mean angle", unit: "°", digits: 2, low: true },
  { id: "normal_angle_p99", title: "Normals, 99th percentile", unit: "°", digits: 2, low: true },
];

const roles = [...new Set(numbers.material.channels.map((c) => c.role))];
const roleMetric = (table, role, rest) => ({ id: `${table}.${role}`, table, role, title: role, ...rest });
const PSNR_BY_MAP = roles.map((role) => roleMetric("psnr_by_map", role, { unit: "dB", digits: 2, exact: true }));
const SSIM_BY_MAP = roles.map((role) => roleMetric("ssim_by_map", role, { unit: "", digits: 4 }));

/** A number, "exact", or null where nothing was measured. */
function measured(metric, point) {
  const source = metric.table ? point.quality[metric.table] : point.quality;
  const key = metric.role ?? metric.id;
  if (!source || !Object.hasOwn(source, key)) return null;
  return source[key] ?? (metric.exact ? "exact" : null);
}

function measuredText(metric, point, unit = true) {
  const value = measured(metric, point);
  if (typeof value !== "number") return value ?? "–";
  return value.toFixed(metric.digits) + (unit && metric.unit ? ` ${metric.unit}`.replace(" °", "°") : "");
}

/** How a point stores the image that holds a map: images are named after their roles, 'ao+roughness'. */
function choiceOf(point, role) {
  const image = Object.keys(point.choice).find((name) => name.split("+").includes(role));
  return image === undefined ? null : point.choice[image];
}

/** The same in few words: 'bc7', 'astc-8x8 at 1/2'. */
const choiceText = (choice) => choice.codec + (choice.scale > 1 ? ` at 1/${choice.scale}` : "");

const stackPoint = (stack) => (gallery.stacks[stack] === null ? null : numbers.points[gallery.stacks[stack]]);
const stackLabel = (stack) => stackPoint(stack)?.label ?? "Original";
