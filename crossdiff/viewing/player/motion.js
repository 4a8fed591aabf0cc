"use strict";
// One motion: its points over time, and data shared by its pictures.

const page = JSON.parse(document.getElementById("motions").textContent);

const numbers = (text) => {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let n = 0; n < bytes.length; n++) bytes[n] = letters.charCodeAt(n);
  return new Float32Array(bytes.buffer);
};

class Motion {
  // data: from crossdiff.viewing.player.data. Points are in metres, Y up; the joints come first.
  constructor(data) {
    Object.assign(this, data);
    this.points = numbers(data.points);
    this.path = numbers(data.path);
    this.last = this.path.length / 2 - 1;
    this.width = this.points.length / (this.last + 1);
    this.pose = new Float32Array(this.width);
    this.films = (data.film || []).map((source) => { const image = new Image(); image.src = source; return image; });
  }

  // Writes the pose at a time (seconds), interpolated between frames, to `pose`; after its end a motion holds.
  to(seconds) {
    const place = Math.min(Math.max(seconds * this.fps, 0), this.last);
    this.frame = Math.min(Math.floor(place + 1e-4), this.last);
    const next = Math.min(this.frame + 1, this.last);
    const share = Math.max(place - this.frame, 0);
    const [a, b] = [this.frame * this.width, next * this.width];
    for (let n = 0; n < this.width; n++) this.pose[n] = (1 - share) * this.points[a + n] + share * this.points[b + n];
    this.centre = [0, 1].map((n) => (1 - share) * this.path[2 * this.frame + n] + share * this.path[2 * next + n]);
    this.place = place;
  }

  // Index of the prompt in a row whose turn it is.
  get part() {
    let end = 0;
    const part = this.parts.findIndex((frames) => this.frame < (end += frames));
    return part < 0 ? this.parts.length - 1 : part;
  }

  get film_image() {
    return this.films.length ? this.films[this.film_of[this.frame]] : null;
  }
}

// The page's current colours, light or dark.
const pageColours = () => {
  const style = getComputedStyle(document.documentElement);
  const read = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["stage", "floor", "grid", "trail", "left", "right", "soft", "line", "card"];
  return { ...Object.fromEntries(names.map((name) => [name, read(name)])), shadow: Number(read("shadow")) };
};
