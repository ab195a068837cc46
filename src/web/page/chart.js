// Draws the last hour of each GPU, or the shorter time for which there is data. It draws lines only; the
// caption has the numbers, as text.

const SVG = "http://www.w3.org/2000/svg";
const REDRAW_MS = 10_000;
// Distance between two labels, so that they don't touch.
const LABEL_PIXELS = 13;
// The charts show the shortest of these times that has all data in it.
const WINDOWS_SECONDS = [300, 900, 1800];
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const exact = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

// The content of each plot: columns of the history, and the card's own lines.
const PLOTS = {
  temperature: {
    band: ["min_celsius", "max_celsius"],
    lines: { mean: "mean_celsius", memory: "memory_max_celsius" },
    marks: ["critical", "alert", "safe"],
    unit: "°C",
    // Room around the lines in °C; a chart of a calm card shows how far its thresholds are.
    range: (low, high) => [Math.floor((low - 3) / 5) * 5, high + 3],
  },
  draw: {
    lines: { draw: "draw_watts", limit: "limit_watts" },
    marks: ["original"],
    unit: "W",
    range: (_, high) => [0, high * 1.1],
  },
};

// Height of the strip at the foot: the graver the state, the higher, for readers who can't tell the
// colours apart.
const STRIP = { recovering: 2, gradual: 3, blind: 6, emergency: 9, unguarded: 12 };

/** The points of each GPU, by number. */
const known = new Map();
let newest = -1;
let pending;

/** Fetches the new points, or the whole hour, and draws; then again when a point is over. */
export async function drawCharts(all = false) {
  clearTimeout(pending);
  pending = setTimeout(drawCharts, REDRAW_MS);
  if (document.hidden) return;
  // The newest known point may have grown since.
  const after = all || newest < 1 ? "" : `?after=${newest - 1}`;
  try {
    const answer = await fetch(`api/v1/history${after}`);
    if (!answer.ok) return;
    remember(await answer.json(), after === "");
  } catch {
    return; // The stream says that the connection is lost.
  }
  const span = shown();
  for (const plot of document.querySelectorAll("[data-plot]")) {
    const card = plot.closest("[data-key]");
    const points = known.get(card.dataset.key) ?? new Map();
    draw(plot, PLOTS[plot.dataset.plot], points, card.dataset, span);
    tell(plot, PLOTS[plot.dataset.plot], points, span);
    name(plot.nextElementSibling, span);
  }
}

document.addEventListener("visibilitychange", () => drawCharts(true));

function remember(history, all) {
  if (all) known.clear();
  newest = history.newest;
  const oldest = newest - history.points + 1;
  for (const columns of history.gpus) {
    const points = known.get(columns.uuid) ?? new Map();
    known.set(columns.uuid, points);
    columns.slot.forEach((slot, row) => {
      const value = (name) => columns[name][row];
      points.set(slot, value);
    });
    for (const slot of points.keys()) if (slot < oldest) points.delete(slot);
  }
  known.span = { oldest, newest, step: history.step_seconds, wall: history.wall_step_seconds };
}

/** The points to show: those of all GPUs, and no more empty room than needed. */
function shown() {
  const { oldest, newest, step, wall } = known.span;
  const slots = [...known.values()].flatMap((points) => [...points.keys()]);
  const age = (newest - Math.min(newest, ...slots)) * step;
  const seconds = WINDOWS_SECONDS.find((seconds) => age <= seconds);
  const first = seconds === undefined ? oldest : newest - seconds / step;
  const now = Date.now();
  return { oldest: first, newest, time: (slot) => now - (newest - slot) * wall * 1000 };
}

/** Clock times under a plot. */
function name(axis, { oldest, newest, time }) {
  const middle = (oldest + newest) / 2;
  const texts = [clock.format(time(oldest)), clock.format(time(middle)), "now"];
  texts.forEach((text, at) => (axis.children[at].textContent = text));
}

/** Tells the values at the pointer. */
function tell(plot, { lines, unit }, points, { oldest, newest, time }) {
  plot.onpointermove = (event) => {
    const box = plot.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    const slot = Math.round(oldest + share * (newest - oldest));
    const at = points.get(slot) ?? (() => null);
    const values = Object.entries(lines)
      .filter(([, source]) => at(source) !== null)
      .map(([line, source]) => `${line} ${Math.round(at(source))} ${unit}`);
    plot.style.setProperty("--at", `${share * 100}%`);
    plot.dataset.told = [exact.format(time(slot)), ...values].join(", ");
  };
  plot.onpointerleave = () => delete plot.dataset.told;
}

function draw(plot, { band, lines, marks, range }, points, card, { oldest, newest }) {
  const marked = marks.filter((name) => card[name]).map((name) => [name, Number(card[name])]);
  const columns = [...(band ?? []), ...Object.values(lines)];
  const values = [...points.values()].flatMap((at) => columns.map(at)).filter((v) => v !== null);
  if (values.length === 0) return plot.replaceChildren();
  const heights = [...values, ...marked.map(([, value]) => value)];
  const [low, high] = range(Math.min(...heights), Math.max(...heights));
  const y = (value) => round(((high - value) / (high - low)) * 100);
  const column = (name) =>
    [...points].sort(([a], [b]) => a - b).map(([slot, at]) => [slot - oldest, at(name)]);

  const picture = svg("svg", { viewBox: `0 0 ${newest - oldest} 100`, preserveAspectRatio: "none" });
  const add = (name, attributes) => picture.append(svg(name, attributes));
  for (const [x, width, state] of runs(column("state"))) {
    const height = STRIP[state] ?? 0;
    add("rect", { class: `tint ${state}`, x, width, y: 0, height: 100 });
    add("rect", { class: `strip ${state}`, x, width, y: 100 - height, height });
  }
  for (const [name, value] of marked) {
    add("line", { class: `mark ${name}`, x1: 0, x2: newest - oldest, y1: y(value), y2: y(value) });
  }
  if (band) add("path", { class: "band", d: area(column(band[0]), column(band[1]), y) });
  for (const [name, source] of Object.entries(lines)) {
    add("path", { class: `line ${name}`, d: pieces(column(source)).map((p) => path(p, y)).join("") });
  }
  plot.replaceChildren(picture);
  // An empty plot has no height: measured with the picture in it.
  const rows = plot.clientHeight / LABEL_PIXELS;
  plot.append(...labels(marked, y, 100 / rows), ...scale(low, high, y, rows / 2));
}

/** Stretches without a gap. */
function pieces(column) {
  const found = [];
  let before = -2;
  for (const [x, value] of column) {
    if (value === null) continue;
    if (x !== before + 1) found.push([]);
    found.at(-1).push([x, value]);
    before = x;
  }
  return found;
}

const round = (value) => Math.round(value * 100) / 100;
const path = (piece, y) => "M" + piece.map(([x, value]) => `${x} ${y(value)}`).join("L");

function area(lows, highs, y) {
  const tops = pieces(highs);
  return pieces(lows)
    .map((bottom, at) => path([...tops[at], ...bottom.reverse()], y) + "Z")
    .join("");
}

/** Start, length and state of each run, without the normal ones. */
function runs(column) {
  const found = [];
  for (const [x, state] of column) {
    const last = found.at(-1);
    if (last?.[2] === state && last[0] + last[1] === x) last[1] += 1;
    else found.push([x, 1, state]);
  }
  return found.filter(([, , state]) => state !== "normal");
}

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Names at the right end of the marks, from the top, each clear of the one above. */
function labels(marked, y, gap) {
  let free = 0;
  return [...marked]
    .sort(([, a], [, b]) => b - a)
    .map(([name, value]) => {
      const at = Math.max(y(value), free);
      free = at + gap;
      return label(`name ${name}`, `${name} ${Math.round(value)}`, at);
    });
}

/** A few round numbers at the left. */
function scale(low, high, y, room) {
  const steps = [5, 10, 20, 50, 100, 200, 250, 500, 1000];
  const step = steps.find((step) => (high - low) / step <= room) ?? high - low;
  const numbers = [];
  for (let at = Math.ceil(low / step) * step; at < high; at += step) numbers.push(at);
  return numbers.map((number) => label("number", String(number), y(number)));
}

function label(name, text, at) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  element.style.top = `${at}%`;
  return element;
}
