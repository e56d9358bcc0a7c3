// Rate-distortion plots: a metric over bytes, on a logarithmic axis, with bits per texel along the top.

const PLOT = { height: 270, left: 46, right: 14, top: 44, bottom: 36 };
const hiddenFamilies = new Set();

function plotMetrics() {
  const pick = (id) => METRICS.find((m) => m.id === id);
  const first = [
    { ...pick("psnr"), title: "All maps" },
    { ...pick("shaded_psnr"), title: "Shaded" },
    { ...pick("normal_angle_mean"), title: "Normals, mean angle" },
  ];
  const byMap = PSNR_BY_MAP.map((m) => ({ ...m, title: m.role === "ao" ? "AO" : m.role[0].toUpperCase() + m.role.slice(1) }));
  return [...first, ...byMap].filter((m) => numbers.points.some((p) => typeof measured(m, p) === "number"));
}

function startPlots() {
  for (const family of families) {
    const toggle = (event) => {
      hiddenFamilies[event.target.checked ? "delete" : "add"](family);
      drawPlots();
    };
    byId("families").append(
      element("label", { class: "family" }, element("input", { type: "checkbox", checked: true, onchange: toggle }), swatch(family), familyName(family)),
    );
  }
  const fileMark = mark(numbers.points[numbers.file].family, 5);
  const ring = svg("svg", { class: "swatch", viewBox: "-7 -7 14 14" }, svg("g", { class: "point file" }, fileMark));
  byId("families").append(element("span", { class: "family" }, ring, "this file"));
  for (const metric of plotMetrics()) {
    const figure = element("figure", { "data-metric": metric.id });
    figure.metric = metric;
    byId("plots").append(figure);
  }
  let width = 0;
  new ResizeObserver(([entry]) => {
    if (entry.contentRect.width === width) return; // its height changes by what is drawn
    width = entry.contentRect.width;
    requestAnimationFrame(drawPlots);
  }).observe(byId("plots"));
}

function drawPlots() {
  for (const figure of byId("plots").children) {
    const better = figure.metric.low ? "lower is better" : "higher is better";
    const caption = element("figcaption", {}, element("b", {}, figure.metric.title), ` ${figure.metric.unit ? `[${figure.metric.unit}], ` : ""}${better}`);
    figure.replaceChildren(caption, drawPlot(figure.metric, figure.clientWidth));
  }
}

function drawPlot(metric, width) {
  const points = [...numbers.points.keys()].filter((i) => !hiddenFamilies.has(numbers.points[i].family));
  const value = (i) => measured(metric, numbers.points[i]);
  const finite = points.filter((i) => typeof value(i) === "number");
  const bytes = numbers.points.map((p) => p.bytes);
  const xs = padded(Math.log2(Math.min(...bytes)), Math.log2(Math.max(...bytes)), 0.04);
  const ys = padded(Math.min(...finite.map(value)), Math.max(...finite.map(value)), 0.07);
  if (metric.low) ys[0] = 0;
  const right = width - PLOT.right;
  const bottom = PLOT.height - PLOT.bottom;
  const x = (b) => PLOT.left + ((Math.log2(b) - xs[0]) / (xs[1] - xs[0])) * (right - PLOT.left);
  const y = (v) => bottom - ((v - ys[0]) / (ys[1] - ys[0])) * (bottom - PLOT.top);
  // A perfect match has no place on the axis: it stands on the frame.
  const place = (i) => [x(bytes[i]), typeof value(i) === "number" ? y(value(i)) : metric.low ? bottom : PLOT.top];

  const plot = svg("svg", { viewBox: `0 0 ${width} ${PLOT.height}`, height: PLOT.height, role: "img", "aria-label": `${metric.title} over bytes` });
  if (finite.length === 0) return plot;
  plot.append(...axes(xs, ys, x, y, right, bottom, metric));
  const drawn = points.filter((i) => value(i) !== null);
  plot.append(...drawn.filter((i) => !isOnCurve(i)).map((i) => pointMark(i, place(i), 2.2, "faint")));
  for (const family of families.filter((f) => !hiddenFamilies.has(f)).reverse()) {
    const curve = curveOf(family).filter((i) => value(i) !== null);
    const line = curve.map((i) => place(i).map((v) => v.toFixed(1)).join(" ")).join("L");
    if (curve.length > 1) plot.append(svg("path", { class: `line ${family === "gstex" ? "main" : ""}`, d: `M${line}`, stroke: familyColor(family) }));
    plot.append(...curve.map((i) => pointMark(i, place(i), i === numbers.file ? 6 : 4, i === numbers.file ? "file" : "")));
  }
  const nearest = (event) => {
    const box = plot.getBoundingClientRect();
    const distance = (i) => Math.hypot(place(i)[0] - (event.clientX - box.left), place(i)[1] - (event.clientY - box.top));
    const best = drawn.reduce((a, b) => (a === null || distance(b) < distance(a) ? b : a), null);
    return best !== null && distance(best) < 28 ? best : null;
  };
  plot.addEventListener("pointermove", (event) => showTip(nearest(event), event, metric));
  plot.addEventListener("pointerleave", () => showTip(null));
  plot.addEventListener("click", (event) => {
    const stack = gallery.stacks.indexOf(nearest(event));
    if (stack > 0) showOnRight(stack);
  });
  return plot;
}

/** The points that a family's line goes through: all rates of gstex, the hulls of the others. */
function curveOf(family) {
  const all = [...numbers.points.keys()].filter((i) => numbers.points[i].family === family);
  const curve = family === "gstex" ? all : (numbers.hulls[family] ?? []);
  return [...curve].sort((a, b) => numbers.points[a].bytes - numbers.points[b].bytes);
}

const curvePoints = new Set(families.flatMap(curveOf));
const isOnCurve = (index) => curvePoints.has(index);

function padded(low, high, share) {
  const pad = (high - low) * share || Math.abs(high) * share || 1;
  return [low - pad, high + pad];
}

function pointMark(index, [x, y], radius, className) {
  const shape = mark(numbers.points[index].family, radius);
  return svg("g", { class: `point ${className}`, "data-point": index, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` }, shape);
}

function axes(xs, ys, x, y, right, bottom, metric) {
  const parts = [];
  const text = (tx, ty, anchor, content) => parts.push(svg("text", { x: tx, y: ty, "text-anchor": anchor }, content));
  for (const v of ticks(ys[0], ys[1], 6)) {
    parts.push(svg("line", { class: "grid", x1: PLOT.left, x2: right, y1: y(v), y2: y(v) }));
    text(PLOT.left - 7, y(v) + 4, "end", String(v));
  }
  const wide = right - PLOT.left;
  for (const b of powers(xs[0], xs[1], wide / 62)) {
    parts.push(svg("line", { class: "grid", x1: x(b), x2: x(b), y1: PLOT.top, y2: bottom }));
    text(x(b), bottom + 17, "middle", b < 1024 ? `${b} B` : b < 2 ** 20 ? `${b / 1024} KiB` : `${b / 2 ** 20} MiB`);
  }
  const bits = 8 / texelCount;
  const shift = Math.log2(bits);
  for (const bpp of powers(xs[0] + shift, xs[1] + shift, wide / 36)) {
    parts.push(svg("line", { class: "tick", x1: x(bpp / bits), x2: x(bpp / bits), y1: PLOT.top - 5, y2: PLOT.top }));
    text(x(bpp / bits), PLOT.top - 9, "middle", bpp >= 0.125 ? String(bpp) : `1/${1 / bpp}`);
  }
  text(right, PLOT.top - 26, "end", "bits per texel");
  parts.push(svg("rect", { class: "frame", x: PLOT.left, y: PLOT.top, width: right - PLOT.left, height: bottom - PLOT.top }));
  return parts;
}

/** Round values between low and high, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((m) => m * ten >= rough) * ten;
  const result = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) result.push(Number((i * step).toPrecision(12)));
  return result;
}

/** Powers of two between 2^low and 2^high, at most `count` of them. */
function powers(low, high, count) {
  const every = Math.max(1, Math.ceil((high - low) / Math.max(1, count)));
  const result = [];
  for (let e = Math.ceil(low / every) * every; e <= high; e += every) result.push(2 ** e);
  return result;
}

/** The tooltip of a point, beside the pointer; the point is marked wherever else it is on the page. */
function showTip(index, event = null, metric = null) {
  const tip = byId("tip");
  document.querySelectorAll(".hot").forEach((node) => node.classList.remove("hot"));
  tip.hidden = index === null;
  if (index === null) return;
  document.querySelectorAll(`[data-point="${index}"]`).forEach((node) => node.classList.add("hot"));
  const point = numbers.points[index];
  const lines = [
    element("b", {}, swatch(point.family), point.label),
    element("span", {}, `${bytesText(point.bytes)}, ${bppText(point.bpp)}`),
    element("span", {}, `${metric.title}: ${measuredText(metric, point)}`),
    ...Object.entries(point.choice).map(([image, choice]) => element("small", {}, `${image}: ${choiceText(choice)}, ${bytesText(choice.bytes)}`)),
    ...(gallery.stacks.includes(index) ? [element("small", {}, "click: show it in the viewer")] : []),
  ];
  tip.replaceChildren(...lines);
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - tip.offsetWidth - 8);
  const above = event.clientY + tip.offsetHeight + 24 > window.innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${above ? event.clientY - tip.offsetHeight - 12 : event.clientY + 16}px`;
}
