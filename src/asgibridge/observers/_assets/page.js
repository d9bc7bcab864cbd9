"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const chart = byId("chart"), axis = byId("axis"), canvas = byId("lanes"), detail = byId("detail");
  const NS = "http://www.w3.org/2000/svg";
  const ROW = 23, BAR = 18, WAIT_ROW = 15, WAIT_BAR = 11, LANE_TOP = 11, LANE_END = 9, MIN_SPAN = 2e-6;
  // Calls with less than this between them belong to one activity, in seconds.
  const GAP = 0.15;
  // More bars than this are no longer told apart, and get no arrows.
  const CROWD = 2000;

  const calls = new Map();
  let lanes = new Map();     // key -> lane, in order of appearance
  let view = [0, 0.001];     // in seconds since the recording began
  let chosen = null, follow = Boolean(data.live), now = 0, width = 0;

  // -- data --

  function laneOf(place) {
    if (!place) return null;
    const key = place.join("|");
    if (!lanes.has(key)) lanes.set(key, { key, thread: place[0], name: place[1], loop: place[2], items: [] });
    return lanes.get(key);
  }

  function take(list) {
    for (const call of list) calls.set(call.number, call);
    for (const call of calls.values()) call.waitItem = call.runItem = null;
    lanes = new Map();
    now = 0;
    for (const call of sorted()) {
      call.from = laneOf(call.caller);
      call.to = laneOf(call.lane);
      now = Math.max(now, call.queued, call.started ?? 0, call.finished ?? 0);
    }
    if (data.now) now = Math.max(now, data.now);
    for (const call of calls.values()) {
      const end = call.finished ?? now;
      call.end = end;
      call.from.items.push({ call, wait: true, start: call.queued, end });
      if (call.to && call.started !== null) call.to.items.push({ call, wait: false, start: call.started, end });
    }
    nameLanes();
    for (const lane of lanes.values()) pack(lane);
  }

  function sorted() { return [...calls.values()].sort((a, b) => a.number - b.number); }

  function nameLanes() {
    const loops = [], threads = new Map();
    for (const lane of lanes.values()) {
      if (lane.loop !== null && !loops.includes(lane.loop)) loops.push(lane.loop);
      const same = threads.get(lane.name) ?? [];
      if (!same.includes(lane.thread)) same.push(lane.thread);
      threads.set(lane.name, same);
    }
    for (const lane of lanes.values()) {
      const same = threads.get(lane.name);
      const thread = same.length > 1 ? `${lane.name} #${same.indexOf(lane.thread) + 1}` : lane.name;
      lane.title = lane.loop === null ? thread : `loop ${loops.indexOf(lane.loop) + 1}`;
      lane.kind = lane.loop === null ? "thread" : `on ${thread}`;
      lane.full = lane.loop === null ? `thread ${thread}` : `${lane.title} on thread ${thread}`;
    }
  }

  // Put each bar in the first row where there is room for it; waits go below.
  function pack(lane) {
    lane.items.sort((a, b) => a.start - b.start || b.end - a.end);
    const ends = { run: [], wait: [] };
    for (const item of lane.items) {
      const rows = item.wait ? ends.wait : ends.run;
      let row = rows.findIndex((end) => end <= item.start);
      if (row < 0) row = rows.length;
      rows[row] = Math.max(item.end, item.start + 1e-9);
      item.row = row;
      item.lane = lane;
      if (item.wait) item.call.waitItem = item; else item.call.runItem = item;
    }
  }

  const inView = (item) => item.end >= view[0] && item.start <= view[1];

  // A lane is as high as what is in view needs.
  function measure(lane) {
    let waits = 0;
    lane.runs = 0;
    for (const item of lane.items) {
      if (!inView(item)) continue;
      if (item.wait) waits = Math.max(waits, item.row + 1); else lane.runs = Math.max(lane.runs, item.row + 1);
    }
    lane.height = Math.max(42, LANE_TOP + lane.runs * ROW + waits * WAIT_ROW + LANE_END);
  }

  function activities() {
    const found = [];
    for (const call of [...calls.values()].sort((a, b) => a.queued - b.queued)) {
      const last = found[found.length - 1];
      if (last && call.queued <= last[1] + GAP) last[1] = Math.max(last[1], call.end);
      else found.push([call.queued, call.end]);
    }
    return found;
  }

  // -- view --

  function show(start, end) {
    const room = Math.max((end - start) * 0.05, 5e-6);
    setView(start - room, end + room);
  }

  function setView(start, end) {
    const span = Math.max(end - start, MIN_SPAN);
    const middle = (start + end) / 2;
    view = [middle - span / 2, middle + span / 2];
    redraw();
  }

  // Wheels and fingers move more often than the screen shows.
  let frame = 0;
  function redraw() {
    frame ||= requestAnimationFrame(() => { frame = 0; draw(); });
  }

  function fit() {
    if (!calls.size) return redraw();
    let start = Infinity, end = -Infinity;
    for (const call of calls.values()) { start = Math.min(start, call.queued); end = Math.max(end, call.end); }
    show(start, end);
  }

  function zoom(factor, at = 0.5) {
    const span = view[1] - view[0], pivot = view[0] + span * at;
    follow = false;
    setView(pivot - span * factor * at, pivot + span * factor * (1 - at));
  }

  function pan(fraction) {
    const shift = (view[1] - view[0]) * fraction;
    follow = false;
    setView(view[0] + shift, view[1] + shift);
  }

  function step(direction) {
    const middle = (view[0] + view[1]) / 2, found = activities();
    const ahead = direction > 0
      ? found.find(([start, end]) => (start + end) / 2 > middle + 1e-9)
      : found.reverse().find(([start, end]) => (start + end) / 2 < middle - 1e-9);
    follow = direction > 0 && !ahead && Boolean(data.live);
    const target = ahead ?? activities()[direction > 0 ? activities().length - 1 : 0];
    if (target) show(...target);
  }

  // -- drawing --

  function svg(name, attributes, ...children) {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  const gutter = () => (width < 640 ? 104 : 190);
  const x = (time) => gutter() + ((time - view[0]) / (view[1] - view[0])) * (width - gutter());

  function ticks() {
    const rough = (view[1] - view[0]) / Math.max(2, (width - gutter()) / 110);
    const power = 10 ** Math.floor(Math.log10(rough));
    const size = power * ([1, 2, 5, 10].find((n) => n * power >= rough));
    const found = [];
    for (let n = Math.ceil(view[0] / size); n * size <= view[1]; n++) found.push(n * size);
    return { found, size };
  }

  function tickLabel(time, size) {
    const [unit, name] = size >= 0.5 ? [1, "s"] : size >= 0.0005 ? [1e-3, "ms"] : [1e-6, "µs"];
    const digits = Math.max(0, -Math.floor(Math.log10(size / unit) + 1e-9));
    // Far from the beginning small steps are read from the left edge on.
    const base = size < 1e-3 && Math.abs(time) > 1 ? Math.ceil(view[0] / size) * size : 0;
    const shown = ((time - base) / unit).toFixed(digits);
    return base ? (shown === "0" ? seconds(base) : `+${shown} ${name}`) : `${shown} ${name}`;
  }

  function seconds(value) {
    if (value === null || value === undefined) return "";
    const size = Math.abs(value);
    if (size >= 1) return `${value.toFixed(3)} s`;
    if (size >= 1e-3) return `${(value * 1e3).toFixed(size >= 0.1 ? 0 : size >= 0.01 ? 1 : 2)} ms`;
    return `${(value * 1e6).toFixed(0)} µs`;
  }

  const hasRoom = (time) => x(time) > gutter() + 26 && x(time) < width - 30;

  function draw() {
    width = chart.clientWidth;
    byId("empty").hidden = calls.size > 0;
    const { found, size } = ticks();
    axis.replaceChildren(...found.map((time) => svg("g", { class: "tick" },
      svg("line", { x1: x(time), x2: x(time), y1: 22, y2: 30 }),
      svg("text", { x: x(time), y: 17, "text-anchor": "middle" }, hasRoom(time) ? tickLabel(time, size) : ""))));
    axis.append(svg("rect", { class: "gutter", x: 0, y: 0, width: gutter(), height: 30 }));

    let y = 0;
    const bands = [], names = [], bars = [], arrows = [];
    [...lanes.values()].forEach((lane, index) => {
      measure(lane);
      lane.y = y;
      const { height } = lane;
      if (index % 2) bands.push(svg("rect", { class: "band", x: 0, y, width, height }));
      names.push(laneName(lane, y, height, index % 2));
      y += height;
    });
    const grid = found.map((time) => svg("line", { class: "gridline", x1: x(time), x2: x(time), y1: 0, y2: y }));
    // Where there is too much to see every call, the larger ones are shown.
    let count = 0;
    for (const lane of lanes.values()) for (const item of lane.items) if (inView(item)) count += 1;
    const grain = count > CROWD ? 3 : 0.5;
    for (const lane of lanes.values()) for (const bar of drawLane(lane, grain)) bars.push(bar);
    if (bars.length <= CROWD) for (const call of calls.values()) arrows.push(...drawArrows(call));
    canvas.setAttribute("height", y);
    canvas.replaceChildren(
      svg("g", {}, ...bands), svg("g", {}, ...grid), svg("g", { class: "arrows" }, ...arrows),
      svg("g", { class: "bars" }, ...bars), svg("g", {}, ...names),
      svg("line", { class: "gutter-edge", x1: gutter(), x2: gutter(), y1: 0, y2: y }));
    summarize();
    mark();
  }

  function shorten(text, room, letter) {
    const fits = Math.floor(room / letter);
    return text.length <= fits ? text : fits > 2 ? `${text.slice(0, fits - 1)}…` : "";
  }

  // Names of threads differ at the end: leave out the middle.
  function squeeze(text, room, letter) {
    const fits = Math.floor(room / letter);
    if (text.length <= fits) return text;
    const tail = Math.ceil(fits * 0.6);
    return `${text.slice(0, fits - tail - 1)}…${text.slice(-tail)}`;
  }

  function laneName(lane, y, height, odd) {
    return svg("g", {},
      svg("rect", { class: odd ? "band" : "gutter", x: 0, y, width: gutter(), height }),
      svg("title", {}, lane.full),
      svg("text", { class: "lane-name", x: 14, y: y + LANE_TOP + 8 }, squeeze(lane.title, gutter() - 22, 7.6)),
      svg("text", { class: "lane-kind", x: 14, y: y + LANE_TOP + 22 }, squeeze(lane.kind, gutter() - 22, 6)));
  }

  const rowY = ({ lane, row, wait }) =>
    lane.y + LANE_TOP + (wait ? lane.runs * ROW + row * WAIT_ROW : row * ROW);
  const heightOf = (item) => (item.wait ? WAIT_BAR : BAR);

  function drawLane(lane, grain) {
    const drawn = [], edges = new Map();
    for (const item of lane.items) {
      item.drawn = false;
      if (!inView(item)) continue;
      const left = Math.max(x(item.start), gutter() - 40), right = Math.min(x(item.end), width + 40);
      const size = Math.max(right - left, 2.5);
      // Of bars that fall on the same pixels one is drawn.
      const row = `${item.wait} ${item.row}`;
      if (left + size <= (edges.get(row) ?? -9) + grain) continue;
      edges.set(row, left + size);
      item.drawn = true;
      drawn.push(drawBar(item, left, size));
    }
    return drawn;
  }

  // A function that is defined in another one goes by its own name.
  const brief = (name) => name.replace(/^.*<locals>\./, "");

  function drawBar(item, left, size) {
    const { call } = item, y = rowY(item);
    const kinds = ["bar", item.wait ? "wait" : call.direction];
    if (call.error) kinds.push("error");
    if (call.finished === null) kinds.push("open");
    const verb = call.direction === "sync_to_async" ? "awaits " : "waits for ";
    const from = Math.max(left, gutter()) + 6;
    const room = left + size - from - 4, letter = item.wait ? 5.2 : 6.6;
    const full = (item.wait ? verb : "") + brief(call.name);
    const label = full.length * letter <= room ? full : shorten(call.name.split(".").pop(), room, letter);
    return svg("g", { class: kinds.join(" "), "data-call": call.number },
      svg("rect", { x: left, y, width: size, height: heightOf(item), rx: Math.min(4, size / 2) }),
      svg("text", { x: from, y: y + (item.wait ? 8.5 : 13) }, label));
  }

  function drawArrows(call) {
    const { waitItem, runItem } = call;
    if (!waitItem?.drawn || !runItem?.drawn) return [];
    return [
      ...arrow(call, x(call.queued), waitItem, x(call.started), runItem, "there"),
      ...(call.finished === null ? [] : arrow(call, x(call.finished), runItem, x(call.finished), waitItem, "back")),
    ];
  }

  function arrow(call, x1, from, x2, to, kind) {
    const down = rowY(to) >= rowY(from);
    const y1 = rowY(from) + (down ? heightOf(from) : 0), y2 = rowY(to) + (down ? 0 : heightOf(to));
    const bend = Math.max(10, Math.abs(y2 - y1) / 2) * (down ? 1 : -1), tip = down ? -5 : 5;
    const classes = `${call.direction}${kind === "back" ? " back" : ""}`;
    return [
      svg("path", { class: `arrow ${classes}`, "data-call": call.number,
        d: `M${x1} ${y1} C${x1} ${y1 + bend} ${x2} ${y2 - bend + tip} ${x2} ${y2 + tip}` }),
      svg("path", { class: `head ${classes}`, "data-call": call.number,
        d: `M${x2 - 4} ${y2 + tip} L${x2 + 4} ${y2 + tip} L${x2} ${y2} Z` }),
    ];
  }

  function summarize() {
    const failed = [...calls.values()].filter((call) => call.error).length;
    const open = [...calls.values()].filter((call) => call.finished === null).length;
    const parts = [`${calls.size} calls`, `${lanes.size} lanes`, `${seconds(view[1] - view[0])} shown`];
    if (failed) parts.push(`${failed} raised`);
    if (open) parts.push(`${open} running`);
    byId("summary").textContent = calls.size ? parts.join("  ·  ") : "";
  }

  // -- detail --

  function near(number) {
    const found = new Set();
    for (let call = calls.get(number); call; call = calls.get(call.parent)) found.add(call.number);
    let grew = true;
    while (grew) {
      grew = false;
      for (const call of calls.values()) {
        if (!found.has(call.number) && call.parent === number) { found.add(call.number); grew = true; }
      }
    }
    return found;
  }

  function mark() {
    canvas.classList.toggle("chosen", chosen !== null && calls.has(chosen));
    if (chosen === null) return;
    const set = near(chosen);
    for (const element of canvas.querySelectorAll("[data-call]")) {
      element.classList.toggle("near", set.has(Number(element.dataset.call)));
    }
  }

  function choose(number, event) {
    if (number !== chosen) { chosen = number; mark(); }
    detail.hidden = number === null;
    if (number === null) return;
    describe(calls.get(number));
    const box = detail.getBoundingClientRect();
    const left = Math.min(event.clientX + 14, innerWidth - box.width - 10);
    const below = event.clientY + 18 + box.height < innerHeight;
    detail.style.left = `${Math.max(8, left)}px`;
    detail.style.top = `${below ? event.clientY + 18 : Math.max(8, event.clientY - box.height - 12)}px`;
  }

  function describe(call) {
    const rows = [
      ["kind", call.direction === "sync_to_async" ? "blocking function, called from async code" : "coroutine, called from blocking code"],
      ["made on", call.from.full], ["ran on", call.to ? call.to.full : "not started yet"],
      ["waited", seconds((call.started ?? call.end) - call.queued)],
      ["ran", call.started === null ? "" : seconds(call.end - call.started) + (call.finished === null ? " so far" : "")],
      ["at", seconds(call.queued)],
      ["within", calls.has(call.parent) ? calls.get(call.parent).name : ""],
      ["behind", call.stuck ?? ""], ["raised", call.error ?? ""],
    ];
    const list = document.createElement("dl"), title = document.createElement("b");
    title.textContent = call.name;
    for (const [term, text] of rows) {
      if (!text) continue;
      const dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = term;
      dd.textContent = text;
      if (term === "raised" || term === "behind") dd.className = "bad";
      list.append(dt, dd);
    }
    detail.replaceChildren(title, list);
  }

  // -- hands --

  const pointers = new Map();
  const callAt = (event) => {
    const bar = event.target.closest?.("[data-call]");
    return bar ? Number(bar.dataset.call) : null;
  };
  chart.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    if (event.pointerType !== "mouse") choose(callAt(event), event);
  });
  chart.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) { choose(callAt(event), event); return; }
    const others = [...pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    pointers.set(event.pointerId, event);
    if (others.length) {
      const gap = Math.abs(event.clientX - others[0].clientX), old = Math.abs(before.clientX - others[0].clientX);
      if (gap > 8 && old > 8) zoom(old / gap);
    } else if (event.clientX !== before.clientX) {
      chart.classList.add("dragging");
      if (event.pointerType === "mouse") choose(null);
      pan((before.clientX - event.clientX) / (width - gutter()));
    }
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) {
    addEventListener(name, (event) => { pointers.delete(event.pointerId); chart.classList.remove("dragging"); });
  }
  chart.addEventListener("pointerleave", () => choose(null));
  chart.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      pan((event.deltaX || event.deltaY) / 1000);
      return;
    }
    const at = (event.clientX - chart.getBoundingClientRect().left - gutter()) / (width - gutter());
    zoom(Math.exp(event.deltaY / 400), Math.min(1, Math.max(0, at)));
  }, { passive: false });
  addEventListener("keydown", (event) => {
    const key = { "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1.7), 0: fit,
      ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2) }[event.key];
    if (key && !event.ctrlKey && !event.metaKey) { event.preventDefault(); key(); }
  });
  byId("in").onclick = () => zoom(0.6);
  byId("out").onclick = () => zoom(1.7);
  byId("fit").onclick = () => { follow = false; fit(); };
  byId("previous").onclick = () => step(-1);
  byId("next").onclick = () => step(1);
  byId("theme").onclick = () => {
    const root = document.documentElement, classes = root.classList;
    const isDark = classes.contains("dark") || (!classes.contains("light") && matchMedia("(prefers-color-scheme: dark)").matches);
    classes.toggle("dark", !isDark);
    classes.toggle("light", isDark);
  };
  new ResizeObserver(redraw).observe(chart);

  // -- live --

  // What does not fit into the line is counted, not kept: answers may be large.
  const SHOWN = 200;

  async function read(response, told) {
    const reader = response.body.getReader(), decoder = new TextDecoder();
    const kind = (response.headers.get("content-type") ?? "").split(";")[0];
    const isText = !kind || /^text\/|json|xml|javascript/.test(kind);
    let text = "", bytes = 0, part;
    const answer = () => {
      const size = bytes > SHOWN || !isText ? `  ${amount(bytes)}` : "";
      const shown = isText ? text.slice(0, SHOWN).replace(/\s+/g, " ") : `of ${kind}`;
      return `${response.status}${size}  ${shown}`;
    };
    while (!(part = await reader.read()).done) {
      bytes += part.value.length;
      if (text.length < SHOWN) text += decoder.decode(part.value.subarray(0, 4 * SHOWN), { stream: true });
      told(answer());
    }
    return answer();
  }

  function amount(bytes) {
    if (bytes >= 2 ** 20) return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    return bytes >= 2 ** 10 ? `${(bytes / 2 ** 10).toFixed(1)} KiB` : `${bytes} bytes`;
  }

  async function fire(action, count, output) {
    follow = true;
    const began = performance.now();
    const tell = (text) => { if (count === 1) output.textContent = text; };
    const one = async () => read(await fetch(action.path, { method: action.method, cache: "no-store" }), tell);
    try {
      const answers = await Promise.all(Array.from({ length: count }, one));
      const took = `${(performance.now() - began).toFixed(0)} ms`;
      output.textContent = count > 1 ? `${count} answers  (${took})` : `(${took})  ${answers[0]}`;
    } catch (error) {
      output.textContent = String(error);
    }
  }

  function offer(actions) {
    byId("actions").hidden = !actions.length;
    for (const action of actions) {
      const box = document.createElement("div"), output = document.createElement("output");
      const about = document.createElement("span");
      box.className = "action";
      about.className = "about";
      about.textContent = action.about;
      for (const count of [1, 10]) {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = count === 1 ? action.label : "× 10";
        button.title = `${action.method} ${action.path}${count === 1 ? "" : ", ten at once"}`;
        if (count === 1) { button.className = "fire"; button.dataset.action = action.path; }
        button.onclick = () => fire(action, count, output);
        box.append(button);
      }
      box.append(about, output);
      byId("actions").append(box);
    }
  }

  async function poll(position) {
    try {
      const response = await fetch(`${data.live.source}?since=${position}`, { cache: "no-store" });
      const news = await response.json();
      const changed = news.calls.length > 0 || news.position !== position;
      // What was under way and is not told any more has been withdrawn.
      const told = new Set(news.calls.map((call) => call.number));
      for (const call of calls.values()) if (call.finished === null && !told.has(call.number)) calls.delete(call.number);
      position = news.position;
      data.now = news.now;
      if (changed) {
        take(news.calls);
        const last = activities().pop();
        if (follow && last) show(...last); else redraw();
      }
    } catch { /* the server is away: ask again */ }
    setTimeout(poll, document.hidden ? 2000 : 250, position);
  }

  take(data.calls);
  fit();
  if (data.live) {
    offer(data.live.actions);
    poll(0);
  }
})();
