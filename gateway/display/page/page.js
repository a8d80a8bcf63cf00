"use strict";
// Shows what the server sends, as text only. What is shown is a function of the newest message and of time.
(() => {
  const SILENT_MS = 6000; // three beats of the server: then what stands here may be old
  const LOOK_MS = 500;
  const SVG = "http://www.w3.org/2000/svg";
  const SHAPES = {
    accepted: "check", warning: "triangle", refused: "octagon", invalid: "barred", more: "dots", trouble: "disk",
    deviating: "aside", question: "question", chosen: "arrow", undone: "back", identified: "place", ready: "code",
    attention: "plug", limited: "half", unable: "full", lost: "cut", closed: "folder",
  };
  // What is left out where the panel does not fit, one after the other, until it does.
  const STEPS = ["no-list", "no-notes", "small-facts", "no-foot", "few-facts", "no-facts", "own-action"];
  // Beside the rows of a case, the notes and the facts stand back at once.
  const CASE_STEPS = ["no-list", "small-facts", "no-foot", "no-facts", "small-rows", "own-action"];
  const TURN_MS = 7000; // of each page of a case: four lines are read out in so long
  const TAIL = 18; // characters of a name's end that stay: size, side, gauge
  const at = (id) => document.getElementById(id);
  let page = null; // the newest message
  let until = 0; // how long its result is new, by performance.now()
  let heard = performance.now();
  let source = null;
  let shown = ""; // what stands on the panel, so that a screen reader does not repeat it
  let drawn = null; // the panel that stands there
  let began = 0; // since when, by performance.now()
  let turns = []; // of its rows: where each page of them begins
  let listed = "";
  let acting = "";
  let lost = { state: "lost", headline: at("headline").textContent, article: "", facts: [], time: "", notes: [],
    reason: at("reason").textContent };

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const shape = (state, word) => {
    const svg = document.createElementNS(SVG, "svg");
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", "#shape-" + SHAPES[state]);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", word);
    svg.append(use);
    return svg;
  };

  const showPanel = (panel, number) => {
    countDown(panel);
    const now = JSON.stringify([{ ...panel, untilMs: null }, number]);
    if (now === shown) return;
    shown = now;
    drawn = panel;
    document.body.dataset.state = panel.state;
    document.body.dataset.turn = number % 2 ? "odd" : "even";
    at("use").setAttribute("href", "#shape-" + SHAPES[panel.state]);
    at("headline").textContent = panel.headline;
    at("reason").textContent = panel.reason;
    at("time").textContent = panel.time;
    at("facts").replaceChildren(...panel.facts.map(([name, value]) => {
      const row = document.createElement("div");
      row.append(element("dt", name), element("dd", value));
      return row;
    }));
    at("notes").replaceChildren(...panel.notes.map((note) => element("li", note)));
    at("case").replaceChildren(...(panel.rows || []).map((one) => {
      const row = document.createElement("li");
      row.append(element("span", one.mark, "mark"), element("span", one.name, "name"));
      if (one.detail) row.append(element("span", one.detail, "detail"));
      return row;
    }));
    began = performance.now();
    fit();
  };

  const countDown = (panel) => {
    const seconds = panel.untilMs === null || panel.untilMs === undefined ? "" :
      String(Math.max(0, Math.ceil((panel.untilMs - (performance.now() - heard)) / 1000)));
    if (at("left").textContent !== seconds) at("left").textContent = seconds;
  };

  const overflows = () => {
    const panel = at("panel");
    return panel.scrollHeight > panel.clientHeight + 1 ||
      ["verdict", "reason", "article", "facts", "action"].some((id) => at(id).scrollWidth > at(id).clientWidth + 1);
  };

  // The longest form of a name that fits: whole, else with its middle left out, in two lines or in one.
  const fitName = (article, name) => {
    article.textContent = name;
    if (!overflows()) return true;
    const end = name.slice(-TAIL);
    let low = 0;
    let high = Math.max(0, name.length - TAIL - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      article.textContent = name.slice(0, middle).trimEnd() + "\u2026" + end;
      if (overflows()) high = middle - 1; else low = middle;
    }
    article.textContent = name.length > TAIL ? name.slice(0, low).trimEnd() + "\u2026" + end : name;
    return !overflows() && (low >= 6 || name.length <= TAIL);
  };

  const fit = () => {
    if (drawn === null) return;
    const root = document.documentElement;
    const millimetres = Number(root.dataset.diagonal) * 25.4 / Math.hypot(innerWidth, innerHeight); // of one pixel
    const arc = Number(root.dataset.distance) * 1000 * Math.tan(Math.PI / 10800) / millimetres;
    root.style.setProperty("--arc", arc.toFixed(3) + "px");
    turns = [];
    const rows = [...at("case").children];
    for (const row of rows) row.hidden = true;
    rows.forEach((row, index) => { row.children[1].textContent = drawn.rows[index].name; });
    const longest = [...rows].sort((one, other) => other.textContent.length - one.textContent.length)[0];
    const steps = rows.length ? CASE_STEPS : STEPS;
    for (let count = 0; count <= steps.length; count += 1) {
      document.body.dataset.fit = steps.slice(0, count).join(" ");
      if (longest) longest.hidden = false; // there must be space for it
      const fits = fitName(at("article"), drawn.article);
      if (longest) longest.hidden = true;
      if (fits) break;
    }
    turnRows(rows);
  };

  // Lay the rows of a case on as many pages as they need. Only a name that fills a page alone loses its middle.
  const turnRows = (rows) => {
    for (let begin = 0; begin < rows.length;) {
      let end = begin;
      for (; end < rows.length; end += 1) {
        rows[end].hidden = false;
        if (end > begin && overflows()) break;
        if (end === begin) fitName(rows[end].children[1], drawn.rows[end].name);
      }
      for (const row of rows) row.hidden = true;
      turns.push([begin, end]);
      begin = end;
    }
    showTurn();
  };

  const showTurn = () => {
    if (turns.length === 0) {
      if (at("pages").textContent !== "") at("pages").textContent = "";
      return;
    }
    const number = Math.floor((performance.now() - began) / TURN_MS) % turns.length;
    const [begin, end] = turns[number];
    [...at("case").children].forEach((row, index) => { row.hidden = index < begin || index >= end; });
    const form = drawn.pages.split("{}");
    const words = turns.length > 1 ? form[0] + (number + 1) + form[1] + turns.length + form[2] : "";
    if (at("pages").textContent !== words) at("pages").textContent = words;
  };

  const showActions = () => {
    const now = JSON.stringify(page.actions);
    if (now === acting) return;
    acting = now;
    at("action").replaceChildren(...page.actions.map((one) => element("span", one.text, one.own ? "own" : "")));
    fit(); // nothing else of the page takes space from the panel
  };

  const showRest = () => {
    document.documentElement.lang = page.language;
    document.body.dataset.waiting = page.waiting ? "yes" : "no";
    for (const id of ["context", "alarm", "delivery"]) {
      if (at(id).textContent !== page[id]) at(id).textContent = page[id];
    }
    showActions();
    const now = JSON.stringify([page.recent, page.recentTitle]);
    if (now === listed) return;
    listed = now;
    at("recent-title").textContent = page.recentTitle;
    at("list").replaceChildren(...page.recent.map((one) => {
      const row = document.createElement("li");
      row.dataset.state = one.state;
      row.append(shape(one.state, one.word), element("span", one.article, "name"),
        element("span", one.lot, "lot"), element("span", one.stage, "stage"),
        element("time", one.time.slice(0, 5), "at"));
      return row;
    }));
  };

  const show = () => {
    const now = performance.now();
    if (page === null || now - heard > SILENT_MS) {
      page = null;
      showPanel(lost, 0);
      for (const id of ["action", "context", "alarm", "delivery", "time"]) at(id).textContent = "";
      acting = listed = "";
    } else {
      showPanel(page.now !== null && now < until ? page.now : page.idle, page.number);
    }
  };

  const listen = () => {
    if (source !== null) source.close();
    source = new EventSource("events");
    source.onmessage = (message) => {
      const before = page;
      page = JSON.parse(message.data);
      // Not what was there before this page began to listen.
      if (before !== null && page.number !== before.number && page.now !== null) sound.play(page.now.signal);
      lost = page.lost;
      heard = performance.now();
      until = heard + page.leftMs;
      showRest();
      show();
    };
  };

  addEventListener("resize", fit);
  const askForSound = () => sound.ask(() => { at("sound").hidden = sound.ready(); });
  at("sound").addEventListener("click", askForSound);
  addEventListener("pointerdown", askForSound);
  askForSound();
  listen();
  setInterval(() => {
    show();
    showTurn();
    // A browser tries again by itself unless it was refused, or sleeps on a connection that is dead.
    const silent = performance.now() - heard;
    if (silent > 2 * SILENT_MS || (source.readyState === EventSource.CLOSED && silent > SILENT_MS / 2)) {
      heard = Math.max(heard, performance.now() - 1.5 * SILENT_MS);
      listen();
    }
  }, LOOK_MS);
})();
