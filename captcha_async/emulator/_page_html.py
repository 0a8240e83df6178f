"""The document of the live page: style and script in one, nothing beside it."""

from __future__ import annotations

__all__ = ["PAGE"]

_STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1c2128; --dim: #5b6572; --line: #d9dee4;
  --card: #f6f8fa; --wait: #c9a227; --ok: #2c8a3d; --bad: #c8321a; --poll: #1f77b4; }
@media (prefers-color-scheme: dark) { :root { --back: #14181d; --text: #e6eaef; --dim: #9aa5b1;
  --line: #333b45; --card: #1c2229; --wait: #e3c04b; --ok: #6bd67f; --bad: #ff8069;
  --poll: #6cb6ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 1200px; background: var(--back);
  color: var(--text); font: 14px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.dim { color: var(--dim); } .bad { color: var(--bad); font-weight: 600; }
#link::before { content: "\\25CF  "; } #link.on { color: var(--ok); } #link { color: var(--bad); }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem .8rem; margin: .6rem 0; overflow-x: auto; }
#numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(96px, 1fr)); gap: .5rem; }
#numbers div { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .35rem .6rem; } #numbers b { display: block; font-size: 1.15rem; }
.row { display: grid; grid-template-columns: 14rem 1fr 10rem; gap: .6rem; align-items: center;
  border-bottom: 1px solid var(--line); padding: .1rem 0; }
.row > * { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
svg { width: 100%; height: 18px; display: block; }
.log { max-height: 22rem; overflow-y: auto; font: 12px/1.5 ui-monospace, monospace; }
.log div { white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 600px) { .row { grid-template-columns: 7rem 1fr 5.5rem; font-size: 12px; } }
"""

_BODY = """
<h1>captcha-async emulate <span id="service" class="dim"></span></h1>
<div id="link" class="dim">connecting</div>
<pre id="connect"></pre>
<div id="numbers"></div>
<h2>Tasks <span class="dim">the youngest first; a bar from creation to ready, a tick for each poll
</span></h2><div id="tasks"><p class="dim">none yet</p></div>
<h2>Rules broken</h2><div id="broken" class="log"><p class="dim">none</p></div>
<h2>Requests</h2><div id="requests" class="log"><p class="dim">none yet</p></div>
"""

_SCRIPT = """
"use strict";
const $ = id => document.getElementById(id);
const polls = new Map();     // task id -> moments of its polls
let tasks = [], offset = 0, about = {}, seen = 0;
function put(where, children) { $(where).replaceChildren(...children); }
function el(name, text, kind) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  return node;
}
function clock(at) {
  return new Date((at + offset) * 1000).toTimeString().slice(0, 8) +
    "." + String(Math.floor((at + offset) % 1 * 10));
}
function start(news) {
  about = news; seen = 0; polls.clear(); tasks = [];
  $("service").textContent = "plays " + news.service;
  $("connect").textContent = "export CAPTCHA_API_KEY=" + news.key + "\\nexport CAPTCHA_SERVICE=" +
    news.service + "\\nexport CAPTCHA_BASE_URL=" + location.origin +
    "\\n# polls of one task: at least " + news.gap + " s apart, at most " + news.polls;
  put("requests", []); put("broken", [el("p", "none", "dim")]);
}
function count(news) {
  const all = { ...news.numbers, balance: news.balance, spent: news.spent };
  put("numbers", Object.entries(all).map(([name, value]) => {
    const box = el("div"), bad = name === "rules broken" && value > 0;
    box.append(el("b", value, bad ? "bad" : ""), name);
    box.dataset.name = name;
    return box;
  }));
}
function log(request) {
  if (request.poll && request.id !== null) {
    const key = String(request.id);
    if (!polls.has(key)) polls.set(key, []);
    polls.get(key).push(request.at);
  }
  const what = request.type || (request.id === null ? "" : request.id);
  const text = [clock(request.at), request.method, what, request.status ?? "no reply",
    request.said ?? ""].join("  ");
  $("requests").prepend(el("div", text, request.broken.length ? "bad" : ""));
  for (const broken of request.broken) {
    if (!seen++) put("broken", []);
    $("broken").prepend(el("div", clock(request.at) + "  " + (request.id ?? "") + "  " + broken,
      "bad"));
  }
  for (const where of ["requests", "broken"])
    while ($(where).children.length > 300) $(where).lastChild.remove();
}
function shape(name, values) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
  return node;
}
function line(task, first, span, now) {
  const svg = shape("svg", { viewBox: "0 0 1000 18", preserveAspectRatio: "none" });
  const x = at => Math.max(0, Math.min(1000, (at - first) / span * 1000));
  const until = Math.min(task.ready ?? now, now);
  const colour = { processing: "--wait", failed: "--bad" }[task.status] || "--ok";
  svg.append(shape("rect", { x: x(task.created), y: 5, height: 8, rx: 2,
    width: Math.max(2, x(until) - x(task.created)), fill: `var(${colour})` }));
  for (const at of polls.get(String(task.id)) || [])
    svg.append(shape("line", { x1: x(at), x2: x(at), y1: 1, y2: 17, stroke: "var(--poll)",
      "stroke-width": 2, "vector-effect": "non-scaling-stroke" }));
  return svg;
}
function draw() {
  if (!tasks.length) return;
  const now = Date.now() / 1000 - offset, shown = tasks.slice(0, 40);
  const first = Math.min(...shown.map(task => task.created)), span = Math.max(now - first, 1);
  put("tasks", shown.map(task => {
    const row = el("div", undefined, "row");
    let state = task.error || task.status;
    if (task.callback) state += task.called === null ? ", to be called back" :
      task.called ? ", called back" : ", callback failed";
    const polled = task.polls === 1 ? "1 poll" : `${task.polls} polls`;
    state = el("span", `${polled}, ${state}`, task.status === "failed" ? "bad" : "dim");
    state.title = state.textContent;
    row.append(el("span", `${task.id} ${task.type}`), line(task, first, span, now), state);
    return row;
  }));
}
const source = new EventSource("_events");
source.onopen = () => { $("link").textContent = "live"; $("link").className = "on"; };
source.onerror = () => { $("link").textContent = "not connected"; $("link").className = ""; };
source.onmessage = message => {
  const news = JSON.parse(message.data);
  if (news.reset) return start(news);
  offset = Date.now() / 1000 - news.now;
  tasks = news.tasks;
  news.requests.forEach(log);
  for (const key of polls.keys()) if (polls.size > 2000) polls.delete(key); else break;
  count(news); draw();
};
setInterval(draw, 500);
"""

PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<link rel="icon" href="data:,"><title>captcha-async emulate</title>'
    f"<style>{_STYLE}</style></head><body>{_BODY}<script>{_SCRIPT}</script></body></html>\n"
)
