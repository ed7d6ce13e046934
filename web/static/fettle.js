// What pages do beyond links and forms: keys, theme, copying, following the inventory, and times that stay right.
(() => {
  "use strict";
  const root = document.documentElement;
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // --- what a screen reader is told, once it has changed
  const announce = () => {
    const said = one("[data-announce]")?.dataset.announce ?? "";
    const region = one("#announce");
    if (region && region.textContent !== said) region.textContent = said;
  };
  document.addEventListener("htmx:afterSwap", announce);

  // --- drawing anew what has changed, and nothing else: what stays keeps its focus, its selection, and what a person has opened
  const attributes = (from, to) => {
    const kept = (name) => name === "open" || (from === document.activeElement && name === "value");
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !kept(name) && name !== "class") from.removeAttribute(name);
    for (const { name, value } of [...to.attributes]) if (from.getAttribute(name) !== value && !kept(name)) from.setAttribute(name, value);
    if (!to.hasAttribute("class")) from.removeAttribute("class");
  };
  const like = (a, b) => a && a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");
  const morph = (from, to) => {
    if (from.isEqualNode(to)) return;
    if (from.nodeType !== Node.ELEMENT_NODE) { from.nodeValue = to.nodeValue; return; }
    attributes(from, to);
    const named = new Map([...from.children].filter((e) => e.id).map((e) => [e.id, e]));
    let at = from.firstChild;
    for (const next of [...to.childNodes]) {
      const twin = next.id ? named.get(next.id) : at;
      if (!like(twin, next)) { from.insertBefore(next, at); continue; }
      if (twin === at) at = at.nextSibling; else from.insertBefore(twin, at);
      morph(twin, next);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  };
  window.htmx?.defineExtension("morph", {
    handleSwap: (style, target, fragment) => {
      const next = fragment.firstElementChild ?? fragment;
      if (style !== "morph") return false;
      if (!like(target, next)) { target.replaceWith(next); return [next]; }
      morph(target, next);
      return [target];
    },
  });

  // --- theme: as the system, light, dark
  const names = { "": "as the system", light: "light", dark: "dark" };
  const showTheme = () => {
    const name = one("#theme-name");
    if (name) name.textContent = names[root.dataset.theme ?? ""];
  };
  const nextTheme = () => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const order = dark ? ["", "light", "dark"] : ["", "dark", "light"];
    const next = order[(order.indexOf(root.dataset.theme ?? "") + 1) % order.length];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    try {
      if (next) localStorage.setItem("theme", next); else localStorage.removeItem("theme");
    } catch { /* it holds for this page */ }
    showTheme();
  };

  // --- copying
  const copy = async (button) => {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no HTTPS: the old way
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  };

  // --- keys
  const rows = () => all("a.row");
  const step = (by) => {
    const list = rows();
    if (list.length === 0) return;
    const at = list.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by;
    if (next < 0) { one("[data-focus]")?.focus(); return; }
    if (next >= list.length) { one("#more a")?.focus(); return; }
    list[next].focus();
    list[next].closest("tr, li")?.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    "/": () => { const box = one("[data-focus]"); box?.focus(); box?.select?.(); },
    "?": () => { const help = one("#help"); if (help.open) help.close(); else help.showModal(); },
    j: () => step(1), ArrowDown: () => step(1),
    k: () => step(-1), ArrowUp: () => step(-1),
    t: nextTheme,
    c: () => { const button = one(".same .copy"); if (button) copy(button); },
  };
  const writes = (e) => e.matches?.("input, textarea, select, [contenteditable]");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    const box = event.target;
    if (writes(box)) {
      if (event.key === "Escape") box.blur();
      if (box.id === "where" && event.key === "Enter" && !event.shiftKey) { event.preventDefault(); box.form.requestSubmit(); }
      if (box.id === "where" && event.key === "ArrowDown" && !box.value.includes("\n")) { event.preventDefault(); step(1); }
      return;
    }
    const arrow = event.key.startsWith("Arrow");
    if (one("dialog[open]") && event.key !== "?") return;
    if (arrow && (event.shiftKey || rows().length === 0 || !(box === document.body || box.id === "main" || box.matches("a.row, #more a")))) return;
    const action = keys[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  // --- clicks
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button, summary");
    for (const menu of all("details.who[open], details.columns[open]")) { // a click elsewhere closes a menu
      if (!menu.contains(event.target)) menu.open = false;
    }
    if (!button) return;
    if (button.id === "theme") nextTheme();
    if (button.id === "keys") keys["?"]();
    if (button.dataset.copy !== undefined) copy(button);
    for (const [key, open] of [["unfold", true], ["fold", false]]) {
      if (button.dataset[key]) for (const d of all(`${button.dataset[key]} details`)) d.open = open;
    }
  });

  // On a small screen what a search finds would stand below the edge: the search goes up.
  document.addEventListener("focusin", (event) => {
    if (event.target.id === "q") event.target.closest(".head")?.scrollIntoView({ block: "start" });
  });

  // --- the filter box grows with its text where the style sheet cannot make it
  const grow = (box) => { if (box && !CSS.supports("field-sizing", "content")) box.rows = Math.min(12, box.value.split("\n").length); };
  document.addEventListener("input", (event) => { if (event.target.id === "where") grow(event.target); });

  // --- following the inventory: a hidden page follows nothing, for a browser has few connections to one server
  const live = document.body.dataset.live;
  let stream = null, stale = false, away = 0, version = "";
  const lost = (is) => { const p = one("#lost"); if (p) p.hidden = !is; };
  const busy = () => {
    const selection = getSelection();
    return one("#status .fault") || (selection && !selection.isCollapsed && one("#results, #state, #board, #live")?.contains(selection.anchorNode)) || one("details.columns[open]")
      || document.activeElement?.matches("#results input, #explain input, #board input, #live input, #live select, #live textarea");
  };
  const refresh = () => {
    const at = one("#refresher");
    if (!at || !window.htmx) return;
    if (busy()) { stale = true; return; }
    stale = false;
    htmx.trigger(at, "refresh");
  };
  const over = () => one("[data-over]"); // what the page follows has ended
  const listen = () => {
    if (!live || stream || document.hidden || over()) return;
    stream = new EventSource(live);
    stream.addEventListener("open", () => { if (away) refresh(); away = 0; lost(false); });
    stream.addEventListener("hello", (event) => { // another version of the server has other pages
      if (version && version !== event.data) location.reload();
      version = event.data;
    });
    stream.addEventListener("changed", refresh);
    stream.addEventListener("error", () => {
      if (over()) { stream?.close(); stream = null; return; }
      away += 1;
      if (stream.readyState === EventSource.CLOSED) { // refused: the refresh leads to the sign-in page, where that is why
        stream = null;
        refresh();
        setTimeout(listen, 5000);
      } else if (away > 1) lost(true); // once is a proxy that cut an old stream
    });
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { listen(); if (live) refresh(); return; }
    stream?.close();
    stream = null;
  });
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", listen);
  setInterval(() => { if (live && stream && !document.hidden) refresh(); }, 30000); // a beat changes nothing but when a node was seen
  document.addEventListener("selectionchange", () => { if (stale && !busy()) refresh(); });
  document.addEventListener("htmx:sendError", () => lost(true));
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) lost(false); });
  document.addEventListener("htmx:configRequest", (event) => { // what was drawn is drawn again, further pages too
    if (event.target.id !== "refresher") return;
    const shown = all("#results a.row").length;
    if (shown > 100) event.detail.parameters.limit = shown;
    if (one("#facts") && location.search) event.detail.parameters.q = "";
  });
  // Menus and lists that a person has opened stay open when the page is drawn anew.
  let open = [];
  document.addEventListener("htmx:beforeSwap", () => { open = ["details.split", "details.same"].filter((selector) => one(selector)?.open); });
  document.addEventListener("htmx:afterSwap", () => { for (const selector of open) { const d = one(selector); if (d) d.open = true; } });

  // --- times: by the server's clock, whatever this one says
  const skew = Date.now() - Date.parse(one("#lost time")?.dateTime ?? "") || 0;
  const ago = (ms) => {
    const s = Math.floor(ms / 1000);
    if (s < 2) return "now";
    if (s < 60) return `${s} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ago`;
    return `${Math.floor(s / 86400)} d ago`;
  };
  const tick = () => {
    if (document.hidden) return;
    for (const t of all("time:not([data-fixed])")) {
      const text = ago(Date.now() - skew - Date.parse(t.dateTime));
      if (t.textContent !== text) t.textContent = text;
    }
  };
  setInterval(tick, 5000);

  showTheme();
  grow(one("#where"));
  const box = one("[data-focus]");
  if (box && !matchMedia("(pointer: coarse)").matches && !location.hash && box.id === "where" && !box.value) box.focus();
})();
