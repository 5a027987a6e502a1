// Deno: its own UDP sockets, which are behind --unstable-net. Its node:dgram loses nine of ten
// datagrams of a burst.

import type { DatagramSocket, DatagramTaker } from "../../plugins/sdk/datagrams.ts";
import { formatEndpoint } from "../../plugins/sdk/endpoint.ts";

interface Address {
  readonly hostname: string;
  readonly port: number;
}

interface DenoSocket {
  readonly addr: Address;
  receive(room: Uint8Array): Promise<[Uint8Array, Address]>;
  close(): void;
}

type Listen = (options: Address & { readonly transport: "udp" }) => DenoSocket;

/** The largest there can be. */
const DATAGRAM_BYTES_MAX = 65_535;

/** Datagrams: see Datagrams in the SDK. */
export async function denoDatagrams(
  at: { readonly host: string; readonly port: number },
  taker: DatagramTaker,
): Promise<DatagramSocket> {
  const { Deno } = globalThis as unknown as { readonly Deno: { listenDatagram?: Listen } };
  if (Deno.listenDatagram === undefined) {
    throw new Error("Cannot receive UDP: run deno with --unstable-net, or with Cairn's deno.json");
  }
  const socket = Deno.listenDatagram({ transport: "udp", hostname: at.host, port: at.port });
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    socket.close();
  };
  const receive = async () => {
    const room = new Uint8Array(DATAGRAM_BYTES_MAX);
    while (isOpen) {
      const [bytes, { hostname }] = await socket.receive(room);
      if (isOpen) taker.message(bytes.slice(), hostname);
    }
  };
  receive().catch((error) => {
    if (!isOpen) return;
    close();
    taker.failed(error instanceof Error ? error : new Error(String(error)));
  });
  const { hostname: host, port } = socket.addr;
  return { address: formatEndpoint({ host, port }), close };
}
