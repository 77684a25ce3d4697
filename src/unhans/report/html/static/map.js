// The map of a class: a canvas, as thousands of samples would be too many elements.

const REACH = 24; // pixels from a point within which it is meant
const EDGE = 14; // pixels that stay free around the points

function scatterMap(canvas, chosen) {
  let data = null;
  let members = new Set();
  let points = [];
  let current = null;

  function show(part, pictured) {
    data = { x: part.map.x, y: part.map.y, split: part.samples.split, pictured };
    current = null;
    place();
  }

  function place() {
    if (!data || !canvas.clientWidth) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0); // a spread would be too many
    const spread = [largest(data.x), largest(data.y)];
    const scale = Math.min((width - 2 * EDGE) / (spread[0] || 1), (height - 2 * EDGE) / (spread[1] || 1));
    const start = [(width - scale * spread[0]) / 2, (height - scale * spread[1]) / 2];
    points = data.x.map((x, i) => [start[0] + scale * x, height - start[1] - scale * data.y[i]]);
    draw();
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(name).trim();
    context.scale(ratio, ratio);
    const radius = points.length > 3000 ? 2.5 : points.length > 400 ? 3.5 : 4.5;
    for (const inside of [false, true]) {
      context.fillStyle = colour(inside ? "--alarm" : "--rest");
      context.strokeStyle = colour("--ink");
      points.forEach((point, i) => members.has(i) === inside && dot(context, point, i, radius));
    }
    if (current !== null) ring(context, points[current], radius + 4, colour("--ink"));
  }

  function dot(context, [x, y], i, radius) {
    context.beginPath();
    if (data.split?.[i]) triangle(context, x, y, 1.25 * radius);
    else context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
    if (data.pictured(i)) context.stroke();
  }

  function ring(context, [x, y], radius, colour) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.strokeStyle = colour;
    context.stroke();
  }

  function select(i) {
    if (i === current) return;
    current = i;
    draw();
    if (i !== null) chosen(i);
  }

  /** The point with the smallest cost, or null where every cost is infinite. */
  function cheapest(cost) {
    let [best, least] = [null, Infinity];
    points.forEach((point, i) => {
      const own = cost(point, i);
      if (own < least) [best, least] = [i, own];
    });
    return best;
  }

  function under({ offsetX, offsetY }) {
    return cheapest(([x, y]) => {
      const distance = Math.hypot(x - offsetX, y - offsetY);
      return distance <= REACH ? distance : Infinity;
    });
  }

  function step(dx, dy) {
    const [fromX, fromY] = points[current ?? 0];
    return cheapest(([x, y], i) => {
      const along = dx * (x - fromX) + dy * (y - fromY);
      const aside = Math.abs(dy * (x - fromX)) + Math.abs(dx * (y - fromY));
      return i === current || along <= 0 ? Infinity : along + 2 * aside;
    });
  }

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const meant = (event) => select(under(event) ?? current);
  canvas.addEventListener("pointermove", meant);
  canvas.addEventListener("pointerdown", meant);
  canvas.addEventListener("keydown", (event) => {
    if (!ARROWS[event.key]) return;
    event.preventDefault();
    select(current === null ? ([...members][0] ?? 0) : (step(...ARROWS[event.key]) ?? current));
  });
  new ResizeObserver(place).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", place);

  const mark = (chosenMembers) => {
    members = new Set(chosenMembers);
    place();
  };
  return { show, mark, select };
}

function triangle(context, x, y, radius) {
  context.moveTo(x, y - radius);
  context.lineTo(x + radius, y + 0.8 * radius);
  context.lineTo(x - radius, y + 0.8 * radius);
  context.closePath();
}
