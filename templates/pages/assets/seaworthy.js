// Pages work without this. With it, lists and builds stay up to date, and a log grows while one looks.
"use strict";
const MOST_LINES = 20000; // More would make a browser slow; the whole log is a link away.

// Takes the element of this id from a fresh copy of the page; what is unfolded stays so.
async function refresh(id, address) {
  const answer = await fetch(address, { headers: { accept: "text/html" } });
  const old = document.getElementById(id);
  if (!answer.ok || answer.redirected || !old) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
  if (!fresh) return;
  for (const details of fresh.querySelectorAll("details[id]")) {
    const before = document.getElementById(details.id);
    if (before) details.open = before.open;
  }
  old.replaceWith(document.importNode(fresh, true));
  addCopyButtons();
}

// At most one refresh at a time, and one more if something happened meanwhile.
function refresher(id, address, pause) {
  let timer = 0, busy = false, again = false;
  const run = async () => {
    timer = 0;
    busy = true;
    try { await refresh(id, address()); } catch { /* the next event tries again */ }
    busy = false;
    if (again) { again = false; ask(); }
  };
  const ask = () => {
    if (busy) again = true;
    else timer ||= setTimeout(run, pause);
  };
  return ask;
}

function addCopyButtons() {
  if (!navigator.clipboard) return;
  for (const code of document.querySelectorAll("[data-copy]:not(:has(+ .copy))")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet copy";
    button.textContent = "Copy";
    button.onclick = () => navigator.clipboard.writeText(code.textContent).then(() => { button.textContent = "Copied"; });
    code.after(button);
  }
}

function liveList(list) {
  const ask = refresher(list.id, () => location.href, 200);
  const events = new EventSource(list.dataset.live);
  for (const kind of ["build", "promotion"]) events.addEventListener(kind, ask);
  events.addEventListener("resync", ask);
  events.onopen = ask;
  setInterval(ask, 30000); // Ages and durations grow; a lost event is made up for.
}

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function liveLog(log) {
  const page = new URL(location.href);
  page.searchParams.set("log", "none");
  page.hash = "";
  const ask = refresher("summary", () => page, 150);
  const titles = { checkout: "Checkout", unit_test: "Unit test", package: "Package", dockerfile: "Dockerfile", image: "Image", push: "Push" };
  let last = Number(log.dataset.last);
  let heading = [...log.querySelectorAll("h3")].pop()?.textContent;
  let pending = [];
  let timer = 0;
  const show = () => {
    timer = 0;
    const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    document.getElementById("no-lines")?.remove();
    log.append(...pending);
    pending = [];
    while (log.children.length > MOST_LINES) log.firstElementChild.remove();
    if (follow) log.scrollTop = log.scrollHeight;
  };
  const add = (made) => { pending.push(made); timer ||= setTimeout(show, 50); };
  const events = new EventSource(log.dataset.stream);
  events.addEventListener("line", (event) => {
    const line = JSON.parse(event.data);
    if (line.seq <= last) return;
    last = line.seq;
    const title = titles[line.stage] ?? "Worker";
    if (title !== heading) add(element("h3", "", heading = title));
    const row = element("div", "line");
    row.id = `L${line.seq}`;
    const number = element("a", "", line.seq);
    number.href = `#L${line.seq}`;
    const time = element("time", "", new Date(line.at).toISOString().slice(11, 19));
    const code = element("code");
    code.innerHTML = line.html; // Made safe by the service: escaped text and spans with fixed classes.
    row.append(number, time, code);
    add(row);
  });
  events.addEventListener("dropped", (event) => {
    const { first_seq, last_seq } = JSON.parse(event.data);
    if (last_seq <= last) return;
    last = last_seq;
    add(element("p", "dropped", `… ${(last_seq - first_seq + 1).toLocaleString("en")} lines dropped: the log was too long …`));
  });
  const tick = setInterval(ask, 3000);
  events.addEventListener("state", ask);
  events.addEventListener("stage", ask);
  events.addEventListener("end", () => { events.close(); clearInterval(tick); ask(); });
}

addCopyButtons();
const list = document.querySelector("[data-live]");
if (list) liveList(list);
const log = document.getElementById("log");
if (log) {
  const wanted = location.hash.match(/^#L(\d+)$/);
  const shown = wanted && document.getElementById(location.hash.slice(1));
  if (wanted && !shown && Number(wanted[1]) <= Number(log.dataset.cut)) location.replace(`?log=all${location.hash}`);
  else if (!wanted) log.scrollTop = log.scrollHeight;
  if (log.dataset.stream) liveLog(log);
}
