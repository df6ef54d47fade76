// What people who do not see well, or use no mouse, find of a page: names, contrast, focus.
(() => {
  const test = globalThis.djgraphTest;

  /** What can be used and has no name. */
  test.nameless = () => {
    const named = one => one.getAttribute("aria-label") || one.labels?.length || one.textContent.trim() || one.title
      || (one.getAttribute("aria-labelledby") ?? "").split(" ").some(id => document.getElementById(id)?.textContent.trim());
    const all = [...document.querySelectorAll("button, input, select, textarea, a, [role], [tabindex='0']")];
    const quiet = ["presentation", "none", "group", "generic", "row", "rowgroup", "list", "listitem", "status"];
    return all.filter(one => one.checkVisibility() && one.id !== "said" && !quiet.includes(one.getAttribute("role")) && !named(one)).map(html);
  };

  /** Text that is too faint: WCAG's ratio of relative luminances, 4.5, or 3 for large text, as it is painted. */
  test.faint = () => {
    const found = {};
    for (const one of document.querySelectorAll("body *")) {
      const own = [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()) || (one.matches("input, select") && one.value);
      if (!own || one.disabled || !one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || one.closest("svg")) continue;
      const style = getComputedStyle(one), below = behind(one);
      if (!below) continue;
      const [a, b] = [luminance(over(rgba(style.color), below)), luminance(below)];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5)) found[`${one.tagName}.${one.className} ${style.color}`] = ratio.toFixed(2);
    }
    return found;
  };

  /** What has the focus: its control or text, and whether that is seen. */
  test.focused = () => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const style = getComputedStyle(one), box = one.getBoundingClientRect();
    const ring = (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none";
    const inside = box.right > 0 && box.left < innerWidth && box.bottom > 0 && box.top < innerHeight && box.width > 0;
    return { name: one.closest("[data-control]")?.dataset.control ?? one.textContent, seen: ring && inside, html: html(one) };
  };

  /** What has to be reached: controls by name, buttons by text. */
  test.reachable = () => [...document.querySelectorAll("[data-control], button:not(:disabled)")]
    .filter(one => one.checkVisibility() && one.id !== "said" && (one.dataset.control || (one.tabIndex === 0 && !one.closest("[data-control]"))))
    .map(one => one.dataset.control ?? one.textContent);

  const html = one => one.outerHTML.slice(0, 160);
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = colour => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data].map(x => x / 255));
    }
    return known.get(colour);
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const behind = one => {
    const layers = [];
    for (let up = one; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (style.backgroundImage !== "none") return null;
      layers.push(rgba(style.backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [1, 1, 1, 1]);
  };
  const luminance = c => {
    const [r, g, b] = c.slice(0, 3).map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
})();
