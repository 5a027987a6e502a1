// The exit codes of every command: one table, printed by `cairn --help`.

/** What a command's end means to the shell. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  configuration: 3,
  dataDir: 4,
  notRunning: 5,
  notFound: 6,
  unreadable: 7,
  interrupted: 130,
  terminated: 143,
} as const;

/** One line for each code. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "Done; an agent that was told to stop and stopped in order also ends with it",
  failure: "Failed while running",
  usage: "Unknown command or option",
  configuration: "The configuration has problems; they were printed",
  dataDir: "data_dir cannot be used: missing, locked, not writable, full, or of a newer version",
  notRunning: "No agent is running that could be asked",
  notFound: "What was asked for is not there",
  unreadable: "What was to be looked at cannot be read, or not all of it",
  interrupted: "Ended at once by a second SIGINT; the queue is intact",
  terminated: "Ended at once by a second SIGTERM; the queue is intact",
};
