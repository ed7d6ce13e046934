// The page for the night follows the server where scripts run. Without them it is as it was when it was loaded.
(() => {
  "use strict";
  let busy = false;
  const draw = async () => {
    if (busy || document.hidden || document.activeElement?.matches("button, input")) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) return;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const opened = new Map([...document.querySelectorAll("details.item")].map((d) => [d.id, d.open]));
      for (const d of next.querySelectorAll("details.item")) if (opened.has(d.id)) d.open = opened.get(d.id);
      const [from, to] = [document.querySelector("main"), next.querySelector("main")];
      if (to && !from.isEqualNode(to)) from.replaceChildren(...to.childNodes);
      document.title = next.title;
    } catch { /* the network is away: what is shown has its time beside it */ } finally { busy = false; }
  };
  let stream = null;
  const listen = () => {
    if (stream || document.hidden) return;
    stream = new EventSource("/changes");
    stream.addEventListener("changed", draw);
    stream.addEventListener("error", () => { if (stream?.readyState === EventSource.CLOSED) { stream = null; setTimeout(listen, 15000); } });
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { listen(); draw(); return; }
    stream?.close();
    stream = null;
  });
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", listen);
  setInterval(draw, 30000);
})();
