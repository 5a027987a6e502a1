// Text from records made safe to print: whoever writes a log line must not steer the terminal of
// whoever reads it.

// Control characters, marks that turn, hide or separate text, lone surrogates.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const PLAIN = /^[\x20-\x7e]*$/;
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const MARK = /\p{M}/u;

/** The text with everything that could move, hide or recolour text written as `\u001b`. */
export function escapeUnsafe(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(UNSAFE, escapeOne);
}

/** Indented JSON, made safe; line ends between its members stay. */
export function escapeJson(text: string): string {
  return text.split("\n").map(escapeUnsafe).join("\n");
}

function escapeOne(char: string): string {
  let escaped = "";
  for (let at = 0; at < char.length; at++) {
    escaped += `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

/** A safe text in at most `columns` columns of a terminal, cut with …, filled with blanks. */
export function cell(text: string, columns: number, fill = true): string {
  // Long values are cut before they are looked at, so that a megabyte costs no more than a line.
  const safe = escapeUnsafe(text.slice(0, columns * 4));
  if (PLAIN.test(safe) && safe.length <= columns) return fill ? safe.padEnd(columns) : safe;
  let shown = "";
  let width = 0;
  let fitting = "";
  let fittingWidth = 0;
  for (const char of safe) {
    width += MARK.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
    if (width > columns) {
      shown = `${fitting}…`;
      width = fittingWidth + 1;
      break;
    }
    shown += char;
    if (width < columns) [fitting, fittingWidth] = [shown, width];
  }
  return fill ? shown + " ".repeat(Math.max(0, columns - width)) : shown;
}
