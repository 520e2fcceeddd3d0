// npm `ws`: `NODE_PATH=... node npm_ws.mjs URL [deflate]`.
//
// What happens is told on the standard output, one JSON object in each line; each line of the
// standard input is sent as a text, `close` closes.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const WebSocket = createRequire(import.meta.url)('ws');

const tell = (event) => console.log(JSON.stringify(event));
const [url, mode] = process.argv.slice(2);
const socket = new WebSocket(url, ['throng.v1.json'], { perMessageDeflate: mode === 'deflate' });

socket.on('open', () => {
  const { protocol, extensions } = socket;
  tell({ event: 'open', protocol, extensions });
  const input = createInterface({ input: process.stdin });
  input.on('line', (line) => (line === 'close' ? socket.close(1000, 'bye') : socket.send(line)));
  socket.on('close', () => input.close());
});
socket.on('message', (data, binary) => {
  tell(binary ? { event: 'binary' } : { event: 'text', text: data.toString() });
});
socket.on('error', (error) => tell({ event: 'error', why: String(error) }));
socket.on('close', (code, reason) => tell({ event: 'close', code, reason: reason.toString() }));
