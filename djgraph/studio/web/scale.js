// @ts-check
// Values of controls: where they lie along a knob's travel, how they are written and read. The same laws as the layout's.

/**
 * @typedef {{name: string, column: number, label: string, description: string, kind: string, widget: string, role: string,
 *   unit: string, amplitude: boolean, scale: "linear"|"log"|"db"|"power", exponent: number, min: number, max: number,
 *   default: number, neutral: number, step: number|null, choices: number[], names: string[], line: number|null, file: string|null}} Control
 */

const TAPER = 60; // dB that a control of scale `db` travels

/** Position 0…1 → value. @param {Control} c @param {number} u */
export function valueAt(c, u) {
  u = Math.min(1, Math.max(0, u));
  if (u === 0) return c.min;
  if (u === 1) return c.max;
  const range = c.max - c.min;
  switch (c.scale) {
    case "log": return c.min * (c.max / c.min) ** u;
    case "db": { const k = 10 ** (TAPER / 20); return c.min + range * (k ** u - 1) / (k - 1); }
    case "power": return c.min + range * u ** c.exponent;
    default: return c.min + range * u;
  }
}

/** Value → position 0…1. @param {Control} c @param {number} value */
export function positionOf(c, value) {
  value = Math.min(c.max, Math.max(c.min, value));
  const share = (value - c.min) / (c.max - c.min);
  switch (c.scale) {
    case "log": return Math.log(value / c.min) / Math.log(c.max / c.min);
    case "db": { const k = 10 ** (TAPER / 20); return Math.log(1 + share * (k - 1)) / Math.log(k); }
    case "power": return share ** (1 / c.exponent);
    default: return share;
  }
}

/** To the nearest value that a control with steps or choices may take. @param {Control} c @param {number} value */
export function snapped(c, value) {
  value = Math.min(c.max, Math.max(c.min, value));
  if (c.choices.length) return c.choices.reduce((a, b) => Math.abs(b - value) < Math.abs(a - value) ? b : a);
  if (c.step) return Math.min(c.max, c.min + Math.round((value - c.min) / c.step) * c.step);
  return value;
}

/** As people read it. @param {Control} c @param {number} value */
export function written(c, value) {
  if (c.names.length) return c.names[Math.round(value - c.min)] ?? String(value);
  if (c.amplitude && c.unit === "ratio") return value <= 0 ? "−∞ dB" : `${signed(20 * Math.log10(value))} dB`;
  if (c.unit === "Hz" && value >= 1000) return `${digits(value / 1000)} kHz`;
  const unit = c.unit === "ratio" ? "" : ` ${c.unit}`;
  return digits(value) + unit;
}

/** What may be typed. @param {Control} c */
export function allowed(c) {
  return c.names.length ? c.names.join(", ") : `${written(c, c.min)} to ${written(c, c.max)}, default`;
}

/** What somebody typed → value, or null. Units may stand behind it. @param {Control} c @param {string} text */
export function parsed(c, text) {
  const plain = text.trim().toLowerCase().replace("−", "-").replace(",", ".");
  const name = c.names.findIndex(one => one.toLowerCase() === plain);
  if (name >= 0) return c.min + name;
  if (plain === "default") return c.default;
  if (plain === "neutral") return c.neutral;
  if (c.amplitude && /^-?(inf|∞)\s*(db)?$/.test(plain)) return snapped(c, 0);
  const match = /^([+-]?\d*\.?\d+(?:e[+-]?\d+)?)\s*(%|db|hz|khz|ms|s)?$/.exec(plain);
  if (!match) return null;
  let value = Number(match[1]);
  const unit = match[2] ?? "";
  const own = c.unit.toLowerCase();
  if (unit === "db" && c.amplitude && own !== "db") value = 10 ** (value / 20);
  else if (unit === "" && c.amplitude && own === "ratio" && /^[+-]/.test(plain)) value = 10 ** (value / 20);
  else if (unit === "khz" && own === "hz") value *= 1000;
  else if (unit === "s" && own === "ms") value *= 1000;
  else if (unit === "ms" && own === "s") value /= 1000;
  else if (unit === "%") value = own === "%" ? value : valueAt(c, value / 100);
  else if (unit && unit !== own) return null;
  return Number.isFinite(value) ? snapped(c, value) : null;
}

/** @param {number} value */
function digits(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.0005 || size === 0 ? 2 : 4).replace("-", "−");
}

/** @param {number} value */
function signed(value) {
  const rounded = Math.abs(value) < 0.05 ? 0 : value;
  return (rounded > 0 ? "+" : rounded < 0 ? "−" : "") + Math.abs(rounded).toFixed(1);
}
