// Which machine a message is about: a record of the agent's own host names none.

/** Answers the host's name, or undefined for the agent's own. */
export type ForeignHost = (
  host: string | undefined,
  peer: string | undefined,
) => string | undefined;

/** Made for one stream: its messages nearly always name the same host as the one before. */
export function foreignHosts(own: string): ForeignHost {
  let last: string | undefined;
  let isForeign = false;
  return (host, peer) => {
    // Over a network, "localhost" is the sender's.
    const name = host === undefined || host === "localhost" ? peer : host;
    if (name === undefined) return undefined;
    if (name !== last) {
      last = name;
      isForeign = !isSame(name, own);
    }
    return isForeign ? name : undefined;
  };
}

/** Syslog names a host without its domain, the agent with it, or the other way round. */
function isSame(name: string, own: string): boolean {
  if (name === own || name === "localhost" || name === "127.0.0.1" || name === "::1") return true;
  const [short, rest] = name.length < own.length ? [name, own] : [own, name];
  return rest.startsWith(`${short}.`);
}
