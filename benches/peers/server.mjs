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
const ROOM = 256;

const [host, port] = (process.argv[2] ?? '127.0.0.1:0').split(':');
const http = createServer({ noDelay: true });
const server = new WebSocketServer({ server: http, perMessageDeflate: false });
const subscribers = new Set();
let sequence = 0;

function publish({ channel_id, text }) {
  sequence += 1;
  const timestamp = TIME;
  const envelope = { type: 'message', channel_id, sequence, epoch: EPOCH, text, timestamp };
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
