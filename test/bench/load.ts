/** The load: a child process with many Stratum connections that submit in a closed loop or at a rate, or sit idle, or time notifies. */
import { connect, type Socket } from 'node:net';

export interface LoadRequest {
  readonly port: number;
  readonly connections: number;
  /** Submits under way per connection; 0 to sit idle. */
  readonly depth: number;
  readonly seconds: number;
  /** Submits of all connections together, whether answered or not. Left out: none but those of `depth`. */
  readonly sharesPerSecond?: number;
}

export interface LoadResult {
  readonly answered: number;
  readonly refused: number;
  readonly seconds: number;
  readonly replyP50Ms: number;
  readonly replyP99Ms: number;
  /** From the first connect to the last machine that has its first job. */
  readonly connectSeconds: number;
  /** Spread of the arrival of later notifies over all connections: first to last, median of the jobs seen. */
  readonly fanOutMs: number | undefined;
  /** Read and written after the last machine had its first job, all connections. */
  readonly bytes: number;
}

/** Latencies kept for the percentiles: every answer in so many. */
const LATENCY_EVERY = 8;
let answersSeen = 0;

class Client {
  jobId = '';
  answered = 0;
  refused = 0;
  private rest = '';
  private nonce = 0;
  private readonly sent: number[] = [];
  private readonly socket: Socket;
  private readonly number: number;
  private readonly onNotify: (jobId: string) => void;
  private ntime = '';
  private extranonce2 = '00000000';
  depth = 0;
  readonly latencies: number[] = [];

  constructor(port: number, number: number, onNotify: (jobId: string) => void) {
    this.number = number;
    this.onNotify = onNotify;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => this.data(text));
    this.socket.on('error', () => {});
    this.socket.write(
      `{"id":1,"method":"mining.subscribe","params":["bench"]}\n{"id":2,"method":"mining.authorize","params":["bench.${number}","x"]}\n`,
    );
  }

  private data(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    let answers = 0;
    for (const line of lines) {
      if (line.includes('mining.notify"') && line.includes('"params"')) this.notify(line);
      else if (line.startsWith('{"id":9')) {
        answers += 1;
        if (line.includes('"result":true')) this.answered += 1;
        else this.refused += 1;
        const sentAt = this.sent.shift();
        answersSeen += 1;
        if (sentAt !== undefined && answersSeen % LATENCY_EVERY === 0) this.latencies.push(performance.now() - sentAt);
      }
    }
    if (answers > 0 && this.depth > 0) this.submit(answers);
  }

  private notify(line: string): void {
    const { params } = JSON.parse(line) as { params: [string, ...unknown[]] };
    this.jobId = params[0];
    this.ntime = String(params[7]);
    this.onNotify(this.jobId);
  }

  submit(count: number): void {
    let out = '';
    const now = performance.now();
    for (let n = 0; n < count; n += 1) {
      this.nonce = (this.nonce + 1) >>> 0;
      this.sent.push(now);
      const nonce = this.nonce.toString(16).padStart(8, '0');
      out += `{"id":9,"method":"mining.submit","params":["bench.${this.number}","${this.jobId}","${this.extranonce2}","${this.ntime}","${nonce}"]}\n`;
    }
    this.socket.write(out);
  }

  get bytes(): number {
    return this.socket.bytesRead + this.socket.bytesWritten;
  }

  close(): void {
    this.depth = 0;
    this.socket.destroy();
  }
}

const PACE_MS = 1;

/** Submits at a rate, one share of each connection in turn; returns what ends it. */
function pace(clients: readonly Client[], sharesPerSecond: number): () => void {
  const from = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - from) / 1000) * sharesPerSecond);
    for (; sent < due; sent += 1) clients[sent % clients.length]!.submit(1);
  }, PACE_MS);
  return () => clearInterval(timer);
}

function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? 0;
}

async function run(request: LoadRequest): Promise<LoadResult> {
  const arrivals = new Map<string, { first: number; last: number; count: number }>();
  const startedAt = performance.now();
  let ready = 0;
  let allReady = (): void => {};
  const whenReady = new Promise<void>((resolve) => (allReady = resolve));
  const seen = new Set<number>();
  const clients = Array.from({ length: request.connections }, (_, number) => {
    const client: Client = new Client(request.port, number, (jobId) => {
      const at = performance.now();
      const entry = arrivals.get(jobId) ?? { first: at, last: at, count: 0 };
      entry.last = at;
      entry.count += 1;
      arrivals.set(jobId, entry);
      if (seen.has(number)) return;
      seen.add(number);
      ready += 1;
      if (ready === request.connections) allReady();
    });
    return client;
  });
  await whenReady;
  const connectSeconds = (performance.now() - startedAt) / 1000;
  const firstJobs = new Set(arrivals.keys());
  process.send?.({ type: 'ready' });
  const from = performance.now();
  const bytesBefore = clients.reduce((sum, client) => sum + client.bytes, 0);
  const endPace = request.sharesPerSecond === undefined ? undefined : pace(clients, request.sharesPerSecond);
  if (request.depth > 0) {
    for (const client of clients) {
      client.depth = request.depth;
      client.submit(request.depth);
    }
  }
  await new Promise((resolve) => setTimeout(resolve, request.seconds * 1000));
  endPace?.();
  const answered = clients.reduce((sum, client) => sum + client.answered, 0);
  const seconds = (performance.now() - from) / 1000;
  const refused = clients.reduce((sum, client) => sum + client.refused, 0);
  const bytes = clients.reduce((sum, client) => sum + client.bytes, 0) - bytesBefore;
  const latencies = clients.flatMap((client) => client.latencies).sort((a, b) => a - b);
  const spreads = [...arrivals].filter(([job, { count }]) => !firstJobs.has(job) && count === request.connections).map(([, a]) => a.last - a.first);
  spreads.sort((a, b) => a - b);
  for (const client of clients) client.close();
  return {
    answered,
    refused,
    seconds,
    replyP50Ms: percentile(latencies, 0.5),
    replyP99Ms: percentile(latencies, 0.99),
    connectSeconds,
    fanOutMs: spreads.length > 0 ? percentile(spreads, 0.5) : undefined,
    bytes,
  };
}

process.on('message', (request: LoadRequest) => {
  void run(request).then((result) => process.send?.({ type: 'result', result }));
});
process.on('disconnect', () => process.exit(0));
