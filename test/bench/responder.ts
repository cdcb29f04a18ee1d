/** The yardstick: a bare Node server that parses each line and answers true, nothing else. Same handshake, no judging, no journal. */
import { createServer, type AddressInfo } from 'node:net';

const NOTIFY = `{"id":null,"method":"mining.notify","params":["1","${'0'.repeat(64)}","00","00",[],"20000000","1d00ffff","00000001",true]}\n`;

function answer(line: string): string {
  const { id, method } = JSON.parse(line) as { id: number; method: string };
  if (method === 'mining.subscribe') return `{"id":${id},"result":[[["mining.notify","1"]],"00000001",4],"error":null}\n`;
  return `{"id":${id},"result":true,"error":null}\n${method === 'mining.authorize' ? NOTIFY : ''}`;
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop()!;
    let out = '';
    for (const line of lines) out += answer(line);
    socket.write(out);
  });
});
server.listen(0, '127.0.0.1', 4096, () => process.send?.({ type: 'listening', port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
