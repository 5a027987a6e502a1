// The program's version; a test holds it equal to package.json.

/** As `cairn --version` prints it and records carry it. */
export const VERSION = "0.1.0";
