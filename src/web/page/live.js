// Keeps the board current that the server rendered. The server sends the text of each place, and all
// of it goes in as text, so the name of a GPU, an alert or an application can't become markup.
import { drawCharts } from "./chart.js";

// The guard sends a board at least every five seconds; a longer silence means a dead connection.
const SILENCE_MS = 12_000;
const RETRY_MS = 1_000;

const byId = (id) => document.getElementById(id);
const blank = (list) =>
  document.querySelector(`template[data-of="${list}"]`).content.firstElementChild.cloneNode(true);
const time = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "medium" });

/** The places of a part that aren't in a part within it. */
const own = (element, kind) =>
  [...element.querySelectorAll(`[data-${kind}]`)].filter(
    (place) => place.parentElement.closest("[data-part]") === element,
  );

function say(place, text) {
  if (place.localName === "time" && text !== "") {
    place.dateTime = text;
    text = time.format(new Date(text));
  }
  // Only if it differs, so that a selection elsewhere survives.
  if (place.textContent !== text) place.textContent = text;
}

function fill(element, part) {
  for (const place of own(element, "text")) say(place, part.texts[place.dataset.text] ?? "");
  for (const list of own(element, "list")) align(list, part.lists?.[list.dataset.list] ?? []);
  Object.assign(element.dataset, { key: part.key, tone: part.tone, ...part.marks });
}

/** One element for each part. A part that was there before keeps its element. */
function align(list, parts) {
  const present = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const items = parts.map((part) => {
    const item = present.get(part.key) ?? blank(list.dataset.list);
    fill(item, part);
    return item;
  });
  for (const item of [...list.children]) if (!items.includes(item)) item.remove();
  items.forEach((item, at) => {
    if (list.children[at] !== item) list.insertBefore(item, list.children[at] ?? null);
  });
}

// Tells a screen reader of a GPU whose state changed, and of new notices. Numbers that change each
// second would drown it.
const announced = new Map();

function announce(board) {
  const first = announced.size === 0;
  const news = [];
  const changed = (key, value, text) => {
    if (announced.get(key) !== value) news.push(text);
    announced.set(key, value);
  };
  for (const { key, tone, texts } of board.lists.gpus) {
    changed(key, tone, `${texts.name}: ${texts.state}. ${texts.why}`);
  }
  const notices = board.lists.notices.map(({ texts }) => texts.value).join(" ");
  changed("notices", notices, notices);
  if (!first && news.length > 0) say(byId("announcement"), news.join(" "));
}

function show(board) {
  document.title = board.texts.title;
  fill(document.body, board);
  announce(board);
}

let stream;
let heardAt = new Date();
let silence;

function connect() {
  stream?.close();
  stream = new EventSource("live");
  stream.onopen = () => drawCharts(true);
  stream.onmessage = (event) => {
    heardAt = new Date();
    wait();
    say(byId("link"), "");
    show(JSON.parse(event.data));
    document.body.classList.remove("stale");
  };
  // The browser stops retrying at the first answer that isn't a stream, such as a proxy's.
  stream.onerror = lost;
  wait();
}

function wait() {
  clearTimeout(silence);
  silence = setTimeout(lost, SILENCE_MS);
}

function lost() {
  stream.close();
  clearTimeout(silence);
  say(byId("link"), `Connection lost. What you see is from ${time.format(heardAt)}; trying again.`);
  document.body.classList.add("stale");
  setTimeout(connect, RETRY_MS);
}

for (const place of document.querySelectorAll("time[data-text]")) say(place, place.textContent);
connect();
