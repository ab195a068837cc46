// Keeps the server-rendered board current. All text goes in as text: nothing a GPU or an
// application is called can become markup.
"use strict";

const byId = (id) => document.getElementById(id);
const fixed = (value, digits) => (value === undefined ? undefined : value.toFixed(digits));

function line(value, before, after) {
  return value === undefined ? undefined : before + value + after;
}

function state(gpu) {
  return gpu.up && gpu.state ? gpu.state : "down";
}

function cells(gpu) {
  const { trips, hour, limit } = gpu;
  const original = limit.original === undefined ? "" : " of " + fixed(limit.original, 0);
  const held = gpu.throttled_seconds;
  const leases = gpu.leases.map(
    (lease) => `${lease.holder}: ${lease.level}, ${fixed(lease.expires_in_seconds, 0)} s left`,
  );
  return [
    [`${gpu.index} ${gpu.name}`, gpu.uuid],
    [state(gpu), gpu.why],
    [
      line(fixed(gpu.temperature_celsius, 1), "", " °C"),
      line(fixed(gpu.memory_temperature_celsius, 1), "memory ", " °C"),
    ],
    trips && [
      line(fixed(trips.alert_celsius, 0), "alert ", " °C"),
      `critical ${fixed(trips.critical_celsius, 0)}, safe ${fixed(trips.safe_celsius, 0)}`,
    ],
    hour && [
      line(fixed(hour.max_celsius, 1), "max ", " °C"),
      line(fixed(hour.mean_celsius, 1), "mean ", " °C"),
    ],
    [
      line(fixed(gpu.power_draw_watts, 0), "", " W drawn"),
      line(fixed(limit.current, 0), "limit ", `${original} W`),
    ],
    [
      `${gpu.throttle_events} begun, ${gpu.recoveries} recovered`,
      `${fixed(held.gradual, 0)} s gradual, ${fixed(held.emergency, 0)} s emergency`,
    ],
    [...leases, line(fixed(gpu.paused_for_seconds, 0), "paused, ", " s left")],
  ];
}

function row(gpu) {
  const tr = document.createElement("tr");
  tr.className = state(gpu);
  for (const lines of cells(gpu)) {
    const td = tr.appendChild(document.createElement("td"));
    for (const text of (lines || []).filter((text) => text !== undefined)) {
      td.appendChild(document.createElement("div")).textContent = text;
    }
  }
  return tr;
}

function say(id, className, text) {
  byId(id).className = className;
  byId(id).textContent = text;
}

function show(status) {
  const observing = status.mode === "observe";
  say(
    "mode",
    status.simulated || status.mode !== "enforce" ? "notice" : "good",
    `mode: ${status.mode}` +
      (observing ? " (nothing is written)" : "") +
      (status.simulated ? ", simulated GPUs" : ""),
  );
  const driver = status.driver;
  say(
    "driver",
    driver.detached ? "notice" : driver.up ? "good" : "bad",
    "driver: " +
      (driver.detached ? "detached" : driver.up ? "up" : driver.error || "not found yet"),
  );
  const chain = status.chain;
  say(
    "chain",
    chain.fallback ? "bad" : chain.expected ? "good" : "plain",
    `alert chain: ${chain.state}` +
      (line(fixed(chain.heartbeat_age_seconds, 0), ", last heartbeat ", " s ago") || ""),
  );
  byId("gpus").replaceChildren(...status.gpus.map(row));
  byId("none").hidden = status.gpus.length > 0;
}

const events = new EventSource("api/v1/events");
events.onmessage = (event) => {
  byId("link").hidden = true;
  show(JSON.parse(event.data));
};
events.onerror = () => {
  byId("link").hidden = false;
};
