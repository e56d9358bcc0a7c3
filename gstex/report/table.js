// The table of all numbers: sortable, in sets of columns.

const table = { set: "overall", every: false, sort: "bytes", down: false };

const BASE_COLUMNS = [
  { id: "label", title: "", text: (p) => p.label, value: (p) => p.label.toLowerCase() },
  { id: "bytes", title: "bytes", text: (p) => p.bytes.toLocaleString("en"), value: (p) => p.bytes },
  { id: "bpp", title: "bpp", text: (p) => p.bpp.toFixed(3), value: (p) => p.bpp },
  { id: "zstd", title: "zstd bytes", text: (p) => p.zstd_bytes.toLocaleString("en"), value: (p) => p.zstd_bytes },
];

const metricColumn = (metric) => ({
  id: metric.id,
  title: metric.title + (metric.unit ? ` [${metric.unit}]` : ""),
  text: (p) => measuredText(metric, p, false),
  value: (p) => {
    const value = measured(metric, p);
    return value === "exact" ? Infinity : value;
  },
});

const COLUMN_SETS = {
  overall: { title: "Overall", columns: METRICS.map(metricColumn) },
  psnr: { title: "PSNR by map", columns: PSNR_BY_MAP.map(metricColumn) },
  ssim: { title: "SSIM by map", columns: SSIM_BY_MAP.map(metricColumn) },
  codecs: {
    title: "Codec by map",
    columns: roles.map((role) => ({
      id: `choice.${role}`,
      title: role,
      text: (p) => (choiceOf(p, role) ? choiceText(choiceOf(p, role)) : "–"),
      value: (p) => choiceOf(p, role)?.bytes ?? null,
    })),
  },
};

const onHull = new Set([numbers.file, ...Object.values(numbers.hulls).flat()]);
const isListed = (index) =>
  table.every || onHull.has(index) || numbers.points[index].family === "gstex" || gallery.stacks.includes(index);

function drawTable() {
  const columns = [...BASE_COLUMNS, ...COLUMN_SETS[table.set].columns];
  const column = columns.find((c) => c.id === table.sort) ?? BASE_COLUMNS[1];
  const rows = [...numbers.points.keys()].filter(isListed);
  rows.sort((a, b) => compareValues(column.value(numbers.points[a]), column.value(numbers.points[b])));
  byId("table").replaceChildren(
    element("thead", {}, element("tr", {}, ...columns.map((c) => headCell(c, column)))),
    element("tbody", {}, ...rows.map((index) => tableRow(index, columns))),
  );
}

/** Ascending or descending; what was not measured comes last either way. */
function compareValues(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = a < b ? -1 : a > b ? 1 : 0;
  return table.down ? -order : order;
}

function headCell(column, sorted) {
  const active = column === sorted;
  const sort = () => {
    table.down = active && !table.down;
    table.sort = column.id;
    drawTable();
    byId("table").querySelector(`[data-sort="${CSS.escape(column.id)}"]`).focus();
  };
  return element(
    "th",
    { scope: "col", "aria-sort": active ? (table.down ? "descending" : "ascending") : "none" },
    element("button", { "data-sort": column.id, onclick: sort }, column.title || "stored as"),
  );
}

function tableRow(index, columns) {
  const point = numbers.points[index];
  const [first, ...rest] = columns;
  const file = index === numbers.file;
  const show = gallery.stacks.indexOf(index);
  const extras = [
    ...(file ? [element("small", {}, "this file")] : []),
    ...(show > 0 ? [element("button", { title: "Show it on the right of the viewer", onclick: () => showOnRight(show) }, "view")] : []),
  ];
  return element(
    "tr",
    { "data-point": index, class: file ? "file" : null },
    element("th", { scope: "row" }, swatch(point.family), first.text(point), ...extras),
    ...rest.map((c) => element("td", {}, c.text(point))),
  );
}

function startTable() {
  for (const [id, set] of Object.entries(COLUMN_SETS)) {
    const choose = () => {
      table.set = id;
      drawTable();
    };
    byId("columns").append(pill("columns", id, set.title, id === table.set, choose));
  }
  const listed = [...numbers.points.keys()].filter(isListed).length;
  byId("every-label").hidden = listed === numbers.points.length;
  byId("every-text").textContent = `all ${numbers.points.length} points, not only those on a hull`;
  byId("every").addEventListener("change", (event) => {
    table.every = event.target.checked;
    drawTable();
  });
  drawTable();
}

/** A radio button that looks like a pill. */
function pill(name, value, text, checked, onchange) {
  return element("label", { class: "pill" }, element("input", { type: "radio", name, value, checked, onchange }), element("span", {}, text));
}
