// Draws the last hour of each GPU. Lines only: the numbers stand in the caption, as text.

const SVG = "http://www.w3.org/2000/svg";
const REDRAW_MS = 10_000;
// Between two labels, so that they don't touch.
const LABEL_PIXELS = 13;

// What each plot shows: columns of the history, and lines of the card's own.
const PLOTS = {
  temperature: {
    band: ["min_celsius", "max_celsius"],
    lines: { mean: "mean_celsius", memory: "memory_max_celsius" },
    marks: ["critical", "alert", "safe"],
    // Room around the lines in °C; a chart of a calm card shows how far its thresholds are.
    range: (low, high) => [Math.floor((low - 3) / 5) * 5, high + 3],
  },
  draw: {
    lines: { draw: "draw_watts", limit: "limit_watts" },
    marks: ["original"],
    range: (_, high) => [0, high * 1.1],
  },
};

// How high the strip at the foot is: the graver, the higher, for who can't tell the colours.
const STRIP = { recovering: 2, gradual: 3, blind: 6, emergency: 9, unguarded: 12 };

/** Per GPU, its points by their number. */
const known = new Map();
let newest = -1;
let pending;

/** Asks for what is new, or for the whole hour, and draws; then again when a point is over. */
export async function drawCharts(anew = false) {
  clearTimeout(pending);
  pending = setTimeout(drawCharts, REDRAW_MS);
  if (document.hidden) return;
  // The newest point known may have grown since.
  const after = anew || newest < 1 ? "" : `?after=${newest - 1}`;
  try {
    const answer = await fetch(`api/v1/history${after}`);
    if (!answer.ok) return;
    remember(await answer.json(), after === "");
  } catch {
    return; // The stream says that the connection is lost.
  }
  for (const plot of document.querySelectorAll("[data-plot]")) {
    const card = plot.closest("[data-key]");
    draw(plot, PLOTS[plot.dataset.plot], known.get(card.dataset.key) ?? new Map(), card.dataset);
  }
}

document.addEventListener("visibilitychange", () => drawCharts(true));

function remember(history, anew) {
  if (anew) known.clear();
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
  known.span = { oldest, newest };
}

function draw(plot, { band, lines, marks, range }, points, card) {
  const { oldest, newest } = known.span;
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

/** From where, how long, in which state: all but normal. */
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

/** Names at the right end of the marks, from the top, each clear of the one before. */
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
