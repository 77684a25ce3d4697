// The thumbnails of a class, tiles of one picture.

function spriteOf(part) {
  const { jpeg, tile, step, columns, rows, samples } = part.sprite;
  const bytes = Uint8Array.from(atob(jpeg), (letter) => letter.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  const places = new Map(samples.map((sample, i) => [sample, 2 * i]));
  const whole = [columns * step[0], rows * step[1]];
  const share = (offset, axis) => (whole[axis] === tile[axis] ? 0 : (100 * offset) / (whole[axis] - tile[axis]));

  /** One tile as an element as wide as its container. */
  function show(number, text) {
    const x = share((number % columns) * step[0], 0);
    const y = share(Math.floor(number / columns) * step[1], 1);
    return make("span", { class: "tile", role: "img", "aria-label": text, style: { "background-position": `${x}% ${y}%` } });
  }

  /** Let a container's tiles be cut from this picture. */
  function dress(container) {
    container.style.setProperty("--sheet", `url(${url})`);
    container.style.setProperty("--sheet-size", `${(100 * whole[0]) / tile[0]}% ${(100 * whole[1]) / tile[1]}%`);
    container.style.setProperty("--shape", `${tile[0]} / ${tile[1]}`);
    container.classList.toggle("pixels", Math.max(...tile) <= 40);
  }

  return {
    dress,
    has: (sample) => places.has(sample),
    image: (sample) => show(places.get(sample), "image"),
    heatmap: (sample) => show(places.get(sample) + 1, "heatmap"),
    mean: (group, text) => show(2 * samples.length + group, text),
    free: () => URL.revokeObjectURL(url),
  };
}
