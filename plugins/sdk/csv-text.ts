// Lines of CSV (RFC 4180) for spreadsheets: what somebody put into a record's field must not become a
// formula that the spreadsheet calculates.

// What a spreadsheet takes for the beginning of a formula, also behind white space.
const FORMULA = /^[\s\0]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r]/;
const QUOTED = /[",\r\n]/;

/** One line with its end. A cell that would be a formula gets an apostrophe before it. */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(cell).join(",")}\r\n`;
}

function cell(text: string): string {
  const guarded = FORMULA.test(text) ? `'${text}` : text;
  return QUOTED.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}
