// @ts-check
// YAML in colours: a line at a time, each piece with a class. It need not understand, it must not be wrong about quotes.

/** @typedef {{text: string, kind: string}} Piece */
/** What a line begins in: nothing, a text in quotes that goes on, or a block of text and how far that is set in.
 * @typedef {{quote: string, block: number}} State */

/** @type {State} */
export const OUTSIDE = { quote: "", block: -1 };
const LONGEST = 2000; // characters of a line that is coloured
const WORDS = new Set(["true", "false", "null", "~"]);
const SPACE = /^[ \t]+/, KEY = /^[^\s#&*!|>'"%@`,\[\]{}][^\n#:,\[\]{}]*(?=\s*:(?:\s|$))/;
const NUMBER = /^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/;
const SIGN = /^(?:[\[\]{},]|[-?:](?=\s|$)|[|>][-+0-9]*(?=\s*(?:#|$)))/;
const PLAIN = /^[^\s,\[\]{}#:]+(?::(?!\s|$)[^\s,\[\]{}#:]*)*|^\S/;

/**
 * A line's pieces, which together are the line, and what the next one begins in.
 * @param {string} line @param {State} state @returns {{pieces: Piece[], state: State}}
 */
export function tokens(line, state) {
  /** @type {Piece[]} */
  const pieces = [];
  if (line.length > LONGEST) return { pieces: [{ text: line, kind: "" }], state };
  let rest = line, quote = state.quote;
  const put = (/** @type {number} */ length, /** @type {string} */ kind) => {
    if (length) pieces.push({ text: rest.slice(0, length), kind });
    rest = rest.slice(length);
  };
  const inset = line.length - line.trimStart().length;
  if (state.block >= 0 && !quote) {
    if (!line.trim() || inset > state.block) return { pieces: [{ text: line, kind: "text" }], state };
  }
  /** @type {State} */
  let after = OUTSIDE, fresh = true;
  if (quote) {
    const end = closing(rest, quote, 0);
    put(end < 0 ? rest.length : end, "text");
    if (end < 0) return { pieces, state };
    quote = "";
    fresh = false;
  }
  while (rest) {
    const space = SPACE.exec(rest);
    if (space) { put(space[0].length, ""); continue; }
    const before = pieces.length ? pieces[pieces.length - 1].text : " ";
    if (rest[0] === "#" && (pieces.length === 0 || /\s$/.test(before))) { put(rest.length, "comment"); break; }
    if (rest[0] === '"' || rest[0] === "'") {
      const end = closing(rest, rest[0], 1);
      if (end < 0) { after = { quote: rest[0], block: -1 }; put(rest.length, "text"); break; }
      put(end, /^\s*:(\s|$)/.test(rest.slice(end)) ? "key" : "text");
      fresh = false;
      continue;
    }
    const key = fresh || /[{,\-?]$/.test(before.trimEnd() || lastSign(pieces)) ? KEY.exec(rest) : null;
    if (key) { put(key[0].trimEnd().length, "key"); fresh = false; continue; }
    const sign = SIGN.exec(rest);
    if (sign) {
      if ((sign[0][0] === "|" || sign[0][0] === ">")) after = { quote: "", block: inset };
      fresh = sign[0] === "-" || sign[0] === "?" || sign[0] === "{" || sign[0] === ",";
      put(sign[0].length, "sign");
      continue;
    }
    const plain = /** @type {RegExpExecArray} */ (PLAIN.exec(rest) ?? /^./.exec(rest));
    const word = plain[0];
    put(word.length, word[0] === "$" || word[0] === "=" ? "name" : word[0] === "&" || word[0] === "*" || word[0] === "!" ? "name"
      : NUMBER.test(word) ? "number" : WORDS.has(word) ? "word" : "");
    fresh = false;
  }
  return { pieces, state: after };
}

/** @param {Piece[]} pieces */
function lastSign(pieces) {
  for (let i = pieces.length - 1; i >= 0; i--) if (pieces[i].text.trim()) return pieces[i].text.trim();
  return "-";
}

/** Where a text in quotes has ended, behind the quote; -1 where it goes on. @param {string} text @param {string} quote @param {number} from */
function closing(text, quote, from) {
  for (let i = from; i < text.length; i++) {
    if (quote === '"' && text[i] === "\\") i++;
    else if (text[i] === quote) {
      if (quote === "'" && text[i + 1] === "'") i++;
      else return i + 1;
    }
  }
  return -1;
}
