// The figure in space, with three.js: capsules on a fading floor, a soft shadow, the path of the root.

const FIELD = 2 * Math.atan(0.5 / page.focal) * 180 / Math.PI;

const SHADOW_DOTS = 128;

const FLOOR_VERTEX = `
varying vec2 place;
void main() {
  vec4 world = modelMatrix * vec4(position, 1.0);
  place = world.xz;
  gl_Position = projectionMatrix * viewMatrix * world;
}`;
const FLOOR_FRAGMENT = `
varying vec2 place;
uniform vec2 centre;
uniform float reach, cell;
uniform vec3 floorColour, gridColour;
float line(float x) {
  float width = fwidth(x / cell);
  return (1.0 - smoothstep(0.4, 1.4, abs(fract(x / cell - 0.5) - 0.5) / width)) * min(1.0, 0.35 / width);
}
void main() {
  float near = clamp(1.0 - distance(place, centre) / reach, 0.0, 1.0);
  float fade = near * near * (3.0 - 2.0 * near);
  gl_FragColor = vec4(mix(floorColour, gridColour, max(line(place.x), line(place.y))), fade);
}`;

const linear = (colour) => new THREE.Color(colour).convertSRGBToLinear();

class Stage {
  constructor(canvas, motion, distance) {
    Object.assign(this, { canvas, motion, distance });
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(FIELD, 1, 0.05, 400);
    this.spots = motion.names.map(() => [0, 0]);
    this.light();
    this.floor();
    this.trail();
    this.wanted();
    this.figure();
  }

  light() {
    this.scene.add(new THREE.HemisphereLight(0xffffff, 0xa2a9b6, 0.88));
    this.sun = new THREE.DirectionalLight(0xffffff, 0.5);
    this.scene.add(this.sun, this.sun.target);
  }

  floor() {
    const reach = 0.8 * this.distance;
    let cell = 0.5;
    while (reach / cell > 16) cell *= 2;
    const lying = (size, material, above, order) => {
      const mesh = new THREE.Mesh(new THREE.PlaneGeometry(size, size), material);
      mesh.rotation.x = -Math.PI / 2;
      mesh.position.y = this.motion.floor + above;
      mesh.renderOrder = order;
      this.scene.add(mesh);
      return mesh;
    };
    const uniforms = {
      centre: { value: new THREE.Vector2() }, reach: { value: reach }, cell: { value: cell },
      floorColour: { value: new THREE.Color() }, gridColour: { value: new THREE.Color() },
    };
    this.ground = lying(2 * reach, new THREE.ShaderMaterial({
      uniforms, vertexShader: FLOOR_VERTEX, fragmentShader: FLOOR_FRAGMENT, transparent: true, depthWrite: false,
      side: THREE.DoubleSide, extensions: { derivatives: true },
    }), 0, 0);
    this.shadow = Object.assign(document.createElement("canvas"), { width: SHADOW_DOTS, height: SHADOW_DOTS });
    this.shadow_wide = 3.4 * this.motion.scale;
    this.shade = lying(this.shadow_wide, new THREE.MeshBasicMaterial({
      color: 0x000000, alphaMap: new THREE.CanvasTexture(this.shadow), transparent: true, depthWrite: false,
    }), 0.002, 2);
  }

  // The shadow of a light from above, drawn flat on the floor as in the videos: it fades with height. A shadow map
  // needs a second pass, which is too slow in browsers without a graphics card.
  cast() {
    const { motion, shadow } = this;
    const pen = shadow.getContext("2d");
    const zoom = SHADOW_DOTS / this.shadow_wide;
    const ground = (n) => {
      const [x, y, z] = motion.pose.subarray(3 * n, 3 * n + 3);
      const high = Math.max(y - motion.floor, 0);
      const aside = 0.16 * high;
      const [east, south] = [x - motion.centre[0] + aside * Math.cos(motion.azimuth), z - motion.centre[1] - aside * Math.sin(motion.azimuth)];
      return [SHADOW_DOTS / 2 + zoom * east, SHADOW_DOTS / 2 + zoom * south, high];
    };
    pen.globalCompositeOperation = "source-over";
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, SHADOW_DOTS, SHADOW_DOTS);
    pen.globalCompositeOperation = "lighten";
    pen.lineCap = "round";
    pen.shadowBlur = 0.09 * zoom;
    for (const [a, b, start, end] of motion.limbs) {
      const [from, to] = [ground(a), ground(b)];
      const light = Math.round(255 * Math.exp(-0.375 * (from[2] + to[2])));
      pen.strokeStyle = pen.shadowColor = `rgb(${light}, ${light}, ${light})`;
      pen.lineWidth = zoom * (start + end) * 0.9;
      pen.beginPath(); pen.moveTo(from[0], from[1]); pen.lineTo(to[0] + 0.01, to[1]); pen.stroke();
    }
    this.shade.material.alphaMap.needsUpdate = true;
  }

  // A ribbon on the floor under the root: faint over the whole path, stronger up to the current frame.
  trail() {
    const { points, width, last, floor, scale } = this.motion;
    const places = new Float32Array(6 * (last + 1));
    let [x, z, ux, uz] = [0, 0, 1, 0];
    for (let n = 0; n <= last; n++) {
      const [a, b] = [Math.max(n - 1, 0), Math.min(n + 1, last)].map((k) => k * width);
      const [dx, dz] = [points[b] - points[a], points[b + 2] - points[a + 2]];
      const long = Math.hypot(dx, dz);
      if (long > 1e-4) [ux, uz] = [-dz / long, dx / long];
      [x, z] = [points[n * width], points[n * width + 2]];
      const half = 0.016 * scale;
      places.set([x + half * ux, floor + 0.001, z + half * uz, x - half * ux, floor + 0.001, z - half * uz], 6 * n);
    }
    const order = [];
    for (let n = 0; n < last; n++) order.push(2 * n, 2 * n + 1, 2 * n + 2, 2 * n + 2, 2 * n + 1, 2 * n + 3);
    this.ribbons = [0.28, 0.9].map((opacity) => {
      const shape = new THREE.BufferGeometry();
      shape.setAttribute("position", new THREE.BufferAttribute(places, 3));
      shape.setIndex(order);
      const look = new THREE.MeshBasicMaterial({ transparent: true, opacity, depthWrite: false, side: THREE.DoubleSide });
      const mesh = new THREE.Mesh(shape, look);
      mesh.renderOrder = 1;
      mesh.frustumCulled = false;
      this.scene.add(mesh);
      return mesh;
    });
  }

  // The path that the motion was to follow: a dashed line on the floor.
  wanted() {
    const { wanted, floor } = this.motion;
    if (!wanted) return;
    const shape = new THREE.BufferGeometry().setFromPoints(wanted.map(([x, z]) => new THREE.Vector3(x, floor + 0.003, z)));
    this.dashes = new THREE.Line(shape, new THREE.LineDashedMaterial({ dashSize: 0.12, gapSize: 0.08, transparent: true, depthWrite: false }));
    this.dashes.computeLineDistances();
    this.dashes.renderOrder = 1;
    this.dashes.frustumCulled = false;
    this.scene.add(this.dashes);
  }

  figure() {
    const looks = { l: 0, r: 0, m: 0 };
    for (const side of Object.keys(looks)) looks[side] = new THREE.MeshStandardMaterial({ roughness: 0.6, metalness: 0 });
    this.looks = looks;
    const add = (shape, look) => {
      const mesh = new THREE.Mesh(shape, look);
      mesh.frustumCulled = false;
      this.scene.add(mesh);
      return mesh;
    };
    const balls = new Map();  // shared by neighbouring capsules of one size
    this.limbs = this.motion.limbs.map(([a, b, wide, rb, side]) => {
      // Limbs start slightly thinner than the trunk's ball, to avoid flickering.
      const ra = side === "m" ? wide : 0.965 * wide;
      for (const [joint, radius] of [[a, ra], [b, rb]]) {
        const key = `${joint} ${radius.toFixed(3)} ${side}`;
        if (!balls.has(key)) balls.set(key, { joint, mesh: add(new THREE.SphereGeometry(radius, 22, 15), looks[side]) });
      }
      return { a, b, tube: add(new THREE.CylinderGeometry(rb, ra, 1, 22, 1, true), looks[side]) };
    });
    this.balls = [...balls.values()];
    this.mark = new THREE.Mesh(new THREE.SphereGeometry(0.03 * this.motion.scale, 20, 14), new THREE.MeshBasicMaterial({ color: 0xffffff, depthTest: false, transparent: true, opacity: 0.9 }));
    this.mark.renderOrder = 3;
    this.scene.add(this.mark);
    this.up = new THREE.Vector3(0, 1, 0);
  }

  paint(colours) {
    this.looks.l.color.copy(linear(colours.left));
    this.looks.r.color.copy(linear(colours.right));
    this.looks.m.color.copy(linear(MIDDLE));
    this.ground.material.uniforms.floorColour.value.set(colours.floor);
    this.ground.material.uniforms.gridColour.value.set(colours.grid);
    this.shade.material.opacity = colours.shadow;
    for (const ribbon of this.ribbons) ribbon.material.color.copy(linear(colours.trail));
    if (this.dashes) this.dashes.material.color.copy(linear(colours.soft));
  }

  pose(hovered) {
    const point = (n) => new THREE.Vector3().fromArray(this.motion.pose, 3 * n);
    for (const { joint, mesh } of this.balls) mesh.position.copy(point(joint));
    for (const { a, b, tube } of this.limbs) {
      const [from, to] = [point(a), point(b)];
      const along = to.clone().sub(from);
      const long = Math.max(along.length(), 1e-5);
      tube.position.copy(from).lerp(to, 0.5);
      tube.scale.set(1, long, 1);
      tube.quaternion.setFromUnitVectors(this.up, along.divideScalar(long));
    }
    this.mark.visible = hovered !== null;
    if (hovered !== null) this.mark.position.copy(point(hovered));
    this.ribbons[1].geometry.setDrawRange(0, 6 * Math.round(this.motion.place));
  }

  // orbit: azimuth and elevation in radians relative to the first view, zoom, and whether the camera follows.
  look(orbit) {
    const { motion, camera } = this;
    const aspect = this.canvas.width / this.canvas.height;
    const [x, z] = orbit.follow ? motion.centre : motion.path_middle;
    const target = new THREE.Vector3(x, motion.height, z);
    const turn = motion.azimuth + orbit.turn;
    const lift = Math.min(Math.max(motion.elevation + orbit.lift, -0.1), 1.5);
    const away = (orbit.follow ? this.distance : this.distance + motion.spread) / Math.min(aspect, 1) / orbit.zoom;
    camera.aspect = aspect;
    camera.position.set(Math.cos(lift) * Math.sin(turn), Math.sin(lift), Math.cos(lift) * Math.cos(turn));
    camera.position.multiplyScalar(away).add(target);
    camera.lookAt(target);
    camera.updateProjectionMatrix();
    camera.updateMatrixWorld();
    const root = motion.centre;
    this.ground.position.set(x, motion.floor, z);
    this.ground.scale.setScalar(Math.max(1, away / this.distance));
    this.ground.material.uniforms.centre.value.set(x, z);
    this.ground.material.uniforms.reach.value = 0.8 * Math.max(away, this.distance);
    this.shade.position.set(root[0], motion.floor + 0.002, root[1]);
    // The light comes from the upper left of the first view.
    const from = motion.azimuth - 0.75;
    this.sun.target.position.set(root[0], motion.height, root[1]);
    this.sun.position.set(0.6 * Math.sin(from), 2, 0.6 * Math.cos(from)).multiplyScalar(2 * motion.scale).add(this.sun.target.position);
  }

  // Positions of the joints in the picture, for names under the pointer.
  locate() {
    const seen = new THREE.Vector3();
    this.spots.forEach((spot, n) => {
      seen.fromArray(this.motion.pose, 3 * n).project(this.camera);
      spot[0] = (0.5 + seen.x / 2) * this.canvas.width;
      spot[1] = (0.5 - seen.y / 2) * this.canvas.height;
    });
  }
}

// One WebGL context for all figures: browsers allow only a few. Each is drawn in a corner and copied to its canvas.
class Painter {
  constructor() {
    this.renderer = new THREE.WebGLRenderer({ antialias: true, alpha: true });
    this.renderer.outputEncoding = THREE.sRGBEncoding;
    this.renderer.setScissorTest(true);
    this.size = [0, 0];
  }

  draw(stage, orbit, hovered) {
    const { renderer, size } = this;
    const { canvas } = stage;
    if (canvas.width > size[0] || canvas.height > size[1]) {
      this.size = [Math.max(size[0], canvas.width), Math.max(size[1], canvas.height)];
      renderer.setSize(...this.size, false);
    }
    stage.pose(hovered);
    stage.cast();
    stage.look(orbit);
    stage.locate();
    renderer.setViewport(0, 0, canvas.width, canvas.height);
    renderer.setScissor(0, 0, canvas.width, canvas.height);
    renderer.render(stage.scene, stage.camera);
    const pen = canvas.getContext("2d");
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(renderer.domElement, 0, this.size[1] - canvas.height, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
  }
}
