// @ts-check
// A loss curve, drawn as it grows: the logarithm of the loss over the steps, each stage in a colour of its own.

const LEFT = 44, BOTTOM = 18, TOP = 8;
/** @type {Record<string, [string, string]>} */
const STAGES = { guess: ["guess", "--warm"], curves: ["curves", "--accent"], mixer: ["mixer", "--good"] };

/** @param {HTMLCanvasElement} canvas @param {[string, number][]} losses */
export function drawLosses(canvas, losses) {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = Math.min(3, window.devicePixelRatio || 1);
  if (!width || !height) return;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")), style = getComputedStyle(canvas);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  const logs = losses.map(([, loss]) => Math.log10(Math.max(loss, 1e-12)));
  const low = Math.floor(Math.min(...logs)), high = Math.max(low + 1, Math.ceil(Math.max(...logs)));
  /** @param {number} i */
  const x = i => LEFT + 6 + (width - LEFT - 14) * i / Math.max(1, losses.length - 1);
  /** @param {number} log */
  const y = log => TOP + (height - TOP - BOTTOM) * (high - log) / (high - low);
  ctx.font = `11px ${style.fontFamily}`;
  ctx.textAlign = "right";
  for (let decade = low; decade <= high; decade++) {
    ctx.strokeStyle = style.getPropertyValue("--line");
    ctx.beginPath();
    ctx.moveTo(LEFT, Math.round(y(decade)) + 0.5);
    ctx.lineTo(width - 4, Math.round(y(decade)) + 0.5);
    ctx.stroke();
    ctx.fillStyle = style.getPropertyValue("--quiet");
    ctx.fillText(`10${superscript(decade)}`, LEFT - 6, y(decade) + 4);
  }
  ctx.textAlign = "left";
  ctx.lineWidth = 2;
  let from = 0;
  while (from < losses.length) {
    let to = from;
    while (to + 1 < losses.length && losses[to + 1][0] === losses[from][0]) to++;
    const [name, colour] = STAGES[losses[from][0]] ?? [losses[from][0], "--text"];
    ctx.strokeStyle = ctx.fillStyle = style.getPropertyValue(colour);
    ctx.beginPath();
    // Losses of two stages are of two kinds: they are not joined.
    for (let i = from; i <= to; i++) if (i === from) ctx.moveTo(x(i), y(logs[i])); else ctx.lineTo(x(i), y(logs[i]));
    ctx.stroke();
    for (const i of [from, to]) {
      ctx.beginPath();
      ctx.arc(x(i), y(logs[i]), 3, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.fillText(name, Math.min(x(from), width - 44), height - 4);
    from = to + 1;
  }
}

/** @param {number} n */
function superscript(n) {
  return String(n).replace("-", "⁻").replace(/\d/g, digit => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
}
