// npm `ws`: `NODE_PATH=<where ws is installed> node server.mjs [ADDRESS:PORT]`.
//
// One channel, whatever its clients call it; see wire.rs for what is said. A publication is made
// into one Buffer, which every subscriber's `send` shares.

import { createRequire } from 'node:module';
import { createServer } from 'node:http';

// Unlike `import`, this looks where NODE_PATH says.
const { WebSocketServer } = createRequire(import.meta.url)('ws');

const EPOCH = '1234567890123456789';
const TIME = '2026-01-01T00:00:00.000Z';
// As throng's default, or as an argument such as `room=256` says.
const ROOM = Number(process.argv.find((word) => word.startsWith('room='))?.slice(5) ?? 64);

const [host, port] = (process.argv.slice(2).find((word) => word.includes(':')) ?? '127.0.0.1:0').split(':');
const http = createServer({ noDelay: true });
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
const subscribers = new Set();
let offset = 0;

function publish({ channel_id, text }) {
  offset += 1;
  const published_at = TIME;
  const envelope = { type: 'message', channel_id, offset, epoch: EPOCH, text, published_at };
  const message = Buffer.from(JSON.stringify(envelope));
  for (const socket of subscribers) {
    // What a client does not read is not kept without bound.
    if (socket.bufferedAmount < ROOM * message.length) socket.send(message, { binary: false });
  }
}

server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('close', () => subscribers.delete(socket));
  socket.on('message', (bytes) => {
    const command = JSON.parse(bytes);
    if (command.type === 'publish') return publish(command);
    if (command.type !== 'subscribe') return;
    subscribers.add(socket);
    const { id: reply_to, channel_id } = command;
    const data = { recovered: false, members: [] };
    socket.send(JSON.stringify({ type: 'joined', reply_to, channel_id, data }));
  });
  socket.send(JSON.stringify({ type: 'connected', data: { client_id: '1' } }));
});

http.listen(Number(port), host, () => {
  console.log(`listening on http://${host}:${http.address().port}`);
});
