"""The floor on the page: a path drawn with mouse or finger becomes points in a text field, and typed points a line."""

from __future__ import annotations

# Metres from the middle of the pad to its edge.
_HALF = 4
# Metres between drawn points.
_APART = 0.15

FIELD = "floor-path"

_LINES = "".join(
    f'<path d="M{at} -{_HALF}V{_HALF}M-{_HALF} {at}H{_HALF}" class="{"axis" if at == 0 else "grid"}"/>'
    for at in range(1 - _HALF, _HALF)
)
# Seen from above: ahead (Z) is up, the person's left (X) is left.
PAD = (
    f'<svg class="pad" viewBox="-{_HALF} -{_HALF} {2 * _HALF} {2 * _HALF}" role="img" '
    f'aria-label="Floor from above, {2 * _HALF} by {2 * _HALF} metres: draw a path">{_LINES}'
    '<path d="M-0.12 0.1L0 -0.18L0.12 0.1Z" class="person"/><polyline points="" class="drawn"/></svg>'
)

STYLE = """
.pad { display: block; width: 100%; max-width: 26rem; aspect-ratio: 1; margin: auto; touch-action: none;
  cursor: crosshair; border: 1px solid var(--border-color-primary); border-radius: 0.5rem;
  background: var(--background-fill-primary); }
.pad .grid, .pad .axis { stroke: var(--border-color-primary); stroke-width: 0.015; fill: none; }
.pad .axis { stroke-width: 0.04; }
.pad .person { fill: var(--body-text-color-subdued); }
.pad .drawn { fill: none; stroke: var(--primary-600); stroke-width: 0.08; stroke-linejoin: round;
  stroke-linecap: round; }
.timeline { display: flex; gap: 2px; width: 100%; overflow: hidden; border-radius: 0.4rem; }
.timeline span { flex: 1 1 0; min-width: 0; padding: 0.3rem 0.5rem; overflow: hidden; white-space: nowrap;
  text-overflow: ellipsis; font-size: 0.8rem; background: var(--primary-100); color: var(--primary-900); }
.timeline small { opacity: 0.8; }
"""

# `element` is the component's own.
SCRIPT = f"""
const svg = element.querySelector("svg"), line = svg.querySelector(".drawn");
const field = () => document.querySelector("#{FIELD} textarea, #{FIELD} input");
const show = () => {{
  const points = field().value.trim().split(/\\s+/).map((point) => point.split(",").map(Number));
  const fit = points.filter((point) => point.length === 2 && point.every(Number.isFinite));
  line.setAttribute("points", fit.map(([x, z]) => `${{-x}},${{-z}}`).join(" "));
}};
let drawn = null;
const add = (event) => {{
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  const [x, z] = [-at.x, -at.y].map((value) => Math.max(-{_HALF}, Math.min({_HALF}, value)));
  const last = drawn[drawn.length - 1];
  if (!last || Math.hypot(x - last[0], z - last[1]) >= {_APART}) drawn.push([x, z]);
  const input = field();
  input.value = drawn.map((point) => point.map((value) => value.toFixed(2)).join(",")).join(" ");
  input.dispatchEvent(new Event("input", {{ bubbles: true }}));
  show();
}};
svg.addEventListener("pointerdown", (event) => {{ drawn = []; svg.setPointerCapture(event.pointerId); add(event); }});
svg.addEventListener("pointermove", (event) => {{ if (drawn) add(event); }});
for (const end of ["pointerup", "pointercancel"]) svg.addEventListener(end, () => {{ drawn = null; }});
document.addEventListener("input", (event) => {{ if (event.target === field()) show(); }});
"""
