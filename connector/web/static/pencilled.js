// What a page gains where scripts run; without it everything works, and is only less up to date.
//
// - A <time data-deadline> (the seconds left when it was rendered) says how long there is still, and says so aloud an
//   hour, ten minutes and a minute before. One with data-left (a sentence with {} for how long) and data-over says
//   nothing else, and nothing aloud: there may be many of them on a page.
// - A region with data-state (an address) and data-version (the state it shows) asks there whether it is still so,
//   more and more rarely, for an hour at most, and only while it is looked at. What is new takes its place, unless
//   somebody has begun to fill in a form: then a button offers it.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const FIRST_PAUSE = 2 * SECOND, LONGEST_PAUSE = MINUTE, ENDS = HOUR;
const ALOUD = [HOUR, 10 * MINUTE, MINUTE];
const UNITS = [[DAY, "day"], [HOUR, "hour"], [MINUTE, "minute"], [SECOND, "second"]];

const loud = document.createElement("p");
loud.className = "unseen";
loud.setAttribute("role", "status");

function say(text) {
  loud.textContent = "";
  requestAnimationFrame(() => { loud.textContent = text; });
}

// Deadlines

const language = document.documentElement.lang || "en";
const words = new Intl.RelativeTimeFormat(language, { numeric: "always" });
let ticking;

function measured(left) {
  const [size, unit] = UNITS.find(([size]) => left >= 2 * size) ?? UNITS.at(-1);
  return [Math.floor(left / size), unit];
}

// How long, in the words of the page: a hold of 90 seconds has one minute left, as whoever rendered it counts.
function length(left) {
  const [number, unit] = left < 2 * MINUTE ? [Math.max(Math.floor(left / MINUTE), 1), "minute"] : measured(left);
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(number);
}

function tick() {
  clearTimeout(ticking);
  let next = Infinity;
  for (const time of document.querySelectorAll("time[data-deadline]")) {
    time.dataset.until ??= Date.now() + time.dataset.deadline * SECOND; // by the clock here, which may be wrong
    const left = time.dataset.until - Date.now();
    if (time.dataset.left) {
      time.textContent = left > 0 ? time.dataset.left.replace("{}", length(left)) : time.dataset.over;
      if (left > 0) next = Math.min(next, 5 * SECOND);
      continue;
    }
    const shown = time.querySelector(".left") ?? time.appendChild(document.createElement("span"));
    shown.className = "left";
    if (!(left > 0)) {
      shown.textContent = "";
      continue;
    }
    shown.textContent = ` (${words.format(...measured(left))})`;
    const passed = ALOUD.find((at) => left <= at && left > at - 5 * SECOND && time.dataset.said !== String(at));
    if (passed) {
      time.dataset.said = passed;
      say((time.closest("p") ?? time).textContent);
    }
    next = Math.min(next, left > 2 * MINUTE ? 5 * SECOND : SECOND);
  }
  if (next < Infinity) ticking = setTimeout(tick, next);
}

// What is new

let region, pause, version, newest, asking, ends, touched = false;

const fields = "input:not([type=hidden]), select, textarea";
const inUse = () => touched || region.contains(document.activeElement?.closest(fields) ?? null)
  || region.querySelector("details[open]") !== null;

function askLater() {
  clearTimeout(asking);
  if (document.hidden || Date.now() + pause > ends) return;
  asking = setTimeout(ask, pause);
  pause = Math.min(pause * 1.5, LONGEST_PAUSE);
}

async function ask() {
  try {
    const answer = await fetch(region.dataset.state, { headers: { "If-None-Match": `"${newest}"` }, redirect: "manual" });
    if (answer.status === 200) {
      newest = answer.headers.get("ETag")?.match(/"(.*)"/)?.[1]; // a proxy may have made a weak one of it
      pause = FIRST_PAUSE;
      if (newest !== version) await (inUse() ? offer() : show());
    } else if (answer.status !== 304 && answer.status < 500) {
      return; // it is not to be seen here any more; whoever uses the page next is told why
    }
  } catch {
    // Nobody answers at the moment: asked again later, and more rarely.
  }
  askLater();
}

async function show() {
  const answer = await fetch(location.href, { redirect: "error" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const latest = page.querySelector("[data-state]");
  if (!latest) return location.reload(); // there is nothing to wait for any more
  const focused = region.contains(document.activeElement) ? described(document.activeElement) : null;
  region.replaceWith(latest);
  region = latest;
  version = newest = latest.dataset.version;
  touched = false;
  document.title = page.title;
  tick();
  if (focused !== null) again(focused);
  say(region.dataset.shown);
}

// Where the focus was, so that it is there once more: the same link or button, else the beginning of the region.
const described = (element) => [element.localName, element.id, element.getAttribute("href"), element.textContent.trim()].join("|");

function again(focused) {
  const same = [...region.querySelectorAll("a[href], button, summary, [tabindex]")].find((one) => described(one) === focused);
  const target = same ?? region.querySelector("h1, h2") ?? region;
  if (!same) target.tabIndex = -1;
  target.focus({ preventScroll: true });
}

function offer() {
  if (document.querySelector(".fresh")) return;
  const bar = document.createElement("div");
  bar.className = "fresh";
  bar.setAttribute("role", "status");
  const text = document.createElement("p");
  text.textContent = region.dataset.changed;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "small";
  button.textContent = region.dataset.show;
  button.addEventListener("click", () => { bar.remove(); show().catch(() => location.reload()); });
  bar.append(text, button);
  region.after(bar);
}

function begin() {
  document.body.append(loud);
  tick();
  region = document.querySelector("[data-state]");
  if (!region) return;
  version = newest = region.dataset.version;
  pause = FIRST_PAUSE;
  ends = Date.now() + ENDS;
  document.addEventListener("input", (event) => { touched ||= region.contains(event.target); });
  document.addEventListener("submit", () => { clearTimeout(asking); ends = 0; });
  document.addEventListener("visibilitychange", () => {
    clearTimeout(asking);
    if (!document.hidden) {
      tick();
      pause = FIRST_PAUSE;
      if (Date.now() < ends) ask();
    }
  });
  askLater();
}

begin();
