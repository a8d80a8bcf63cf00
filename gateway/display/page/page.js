"use strict";
// Shows what the server sends, as text only. What is shown is a function of the newest message and of time.
(() => {
  const SILENT_MS = 6000; // three beats of the server: then what stands here may be old
  const LOOK_MS = 500;
  const SVG = "http://www.w3.org/2000/svg";
  const SHAPES = {
    accepted: "check", warning: "triangle", refused: "octagon", invalid: "barred", more: "dots", trouble: "disk",
    deviating: "aside", question: "question", chosen: "arrow", undone: "back", identified: "place", ready: "code",
    attention: "plug", lost: "cut",
  };
  const at = (id) => document.getElementById(id);
  let page = null; // the newest message
  let until = 0; // how long its result is new, by performance.now()
  let heard = performance.now();
  let source = null;
  let shown = ""; // what stands on the panel, so that nothing is said twice to a screen reader
  let listed = "";
  let lost = { state: "lost", headline: at("headline").textContent, article: "", facts: [], time: "",
    notes: [at("notes").textContent] };

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
    const now = JSON.stringify([panel, number]);
    if (now === shown) return;
    shown = now;
    document.body.dataset.state = panel.state;
    document.body.dataset.turn = number % 2 ? "odd" : "even";
    at("use").setAttribute("href", "#shape-" + SHAPES[panel.state]);
    at("headline").textContent = panel.headline;
    at("article").textContent = panel.article;
    at("time").textContent = panel.time;
    at("facts").replaceChildren(...panel.facts.map(([name, value]) => {
      const row = document.createElement("div");
      row.append(element("dt", name), element("dd", value));
      return row;
    }));
    at("notes").replaceChildren(...panel.notes.map((note) => element("li", note)));
  };

  const showRest = () => {
    document.documentElement.lang = page.language;
    document.body.dataset.waiting = page.waiting ? "yes" : "no";
    for (const id of ["action", "context", "alarm", "delivery"]) at(id).textContent = page[id];
    const now = JSON.stringify([page.recent, page.recentTitle]);
    if (now === listed) return;
    listed = now;
    at("recent-title").textContent = page.recentTitle;
    at("list").replaceChildren(...page.recent.map((one) => {
      const row = document.createElement("li");
      row.dataset.state = one.state;
      row.append(shape(one.state, one.word), element("span", one.article, "name"),
        element("span", one.lot, "lot"), element("time", one.time.slice(0, 5), "at"));
      return row;
    }));
  };

  const show = () => {
    const now = performance.now();
    if (page === null || now - heard > SILENT_MS) {
      page = null;
      showPanel(lost, 0);
      for (const id of ["action", "context", "alarm", "delivery"]) at(id).textContent = "";
    } else {
      showPanel(page.now !== null && now < until ? page.now : page.idle, page.number);
    }
  };

  const listen = () => {
    if (source !== null) source.close();
    source = new EventSource("events");
    source.onmessage = (message) => {
      page = JSON.parse(message.data);
      lost = page.lost;
      heard = performance.now();
      until = heard + page.leftMs;
      showRest();
      show();
    };
  };

  listen();
  setInterval(() => {
    show();
    // A browser tries again by itself unless it was refused, or sleeps on a connection that is dead.
    const silent = performance.now() - heard;
    if (silent > 2 * SILENT_MS || (source.readyState === EventSource.CLOSED && silent > SILENT_MS / 2)) {
      heard = Math.max(heard, performance.now() - 1.5 * SILENT_MS);
      listen();
    }
  }, LOOK_MS);
})();
