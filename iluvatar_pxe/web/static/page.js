// Times that pass: <time class="since" datetime="…"> says how long ago that was.
(() => {
  const units = [["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const span = (seconds) => {
    for (const [unit, size] of units) {
      if (seconds >= size) {
        const count = Math.floor(seconds / size);
        return `${count} ${unit}${unit === "day" && count > 1 ? "s" : ""}`;
      }
    }
    return "0 s";
  };
  const ahead = Date.parse(document.querySelector("meta[name=now]")?.content) - Date.now() || 0;
  const tick = () => {
    for (const one of document.querySelectorAll("time.since")) {
      const words = span(Math.max(0, (Date.now() + ahead - Date.parse(one.dateTime)) / 1000));
      if (one.textContent !== words) one.textContent = words;
    }
  };
  setInterval(tick, 1000);
  document.addEventListener("htmx:afterSettle", tick);

  // What was unfolded stays so when its part of the page is replaced.
  const open = new Map();
  document.addEventListener("toggle", (event) => {
    if (event.target.id) open.set(event.target.id, event.target.open);
  }, true);
  document.addEventListener("htmx:load", (event) => {
    for (const one of event.target.querySelectorAll?.("details[id]") ?? []) {
      if (open.has(one.id)) one.open = open.get(one.id);
    }
  });
})();
