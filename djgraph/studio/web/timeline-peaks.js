// @ts-check
// Waveforms: tiles of peaks from the server, as they are looked at.

/** @typedef {{base: number, factor: number, levels: number, tile: number, unit: number}} Form  stretches of samples, as the server says */
/** @typedef {{low: Float32Array, high: Float32Array, mean: Float32Array}} Columns  of pixels; NaN where nothing is known yet */

const KEPT = 1500; // tiles of 24 kB

export class Peaks {
  /** @param {Form} form @param {number} rate @param {() => void} came  a tile is there */
  constructor(form, rate, came) {
    this.form = form;
    this.rate = rate;
    this.came = came;
    /** @type {Map<string, Int16Array|null>} */
    this.tiles = new Map();
  }

  /** Columns of pixels from a second on. @param {string} digest @param {number} samples @param {number} first  second
   * @param {number} zoom  pixels a second @param {number} width @returns {Columns} */
  columns(digest, samples, first, zoom, width) {
    const { base, factor, levels, tile, unit } = this.form, per = this.rate / zoom;
    const level = Math.max(0, Math.min(levels - 1, Math.floor(Math.log(per / base) / Math.log(factor) + 1e-9)));
    const stretch = base * factor ** level, count = Math.ceil(samples / stretch);
    const low = new Float32Array(width).fill(NaN), high = low.slice(), mean = low.slice();
    for (let x = 0; x < width; x++) {
      const from = Math.max(0, Math.floor((first * this.rate + x * per) / stretch));
      const to = Math.min(count, Math.max(from + 1, Math.floor((first * this.rate + (x + 1) * per) / stretch)));
      let least = Infinity, most = -Infinity, square = 0, seen = 0;
      for (let i = from; i < to; i++) {
        const data = this.tile(digest, level, Math.floor(i / tile));
        if (!data) break;
        const at = 3 * (i % tile);
        least = Math.min(least, data[at]);
        most = Math.max(most, data[at + 1]);
        square += data[at + 2] ** 2;
        seen++;
      }
      if (!seen) continue;
      low[x] = least / unit;
      high[x] = most / unit;
      mean[x] = Math.sqrt(square / seen) / unit;
    }
    return { low, high, mean };
  }

  /** @param {string} digest @param {number} level @param {number} index */
  tile(digest, level, index) {
    const key = `${digest}/${level}/${index}`, known = this.tiles.get(key);
    if (known !== undefined) return known;
    this.tiles.set(key, null);
    if (this.tiles.size > KEPT) this.tiles.delete(/** @type {string} */ (this.tiles.keys().next().value));
    fetch(`peaks/${key}`).then(async answer => {
      if (!answer.ok) throw new Error(answer.statusText);
      this.tiles.set(key, new Int16Array(await answer.arrayBuffer()));
      this.came();
    }).catch(() => setTimeout(() => this.tiles.delete(key), 1000));
    return null;
  }
}
