// Lets tap run under Deno: tap's call-site capture wants call sites to be instances of a class named
// CallSite, and Deno's are plain objects.
class CallSite {}
const previous = Error.prepareStackTrace;
Error.prepareStackTrace = (_error, callSites) => callSites;
const probe = {};
Error.captureStackTrace(probe);
const first = probe.stack[0];
Error.prepareStackTrace = previous;
Object.defineProperty(Object.getPrototypeOf(first), "constructor", {
  value: CallSite,
  configurable: true,
});
