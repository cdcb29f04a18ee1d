/** The HTTP side: /metrics for Prometheus, /healthz and /readyz for whoever restarts or routes. Read only. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HostPort } from '../../config/fields.ts';
import { InstanceError, sentenceOf } from './instance.ts';
import type { ScrapeAnswer } from './scrape.ts';
import type { InstanceStatus } from './status.ts';

/** A scraper's request is a few hundred bytes; whoever dawdles is cut off. */
const REQUEST_LIMIT_MS = 10_000;
const CONNECTIONS_MAX = 64;

export interface HttpSource {
  status(): Promise<InstanceStatus>;
  /** The body of /metrics, in the format that an Accept header prefers. */
  scrape(accept: string): Promise<ScrapeAnswer>;
  /** Both children run and do not crash in a loop. */
  alive(): boolean;
  /** '' when ready, else the sentence that says why not. */
  ready(status: InstanceStatus): string;
}

export interface HttpServer {
  /** `host:port` as bound. */
  readonly address: string;
  close(): void;
}

interface Answer {
  readonly code: 200 | 404 | 405 | 500 | 503;
  readonly type: string;
  readonly body: string | Buffer;
}

/** Listens on `at` (port 0: any free port). Throws InstanceError with a sentence when the address cannot be had. */
export async function startHttp(at: HostPort, source: HttpSource): Promise<HttpServer> {
  const server = createServer((request, response) => void serve(request, response, source));
  server.requestTimeout = REQUEST_LIMIT_MS;
  server.headersTimeout = REQUEST_LIMIT_MS;
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new InstanceError(listenSentence(at, error))));
    server.listen(at.port, at.host, resolve);
  });
  const bound = server.address() as AddressInfo; // A TCP server's address is never a path.
  return {
    address: `${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function listenSentence(at: HostPort, error: Error): string {
  const where = `http ${at.host}:${at.port}`;
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `The address of ${where} is in use by another program; stop that or set \`http\` to another port.`;
  if (code === 'EADDRNOTAVAIL') return `The address of ${where} is not one of this machine; set \`http\` to 127.0.0.1 or an address it has.`;
  if (code === 'EACCES') return `The port of ${where} needs privileges this user does not have; set \`http\` to a port above 1023.`;
  return `${where} cannot be listened on: ${sentenceOf(error)}.`;
}

async function serve(request: IncomingMessage, response: ServerResponse, source: HttpSource): Promise<void> {
  let answer: Answer;
  try {
    answer = await answerTo(request, source);
  } catch (error) {
    answer = text(500, `The request failed: ${sentenceOf(error)}.`);
  }
  response.writeHead(answer.code, { 'content-type': answer.type, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function answerTo({ method, url, headers }: IncomingMessage, source: HttpSource): Promise<Answer> {
  const path = (url ?? '').split('?', 1)[0];
  if (method !== 'GET' && method !== 'HEAD') return text(405, 'Only GET and HEAD are served here.');
  switch (path) {
    case '/metrics':
      return source.scrape(headers.accept ?? '');
    case '/healthz': {
      const { problems } = await source.status();
      return text(source.alive() ? 200 : 503, problems.length === 0 ? 'well' : problems.join('\n'));
    }
    case '/readyz': {
      const missing = source.ready(await source.status());
      return text(missing === '' ? 200 : 503, missing === '' ? 'ready' : missing);
    }
    case '/':
      return text(200, 'weighbridge: /metrics /healthz /readyz');
    default:
      return text(404, 'Served here: /metrics /healthz /readyz');
  }
}

function text(code: Answer['code'], body: string): Answer {
  return { code, type: 'text/plain; charset=utf-8', body: `${body}\n` };
}
