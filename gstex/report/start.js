// Buttons, pointer and keys of the viewer; then everything starts.

function startButtons() {
  const on = (id, action) => byId(id).addEventListener("click", action);
  on("swap", swapSides);
  on("zoom-in", () => zoomBy(1));
  on("zoom-out", () => zoomBy(-1));
  on("fit", () => showAll());
  on("one", () => zoomTo(1));
  on("flicker", toggleFlicker);
  on("error", () => change({ error: !view.error }));
  on("full", toggleFullScreen);
  on("help", toggleHelp);
  holdable(byId("peek"), (held) => change({ held: held ? "original" : null }));
}

const swapSides = () => change({ left: view.right, right: view.left });
const toggleFlicker = () => change({ flicker: !view.flicker, flickered: false });

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else byId("viewer").requestFullscreen?.();
}

function toggleHelp() {
  const keys = byId("keys");
  keys.hidden = !keys.hidden;
  byId("help").setAttribute("aria-expanded", !keys.hidden);
}

/** Call `act(true)` when a button is pressed and `act(false)` when it is let go, by pointer or by Space and Enter. */
function holdable(button, act) {
  button.addEventListener("pointerdown", () => act(true));
  for (const end of ["pointerup", "pointerleave", "pointercancel", "blur", "keyup"]) button.addEventListener(end, () => act(false));
  button.addEventListener("keydown", (event) => {
    if (event.key === " " || event.key === "Enter") act(true);
  });
}

/** Position of an event in screen pixels of the canvas. */
function canvasPoint(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
}

function startPointer() {
  const touches = new Map(); // pointer id -> [x, y]; one pans, two zoom
  let pinch = null; // distance and zoom when the second finger came down
  const spread = ([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]);

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    touches.set(event.pointerId, canvasPoint(event));
    pinch = touches.size === 2 ? { distance: spread([...touches.values()]), zoom: view.zoom } : null;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = canvasPoint(event);
    const before = touches.get(event.pointerId);
    view.pointer = now;
    if (before) {
      touches.set(event.pointerId, now);
      view.x -= (now[0] - before[0]) / view.zoom / touches.size;
      view.y -= (now[1] - before[1]) / view.zoom / touches.size;
    }
    if (pinch) {
      const [a, b] = [...touches.values()];
      const wanted = (pinch.zoom * spread([a, b])) / pinch.distance;
      const nearest = ZOOMS.reduce((best, z) => (Math.abs(Math.log(z / wanted)) < Math.abs(Math.log(best / wanted)) ? z : best));
      zoomTo(nearest, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    } else if (before) moveTo(view.x, view.y);
    else drawReadout();
  });
  const end = (event) => {
    touches.delete(event.pointerId);
    pinch = null;
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => {
    view.pointer = null;
    drawReadout();
  });

  let turned = 0;
  const wheel = (event) => {
    // The page scrolls past the picture until somebody clicks on it. Pinching a touch pad arrives as Ctrl + wheel.
    const ours = event.ctrlKey || byId("viewer").contains(document.activeElement) || document.fullscreenElement;
    if (!ours) return hint("Click the picture: then the wheel zooms");
    event.preventDefault();
    turned += event.deltaY * (event.deltaMode === 1 ? 20 : 1) * (event.ctrlKey ? 4 : 1);
    const steps = Math.trunc(turned / WHEEL_STEP);
    turned -= steps * WHEEL_STEP;
    if (steps) zoomBy(-Math.sign(steps), ...canvasPoint(event));
  };
  byId("stage").addEventListener("wheel", wheel, { passive: false });

  const split = byId("split");
  split.addEventListener("pointerdown", (event) => split.setPointerCapture(event.pointerId));
  split.addEventListener("pointermove", (event) => {
    if (split.hasPointerCapture(event.pointerId)) setSplit(canvasPoint(event)[0] / canvas.width);
  });
}

function startKeys() {
  const next = (count, now, step) => (now + step + count) % count;
  const stackCount = gallery.stacks.length;
  const gainStep = (step) => setGain(GAINS[Math.min(GAINS.length - 1, Math.max(0, GAINS.indexOf(view.gains[view.map]) + step))]);
  const anywhere = {
    m: () => change({ map: next(gallery.maps.length, view.map, 1) }),
    M: () => change({ map: next(gallery.maps.length, view.map, -1) }),
    l: () => change({ left: next(stackCount, view.left, 1) }),
    r: () => change({ right: next(stackCount, view.right, 1) }),
    x: swapSides,
    f: toggleFlicker,
    e: () => change({ error: !view.error }),
    o: () => change({ held: "original" }),
    "+": () => zoomBy(1),
    "=": () => zoomBy(1),
    "-": () => zoomBy(-1),
    0: () => showAll(),
    1: () => zoomTo(1),
    "[": () => setSplit(view.split - 0.02),
    "]": () => setSplit(view.split + 0.02),
    ",": () => gainStep(-1),
    ".": () => gainStep(1),
    "?": toggleHelp,
  };
  const pan = (dx, dy) => moveTo(view.x + (dx * canvas.width) / 10 / view.zoom, view.y + (dy * canvas.height) / 10 / view.zoom);
  const onCanvas = {
    ArrowLeft: () => pan(-1, 0),
    ArrowRight: () => pan(1, 0),
    ArrowUp: () => pan(0, -1),
    ArrowDown: () => pan(0, 1),
    " ": () => change({ held: "exchanged" }),
    Enter: toggleFullScreen,
  };
  const onSplit = {
    ArrowLeft: () => setSplit(view.split - 0.02),
    ArrowRight: () => setSplit(view.split + 0.02),
    Home: () => setSplit(0),
    End: () => setSplit(1),
  };
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.matches("select, input[type=checkbox]")) return;
    const own = target === canvas ? onCanvas[key] : target.id === "split" ? onSplit[key] : undefined;
    const action = own ?? anywhere[key];
    if (!action) return;
    event.preventDefault();
    const held = key === "o" || key === " ";
    if (!(held && event.repeat)) action();
  });
  const release = () => view.held && change({ held: null });
  document.addEventListener("keyup", (event) => (event.key === "o" || event.key === " ") && release());
  window.addEventListener("blur", release);
}

function startSpheres() {
  if (!gallery.lit) return;
  byId("lit").hidden = byId("lit-link").hidden = false;
  const source = (stack) => `data:image/png;base64,${byId(`sphere-${stack}`).textContent}`;
  gallery.stacks.forEach((_, stack) => {
    const point = stackPoint(stack);
    const facts = point ? `${bytesText(point.bytes)} · shaded ${measuredText(METRICS[2], point)}` : "not compressed";
    const image = element("img", { src: source(stack), alt: `${stackLabel(stack)} on a sphere`, draggable: "false" });
    const button = element("button", { class: "sphere" }, image, element("b", {}, stackLabel(stack)), element("span", {}, facts));
    holdable(button, (held) => {
      image.src = source(held ? 0 : stack);
      button.classList.toggle("held", held);
    });
    byId("spheres").append(button);
  });
}

function fail(error) {
  byId("problem").textContent = `This browser cannot show all of the report (${error?.message ?? error}).`;
  byId("problem").hidden = false;
}

window.addEventListener("error", (event) => fail(event.error ?? event.message));
window.addEventListener("unhandledrejection", (event) => fail(event.reason));
startTable();
startPlots();
startSpheres();
startViewer();
refresh();
