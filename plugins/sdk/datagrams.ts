// UDP: how a plugin receives datagrams, whatever the runtime. Plugins ask their context's runtime;
// over node:dgram, which is here, Deno loses most of what comes in a burst, so it has its own way.

import type { Buffer } from "node:buffer";
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { formatEndpoint } from "./endpoint.ts";

/** Takes what arrives. Neither call may throw. */
export interface DatagramTaker {
  /** One datagram, whose memory is the taker's, and the address that it came from. */
  message(bytes: Uint8Array, peer: string): void;
  /** The socket has failed, and is closed. */
  failed(error: Error): void;
}

/** An open socket. */
export interface DatagramSocket {
  /** Where it listens, as `127.0.0.1:514`: with the port that was found for port 0. */
  readonly address: string;
  /** Nothing arrives after this. Safe twice. */
  close(): void;
}

/** Opens a socket; rejects with the system's error where it cannot. */
export type Datagrams = (
  at: { readonly host: string; readonly port: number },
  taker: DatagramTaker,
) => Promise<DatagramSocket>;

/** As much as the kernel grants of it (net.core.rmem_max) is kept while the agent is busy. */
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;

/** Datagrams over node:dgram. */
export const nodeDatagrams: Datagrams = ({ host, port }, taker) => {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  let isOpen = true;
  const close = () => {
    if (!isOpen) return;
    isOpen = false;
    socket.close();
  };
  return new Promise((resolve, reject) => {
    const refused = (error: Error) => {
      close();
      reject(error);
    };
    socket.once("error", refused);
    socket.on("message", (bytes: Buffer, { address }) => {
      if (isOpen) taker.message(bytes, address);
    });
    socket.bind(port, host, () => {
      socket.off("error", refused);
      socket.on("error", (error) => {
        if (!isOpen) return;
        close();
        taker.failed(error);
      });
      growBuffer(socket);
      const bound = socket.address();
      resolve({ address: formatEndpoint({ host: bound.address, port: bound.port }), close });
    });
  });
};

function growBuffer(socket: { setRecvBufferSize(bytes: number): void }): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch {
    // Then it stays as the kernel made it: smaller bursts, nothing else.
  }
}
