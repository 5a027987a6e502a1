// CSV as PostgreSQL and pgaudit write it: a field with a quote, comma or line break is quoted whole, a
// quote in it doubled; other fields hold no quote.

/** The fields of a record; undefined where its quotes do not fit. */
export function splitCsv(text: string): string[] | undefined {
  const fields: string[] = [];
  for (let at = 0;; at++) {
    if (text.charCodeAt(at) !== 0x22) {
      const comma = text.indexOf(",", at);
      const end = comma < 0 ? text.length : comma;
      fields.push(text.slice(at, end));
      at = end;
    } else {
      const end = closingQuote(text, at + 1);
      if (end < 0) return undefined;
      const field = text.slice(at + 1, end);
      fields.push(field.includes('"') ? field.replaceAll('""', '"') : field);
      at = end + 1;
    }
    if (at >= text.length) return fields;
    if (text.charCodeAt(at) !== 0x2c) return undefined;
  }
}

function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 2)) {
    if (text.charCodeAt(at + 1) !== 0x22) return at;
  }
  return -1;
}

/** Whether a text that begins inside (`open`) or outside of quotes ends inside. */
export function endsOpen(text: string, open = false): boolean {
  let inside = open;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) inside = !inside;
  return inside;
}
