
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = id => document.getElementById(id);
  const detail = $("detail"), grid = $("grid"), text = $("f-text");
  const buttons = [...grid.querySelectorAll("button[data-cell]")];
  let open = -1;

  // Everything that is shown becomes a text node: nothing from a server or a tool is ever read as markup.
  function el(tag, attributes, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "class") e.className = value; else if (name.startsWith("on")) e.addEventListener(name.slice(2), value); else e.setAttribute(name, value);
    }
    for (const c of children) if (c !== null && c !== undefined) e.append(c);
    return e;
  }
  const word = c => c.state === "finished" ? data.verdicts[c.v].w : c.state;
  const mark = c => c.state === "finished" ? data.verdicts[c.v].m : data.states[c.state];
  const badge = (w, m) => el("span", { class: "v v-" + w }, el("span", { class: "mark", "aria-hidden": "true" }, m), " " + w);
  const look = o => o.id !== undefined;
  const seconds = s => s < 10 ? s.toFixed(1) + " s" : s < 60 ? Math.round(s) + " s" : Math.floor(s / 60) + " min " + Math.round(s % 60) + " s";

  async function copied(command) {
    try { await navigator.clipboard.writeText(command); return true; } catch {
      const area = el("textarea", { class: "sr" }); // where a page may not use the clipboard by itself
      area.value = command; document.body.append(area); area.select();
      try { return document.execCommand("copy"); } finally { area.remove(); }
    }
  }
  function copyButton(pre) {
    const b = el("button", { type: "button", class: "copy" }, "copy");
    b.addEventListener("click", async () => {
      const done = await copied(pre.textContent);
      b.focus();
      if (!done) getSelection().selectAllChildren(pre);
      b.textContent = done ? "copied" : "selected: copy it yourself";
      $("said").textContent = done ? "command copied" : "the browser lets nothing be copied: the command is selected, copy it yourself";
      setTimeout(() => { b.textContent = "copy"; }, done ? 2000 : 8000);
    });
    return b;
  }

  // Evidence is filled in when it is opened. On paper, which cannot be opened, it is the ends of texts, and no more of them than are read.
  const ends = { each: 1500, all: 200000, spent: 0, left: 0 };
  function evidence(f, paper) {
    const whole = data.texts[f.t], name = f.n + (f.s ? " (the end of " + f.s + " bytes)" : "");
    if (!paper) {
      const d = el("details", {}, el("summary", {}, name));
      d.addEventListener("toggle", () => { if (d.open && d.childElementCount === 1) d.append(el("pre", {}, whole)); });
      return d;
    }
    if (ends.spent >= ends.all) { ends.left++; return ""; }
    const end = whole.slice(-ends.each);
    ends.spent += end.length;
    return el("div", { class: "evidence" }, end.length < whole.length ? f.n + " (the end of it)" : name, el("pre", {}, end));
  }

  function body(cell, o, paper) {
    const list = el("dl");
    const say = (term, ...what) => list.append(el("dt", {}, term), el("dd", {}, ...what));
    if (o.new) say("new", "the run before did not have this failure");
    if (o.err !== undefined) say("error", el("pre", {}, data.texts[o.err]));
    if (o.why) say("reason", el("pre", {}, o.why));
    if (o.exp !== undefined) {
      const x = data.expectations[o.exp];
      say("declared error", x.error, /^https?:\/\//.test(x.link || "") ? el("span", {}, " ", el("a", { href: x.link, rel: "noreferrer" }, x.link)) : x.link ? " " + x.link : null,
        x.review ? ", look again on " + x.review : null, x.note ? ": " + x.note : null);
    }
    if (o.tries) say("attempts", ...o.tries.map((t, i) => el("div", {}, (i + 1) + ". ", badge(data.verdicts[t.v].w, data.verdicts[t.v].m), " " + seconds(t.d), t.err !== undefined ? el("pre", {}, data.texts[t.err]) : null)));
    if (o.fault) say("whose fault", o.fault);
    if (o.run) { const pre = el("pre", {}, o.run); say("repeat it", el("div", { class: "repro" }, pre, copyButton(pre))); }
    if (o.id) say("id", o.id + (o.dir ? ", evidence in " + o.dir : ""));
    for (const f of o.files || []) list.append(el("dd", {}, evidence(f, paper)));
    if (o.more) list.append(el("dd", {}, "files that are only in the folder: " + o.more));
    if (o.ms) say("measured", ...o.ms.map(([i, v]) => el("div", {}, data.measured[i][0] + ": " + v + " " + data.measured[i][1])));
    if (cell.seed) say("seed", String(cell.seed));
    return el("div", { class: "body" }, list);
  }

  function specElement(cell, s, expanded, paper) {
    const v = data.verdicts[s.v];
    const d = el("details", { class: "spec" }, el("summary", {}, badge(v.w || "interrupted", v.w ? v.m : data.states.interrupted), " " + data.texts[s.x], s.new ? el("strong", { class: "new" }, "new") : null, el("span", { class: "t" }, seconds(s.d))));
    const fill = () => { if (d.childElementCount === 1) d.append(body(cell, s, paper)); };
    d.addEventListener("toggle", () => { if (d.open) fill(); });
    if (expanded) { fill(); d.open = true; }
    return d;
  }

  // Within a cell the text narrows the list, unless only the cell's own name has it.
  function chosen(cell) {
    const t = text.value.trim().toLowerCase();
    const found = t ? cell.specs.filter(s => specMatches(s, t)) : cell.specs;
    return found.length ? found : cell.specs;
  }
  // told is all that the page says of a spec, or of a cell as a whole, in which a text is looked for.
  function told(o) {
    const x = o.exp === undefined ? {} : data.expectations[o.exp];
    const texts = [o.x, o.err, ...(o.tries || []).map(t => t.err)].filter(i => i !== undefined).map(i => data.texts[i]);
    return [...texts, o.why, o.fault, o.id, x.error, x.link, x.note, x.review].filter(Boolean).join("\n").toLowerCase();
  }
  const specMatches = (s, t) => told(s).includes(t);

  function show(index, focus) {
    const cell = data.cells[index];
    open = index;
    buttons.forEach(b => b.setAttribute("aria-expanded", String(Number(b.dataset.cell) === index)));
    const specs = chosen(cell).slice().sort((a, b) => (look(b) - look(a)));
    let expanded = 3; // the first failures stand open
    detail.replaceChildren(el("button", { type: "button", class: "copy", onclick: () => close(true) }, "close"),
      el("h3", {}, cell.e + " · " + cell.s + " · " + cell.t),
      el("p", {}, badge(word(cell), mark(cell)), " " + [cell.server, cell.version, cell.specs.length + " of " + cell.total + " specs", seconds(cell.d)].filter(Boolean).join(" · ")),
      cell.err !== undefined || cell.why || cell.id ? body(cell, cell) : "",
      ...specs.map(s => specElement(cell, s, look(s) && expanded-- > 0)));
    if (specs.length < cell.specs.length) detail.append(el("p", {}, "the filter hides " + (cell.specs.length - specs.length) + " more"));
    if (data.cut) detail.append(el("p", {}, data.cut));
    detail.hidden = false;
    if (focus) { detail.focus({ preventScroll: true }); detail.scrollIntoView({ block: "nearest" }); }
    try { history.replaceState(null, "", "#cell-" + index); } catch { /* a page without an address of its own */ }
  }
  function close(back) {
    const b = $("cell-" + open);
    detail.hidden = true; detail.replaceChildren(); open = -1;
    buttons.forEach(x => x.setAttribute("aria-expanded", "false"));
    if (back && b) b.focus();
  }

  // Filters. What a cell says is put together once.
  const words = data.cells.map(() => null);
  const hay = i => words[i] ??= [...["e", "s", "t", "server", "version"].map(key => data.cells[i][key] || ""), ...[data.cells[i], ...data.cells[i].specs].map(told)].join("\n").toLowerCase();
  function filter() {
    const vendor = $("f-vendor").value, verdict = $("f-verdict").value, suite = $("f-suite").value, t = text.value.trim().toLowerCase();
    const columns = new Set();
    let shown = 0;
    for (const row of grid.tBodies[0].rows) {
      let any = false;
      [...row.cells].forEach((td, column) => {
        const b = td.firstElementChild;
        if (column === 0 || !b) return;
        const c = data.cells[b.dataset.cell];
        const fits = (!vendor || row.dataset.vendor === vendor) && (!suite || c.s === suite) && (!t || hay(b.dataset.cell).includes(t)) &&
          (!verdict || word(c) === verdict || verdict === "*" && (look(c) || c.specs.some(look)));
        b.classList.toggle("off", !fits);
        if (fits) { any = true; shown++; columns.add(column); }
      });
      row.hidden = !any;
    }
    for (const row of grid.rows) [...row.cells].forEach((cell, column) => { cell.hidden = column > 0 && !columns.has(column); });
    $("shown").textContent = shown === buttons.length ? "" : shown + " of " + buttons.length + " cells";
    if (open >= 0) { if ($("cell-" + open).classList.contains("off")) close(false); else show(open, false); }
  }
  for (const id of ["f-vendor", "f-verdict", "f-suite", "f-text"]) $(id).addEventListener("input", filter);
  $("filters").addEventListener("reset", () => setTimeout(filter));
  $("filters").addEventListener("submit", e => e.preventDefault());

  grid.addEventListener("click", e => {
    const b = e.target.closest("button[data-cell]");
    if (b) { const i = Number(b.dataset.cell); if (i === open) close(true); else show(i, true); }
  });
  document.addEventListener("click", e => {
    const a = e.target.closest("a[data-open]");
    if (a) { e.preventDefault(); $("filters").reset(); filter(); show(Number(a.dataset.open), true); }
  });

  // Arrow keys go from cell to cell, over those that the filter hides.
  function step(from, dx, dy) {
    const td = from.parentElement, rows = [...grid.tBodies[0].rows];
    let r = rows.indexOf(td.parentElement), c = td.cellIndex;
    for (;;) {
      r += dy; c += dx;
      const row = rows[r];
      if (!row || c < 1 || c >= row.cells.length) return;
      const b = row.cells[c].firstElementChild;
      if (!row.hidden && b && !b.classList.contains("off")) { b.focus(); return; }
    }
  }
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  document.addEventListener("keydown", e => {
    if (e.key === "Escape" && open >= 0) { close(true); return; }
    if (e.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { e.preventDefault(); text.focus(); return; }
    if (arrows[e.key] && document.activeElement.matches("#grid button")) { e.preventDefault(); step(document.activeElement, ...arrows[e.key]); }
  });

  // Paper cannot be clicked: what is folded is opened, and every failure is printed with what belongs to it.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("main details:not([open])")].filter(d => !detail.contains(d));
    for (const d of unfolded) d.open = true;
    const parts = [];
    ends.spent = ends.left = 0;
    for (const cell of data.cells) {
      const specs = cell.specs.filter(look);
      if (look(cell) || specs.length) parts.push(el("h3", {}, cell.e + " · " + cell.s + " · " + cell.t), look(cell) ? body(cell, cell, true) : "", ...specs.map(s => specElement(cell, s, true, true)));
    }
    if (ends.left) parts.push(el("p", {}, "files of evidence that are not printed, and lie in the run's folder: " + ends.left));
    if (data.cut) parts.push(el("p", {}, data.cut));
    $("print").replaceChildren(...(parts.length ? [el("h2", {}, "Failures"), ...parts] : []));
    $("print").hidden = false;
  });
  addEventListener("afterprint", () => {
    for (const d of unfolded) d.open = false;
    $("print").hidden = true; $("print").replaceChildren();
  });

  const asked = /^#cell-(\d+)$/.exec(location.hash);
  if (asked && data.cells[asked[1]]) show(Number(asked[1]), true);
  const failure = /^#([0-9a-f]{8})$/.exec(location.hash);
  if (failure) { const i = data.cells.findIndex(c => c.id === failure[1] || c.specs.some(s => s.id === failure[1])); if (i >= 0) { text.value = failure[1]; filter(); show(i, true); } }
  document.documentElement.dataset.ready = "yes";
})();
