// The flat views: front and side on squared paper, and the pictures of the video.

const MIDDLE = "#969eaa";
const sideColour = (side, colours) => ({ l: colours.left, r: colours.right })[side] || MIDDLE;

class Flat {
  // right: horizontal unit vector (x, z) that points to the right of the picture; half: metres from middle to edge.
  constructor(canvas, motion, right, half) {
    Object.assign(this, { canvas, motion, right, half });
    this.spots = motion.names.map(() => [0, 0]);
  }

  draw(colours) {
    const { canvas, motion, right } = this;
    const pen = canvas.getContext("2d");
    const [width, height] = [canvas.width, canvas.height];
    const zoom = 0.45 * Math.min(width, height) / this.half;
    const middle = [motion.centre[0] * right[0] + motion.centre[1] * right[1], motion.middle];
    const at = (x, y) => [width / 2 + (x - middle[0]) * zoom, 0.535 * height - (y - middle[1]) * zoom];
    pen.clearRect(0, 0, width, height);
    this.paper(pen, middle, zoom, at, colours);
    const depth = [];
    this.spots.forEach((spot, n) => {
      const [x, y, z] = motion.pose.subarray(3 * n, 3 * n + 3);
      [spot[0], spot[1]] = at(x * right[0] + z * right[1], y);
      depth[n] = x * right[1] - z * right[0];  // increases away from the viewer
    });
    const thick = Math.max(2, Math.min(width, height) / 62);
    pen.lineCap = "round";
    const bones = motion.bones.map(([a, b, side]) => [depth[a] + depth[b], a, b, side]).sort((one, two) => two[0] - one[0]);
    for (const [, a, b, side] of bones) {
      pen.lineWidth = thick;
      pen.strokeStyle = sideColour(side, colours);
      pen.beginPath(); pen.moveTo(...this.spots[a]); pen.lineTo(...this.spots[b]); pen.stroke();
      this.dot(pen, a, thick, colours);
      this.dot(pen, b, thick, colours);
    }
  }

  dot(pen, joint, thick, colours) {
    const head = this.motion.names[joint] === "head";
    pen.fillStyle = sideColour(this.motion.sides[joint], colours);
    pen.beginPath(); pen.arc(...this.spots[joint], thick * (head ? 2.3 : 0.78), 0, 7); pen.fill();
    if (head) return;
    pen.fillStyle = colours.stage;
    pen.beginPath(); pen.arc(...this.spots[joint], thick * 0.36, 0, 7); pen.fill();
  }

  paper(pen, middle, zoom, at, colours) {
    const { width, height } = this.canvas;
    let cell = 0.5;
    while (this.half / cell > 5) cell *= 2;
    const edge = at(0, this.motion.floor)[1];
    pen.lineWidth = Math.max(1, width / 320);
    pen.strokeStyle = colours.line;
    pen.beginPath();
    const [wide, high] = [width / 2 / zoom, height / zoom];
    for (let k = Math.ceil((middle[0] - wide) / cell); k * cell < middle[0] + wide; k++) {
      const x = at(k * cell, 0)[0];
      pen.moveTo(x, 0); pen.lineTo(x, edge);
    }
    for (let k = 1; this.motion.floor + k * cell < middle[1] + high; k++) {
      const y = at(0, this.motion.floor + k * cell)[1];
      pen.moveTo(0, y); pen.lineTo(width, y);
    }
    pen.stroke();
    pen.fillStyle = colours.floor;
    pen.fillRect(0, edge, width, height);
    pen.strokeStyle = colours.grid;
    pen.beginPath(); pen.moveTo(0, edge); pen.lineTo(width, edge); pen.stroke();
  }
}

class Film {
  constructor(canvas, motion) {
    Object.assign(this, { canvas, motion, spots: [] });
  }

  draw() {
    const { canvas, motion } = this;
    const image = motion.film_image;
    if (!image || !image.complete || !image.naturalWidth) return;
    const zoom = Math.min(canvas.width / image.naturalWidth, canvas.height / image.naturalHeight);
    const [width, height] = [image.naturalWidth * zoom, image.naturalHeight * zoom];
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(image, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
  }
}
