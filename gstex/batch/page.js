"use strict";

// The table of a batch. Texts reach the page through textContent and attributes alone, so names of files cannot become
// markup. Rows are made once; sorting and filtering move them.

const byId = (id) => document.getElementById(id);
const rows = JSON.parse(byId("rows").textContent);
const codecs = JSON.parse(byId("codecs").textContent);
const STATES = { done: "new", current: "up to date", moved: "copied", failed: "failed" };

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

const bytesText = (count) =>
  count < 1024 ? `${count} B`
  : count < 1024 * 1024 ? `${(count / 1024).toFixed(1)} KiB`
  : `${(count / 1024 / 1024).toFixed(2)} MiB`;
const psnrText = (value) => (value === null ? "exact" : `${value.toFixed(1)} dB`);
const psnrValue = (value) => (value === null ? Infinity : value);
const notes = (row) => [...(row.message ? [row.message] : []), ...(row.warnings ?? [])];
const leftOut = (count) => `${count} file${count === 1 ? "" : "s"} left out`;
const shownName = (path) => path.replace(/\.gstex$/, "");
const roles = (row) => [...new Set(row.maps.flatMap((map) => map[1].split("+")))].join(", ");
const link = (path) => path.split("/").map(encodeURIComponent).join("/");

// value: what rows are sorted by, null for what is not there. cell: what a cell holds; made: for rows with an output.
const COLUMNS = [
  { id: "picture", title: "", text: true, sorts: false,
    cell: (row) => (row.picture ? [element("img", { src: `data:image/jpeg;base64,${row.picture}`, alt: "", loading: "lazy", decoding: "async" })] : []) },
  { id: "output", title: "Material", text: true, head: true, wrap: true, value: (row) => row.output.toLowerCase(),
    cell: (row) => [row.bytes === undefined ? shownName(row.output) : element("a", { href: link(row.output) }, shownName(row.output))] },
  { id: "size", title: "Size", made: true, value: (row) => row.size[0] * row.size[1], cell: (row) => [`${row.size[0]} × ${row.size[1]}`] },
  { id: "maps", title: "Maps", text: true, wrap: true, made: true, value: (row) => row.maps.length,
    cell: (row) => [`${row.maps.length}: ${roles(row)}`] },
  { id: "bytes", title: "Bytes", made: true, value: (row) => row.bytes,
    cell: (row) => [bytesText(row.bytes), element("small", {}, `${row.bpp.toFixed(3)} bpp`)] },
  ...codecs.map(([id, title]) => ({
    id, title, made: true, value: (row) => row.blocks[id],
    cell: (row) => [bytesText(row.blocks[id]), element("small", {}, `${(row.blocks[id] / row.bytes).toFixed(1)} ×`)],
  })),
  { id: "psnr", title: "PSNR", made: true, value: (row) => psnrValue(row.psnr), cell: (row) => [psnrText(row.psnr)] },
  { id: "worst", title: "Worst map", made: true, value: (row) => (row.worst ? row.by_map[row.worst] : Infinity),
    cell: (row) => (row.worst ? [psnrText(row.by_map[row.worst]), element("small", {}, row.worst)] : ["exact"]) },
  { id: "warnings", title: "Warnings", text: true, wrap: true, value: (row) => -notes(row).length - (row.message ? 1000 : 0),
    cell: (row) => [
      ...(row.message ? [element("span", { class: "bad" }, row.message)] : []),
      (row.warnings ?? []).join("; "),
      ...(row.left_out?.length ? [element("small", { title: row.left_out.join("\n") }, leftOut(row.left_out.length))] : []),
    ] },
  { id: "state", title: "State", text: true, value: (row) => STATES[row.state] ?? row.state, cell: (row) => [STATES[row.state] ?? row.state] },
];

let order = { column: COLUMNS[1], down: false };
const lines = rows.map((row) => ({ row, node: line(row), text: [row.output, ...(row.maps ?? []).flat(), ...notes(row)].join(" ").toLowerCase() }));

function line(row) {
  const cells = COLUMNS.map((column) => {
    const names = [column.text && "text", column.wrap && "wrap"].filter(Boolean).join(" ") || null;
    const children = column.made && row.bytes === undefined ? [] : column.cell(row);
    return element(column.head ? "th" : "td", { class: names, scope: column.head ? "row" : null }, ...children);
  });
  return element("tr", {}, ...cells);
}

const valueOf = (column, row) => (column.made && row.bytes === undefined ? null : column.value(row));

/** Ascending or descending; what is not there comes last either way. */
function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  const sign = a < b ? -1 : a > b ? 1 : 0;
  return order.down ? -sign : sign;
}

function draw() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = lines.filter((one) => words.every((word) => one.text.includes(word)));
  const keyed = shown.map((one) => [valueOf(order.column, one.row), one]);
  keyed.sort((a, b) => compare(a[0], b[0]));
  byId("body").replaceChildren(...keyed.map(([, one]) => one.node));
  byId("shown").textContent = words.length ? `${shown.length} of ${lines.length}` : "";
  for (const node of byId("head").children) {
    node.setAttribute("aria-sort", node.dataset.id === order.column.id ? (order.down ? "descending" : "ascending") : "none");
  }
}

function headCell(column) {
  const sort = () => {
    order = { column, down: order.column === column && !order.down };
    draw();
  };
  const title = column.sorts === false ? "" : element("button", { onclick: sort }, column.title);
  return element("th", { scope: "col", "data-id": column.id, class: column.text ? "text" : null }, title);
}

function totals() {
  const made = rows.filter((row) => row.bytes !== undefined);
  const sum = (value) => made.reduce((total, row) => total + value(row), 0);
  const bytes = sum((row) => row.bytes);
  const failed = rows.filter((row) => row.state === "failed").length;
  const parts = [`${rows.length} material${rows.length === 1 ? "" : "s"}`, bytesText(bytes)];
  if (bytes) for (const [id, title] of codecs) parts.push(`${title} ${bytesText(sum((row) => row.blocks[id]))}`);
  byId("totals").append(...parts.map((text) => element("span", {}, text)));
  if (failed) byId("totals").append(element("span", { class: "bad" }, `${failed} failed`));
}

byId("head").append(...COLUMNS.map(headCell));
byId("filter").addEventListener("input", draw);
totals();
draw();
