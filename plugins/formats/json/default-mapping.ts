// What format json makes of an object whose mapping nobody wrote: names that nearly every logger uses,
// and nothing guessed. All members stay in `additional`, since none is copied by a plain path.

/** The default mapping, in the mapping language. */
export const DEFAULT_MAPPING = {
  time: {
    first: [
      "$.time",
      "$.timestamp",
      "$['@timestamp']",
      "$.ts",
      "$.eventTime",
      "$.datetime",
      "$.date",
    ],
  },
  service: {
    first: ["$.service.name", "$.service", "$.app", "$.application", "$.program"],
    default: "unknown",
  },
  action: {
    first: [
      "$.action",
      "$.event.action",
      "$.event",
      "$.event_type",
      "$.eventType",
      "$.event_name",
      "$.eventName",
      "$.operation",
    ],
    // A message is a sentence, not a name: every new wording would be an action of its own.
    default: "LogMessage",
  },
  host: { first: ["$.host.name", "$.hostname", "$.host"] },
  actor: {
    name: {
      first: [
        "$.user.name",
        "$.user.username",
        "$.user",
        "$.username",
        "$.user_name",
        "$.actor.name",
        "$.actor",
      ],
    },
    id: { first: ["$.user.id", "$.user_id", "$.userId", "$.uid", "$.actor.id"] },
  },
  outcome: {
    success: {
      first: [
        "$.success",
        { path: "$.outcome", map: { success: true, failure: false } },
        { path: "$.event.outcome", map: { success: true, failure: false } },
        true,
      ],
    },
    code: { first: ["$.error.code", "$.error_code", "$.errorCode"] },
    message: { first: ["$.error.message", "$.error_message", "$.errorMessage", "$.error"] },
  },
  origin: {
    address: {
      first: [
        "$.source.ip",
        "$.source_ip",
        "$.src_ip",
        "$.client_ip",
        "$.client.ip",
        "$.remote_ip",
        "$.remote_addr",
        "$.ip",
      ],
    },
    user_agent: { first: ["$.user_agent.original", "$.user_agent", "$.userAgent"] },
  },
};
