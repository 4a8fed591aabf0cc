// The shared timeline: playing, scrubbing, turning, and names under the pointer.

const motions = page.motions.map((data) => new Motion(data));
const fps = Math.max(...motions.map((motion) => motion.fps));
const seconds = Math.max(...motions.map((motion) => motion.last / motion.fps));
const lastFrame = Math.round(seconds * fps);
const byId = (id) => document.getElementById(id);
const orbit = { turn: 0, lift: 0, zoom: 1, follow: true };
const state = { time: 0, playing: false, speed: 1, loop: true, hovered: null, stale: true, before: null };
const HOLD = 0.5;  // seconds that the last pose is held before the loop restarts
let colours = pageColours();

const makePainter = () => {
  // Checked first, because three.js logs an error without WebGL.
  const probe = document.createElement("canvas");
  if (!(probe.getContext("webgl2") || probe.getContext("webgl"))) return null;
  return new Painter();
};
const painter = makePainter();
byId("no-webgl").hidden = painter !== null;

const distance = Math.max(...motions.map((motion) => motion.distance));
const half = Math.max(...motions.map((motion) => motion.half));
const cards = [...document.querySelectorAll(".card")].map((card, n) => {
  const motion = motions[n];
  const flats = [...card.querySelectorAll(".drawn")].map((canvas, k) => new Flat(canvas, motion, motion.flat[k], half));
  const films = [...card.querySelectorAll(".film")].map((canvas) => new Film(canvas, motion));
  const stage = painter && new Stage(card.querySelector(".stage canvas"), motion, distance);
  if (stage) stage.paint(colours);
  for (const image of motion.films) image.addEventListener("load", () => { state.stale = true; });
  const parts = [...card.querySelectorAll(".parts li")];
  return { card, motion, flats: [...flats, ...films], stage, parts, seen: true };
});

const draw = () => {
  for (const { motion, flats, stage, parts, seen } of cards) {
    if (!seen) continue;
    motion.to(state.time);
    parts.forEach((part, n) => part.classList.toggle("now", n === motion.part));
    for (const flat of flats) flat.draw(colours);
    if (stage) painter.draw(stage, orbit, state.hovered && state.hovered.motion === motion ? state.hovered.joint : null);
  }
  const frame = Math.min(Math.floor(state.time * fps + 1e-4), lastFrame);
  byId("scrub").value = frame;
  byId("time").textContent = `${(frame / fps).toFixed(2)} / ${seconds.toFixed(2)} s · frame ${frame}`;
};

const tick = (now) => {
  if (state.playing) {
    const passed = state.before === null ? 0 : Math.min((now - state.before) / 1000, 0.25);
    state.time += passed * state.speed;
    if (state.time > seconds && !state.loop) pause(seconds);
    else if (state.time > seconds + HOLD) state.time = 0;
    state.stale = true;
  }
  state.before = now;
  if (state.stale) { state.stale = false; draw(); }
  requestAnimationFrame(tick);
};

const setPlaying = (playing) => {
  state.playing = playing;
  document.body.classList.toggle("playing", playing);
  byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
};
const pause = (time) => {
  setPlaying(false);
  state.time = Math.min(Math.max(time, 0), seconds);
  state.stale = true;
};
const toFrame = (frame) => pause(Math.min(Math.max(frame, 0), lastFrame) / fps);
const step = (by) => toFrame(Math.min(Math.floor(state.time * fps + 1e-4), lastFrame) + by);
const toggle = () => {
  if (state.playing) return pause(Math.floor(state.time * fps + 1e-4) / fps);
  if (state.time >= seconds) state.time = 0;
  setPlaying(true);
};
const resetView = () => { Object.assign(orbit, { turn: 0, lift: 0, zoom: 1 }); state.stale = true; };

byId("scrub").max = lastFrame;
byId("play").addEventListener("click", toggle);
byId("back").addEventListener("click", () => step(-1));
byId("ahead").addEventListener("click", () => step(1));
byId("scrub").addEventListener("input", (event) => toFrame(Number(event.target.value)));
byId("speed").addEventListener("change", (event) => { state.speed = Number(event.target.value); });
byId("loop").addEventListener("change", (event) => { state.loop = event.target.checked; });
byId("follow").addEventListener("change", (event) => { orbit.follow = event.target.checked; state.stale = true; });
byId("reset").addEventListener("click", resetView);
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
  if (event.key === " " && event.target.tagName === "BUTTON") return;  // the key presses the button
  const actions = { " ": toggle, ArrowLeft: () => step(-1), ArrowRight: () => step(1), Home: () => toFrame(0), End: () => toFrame(lastFrame) };
  if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
});

// Rotating with a mouse or one finger, zooming with the wheel or two fingers.
const turnWith = (canvas) => {
  const fingers = new Map();
  const gap = () => { const [a, b] = [...fingers.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  const zoomBy = (share) => { orbit.zoom = Math.min(Math.max(orbit.zoom * share, 0.3), 6); state.stale = true; };
  canvas.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const finger = fingers.get(event.pointerId);
    if (!finger) return;
    const before = fingers.size === 2 ? gap() : 0;
    const [dx, dy] = [event.clientX - finger.x, event.clientY - finger.y];
    Object.assign(finger, { x: event.clientX, y: event.clientY });
    if (fingers.size === 2) zoomBy(gap() / Math.max(before, 1));
    else if (fingers.size === 1) { orbit.turn -= 0.008 * dx; orbit.lift = Math.min(Math.max(orbit.lift + 0.006 * dy, -0.5), 1.4); }
    state.stale = true;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoomBy(Math.exp(-0.0015 * event.deltaY)); }, { passive: false });
  canvas.addEventListener("dblclick", resetView);
};

const tip = document.body.appendChild(Object.assign(document.createElement("div"), { className: "tip", hidden: true }));
const nameUnder = (canvas, view, motion) => {
  const show = (event) => {
    const box = canvas.getBoundingClientRect();
    const zoom = canvas.width / box.width;
    const reach = (event.pointerType === "touch" ? 28 : 16) * zoom;
    let [nearest, joint] = [reach, null];
    view.spots.forEach(([x, y], n) => {
      const away = Math.hypot(x - (event.clientX - box.left) * zoom, y - (event.clientY - box.top) * zoom);
      if (away < nearest) [nearest, joint] = [away, n];
    });
    const found = joint !== null && !(event.buttons && event.type === "pointermove");
    tip.hidden = !found;
    state.hovered = found ? { motion, joint } : null;
    state.stale = true;
    if (!found) return;
    tip.textContent = motion.names[joint];
    const middle = box.left + view.spots[joint][0] / zoom;
    tip.style.left = `${Math.min(Math.max(middle, 48), innerWidth - 48)}px`;
    tip.style.top = `${Math.max(box.top + view.spots[joint][1] / zoom, 36)}px`;
  };
  const hide = () => { tip.hidden = true; state.hovered = null; state.stale = true; };
  for (const kind of ["pointermove", "pointerup"]) canvas.addEventListener(kind, show);
  canvas.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hide(); });
  addEventListener("scroll", hide, { passive: true });
};

const fit = (canvas) => {
  const dots = Math.min(devicePixelRatio || 1, 2);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((side) => Math.max(Math.round(side * dots), 1));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  state.stale = true;
};
const sizes = new ResizeObserver((entries) => { entries.forEach((entry) => fit(entry.target)); draw(); });
const sight = new IntersectionObserver((entries) => entries.forEach((entry) => {
  const card = cards.find((one) => one.card === entry.target);
  card.seen = entry.isIntersecting;
  state.stale = true;
}), { rootMargin: "100px" });
for (const { card, motion, flats, stage } of cards) {
  for (const view of stage ? [stage, ...flats] : flats) { fit(view.canvas); sizes.observe(view.canvas); nameUnder(view.canvas, view, motion); }
  if (stage) turnWith(stage.canvas);
  sight.observe(card);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = pageColours();
  for (const { stage } of cards) if (stage) stage.paint(colours);
  state.stale = true;
});

// `#frame=N` opens the page paused at that frame; it is also paused if reduced motion is preferred.
const fromAddress = () => {
  const asked = /^#frame=(\d+)$/.exec(location.hash);
  if (asked) toFrame(Number(asked[1]));
  return asked !== null;
};
addEventListener("hashchange", fromAddress);
if (!fromAddress() && !matchMedia("(prefers-reduced-motion: reduce)").matches) setPlaying(true);
requestAnimationFrame(tick);
