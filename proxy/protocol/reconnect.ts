/**
 * Server → proxy: {"id":null,"method":"client.reconnect","params":["host",3333,5]}, all params optional.
 * On unauthenticated TCP it is a way to hijack hash rate, so it is followed only within one registrable domain.
 */

export interface ReconnectMessage {
  readonly kind: 'reconnect';
  /** undefined: the same host. */
  readonly host: string | undefined;
  /** undefined: the same port. */
  readonly port: number | undefined;
  readonly waitMs: number;
}

const WAIT_SECONDS_MAX = 3600;
const PORT_MAX = 65535;

/** Suffixes of two labels under which anyone may register a name, as far as pools are known to use such countries. */
const TWO_LABEL_SUFFIXES = new Set(
  (
    'co.uk org.uk me.uk ac.uk com.au net.au org.au com.br net.br org.br com.cn net.cn org.cn co.jp ne.jp or.jp co.kr ' +
    'or.kr co.in net.in org.in co.nz net.nz org.nz co.za com.hk com.sg com.tw com.tr com.ua com.ru com.mx com.ar com.my ' +
    'com.ph com.vn co.id co.il co.th com.pl com.es com.pt com.gr com.ve com.co com.pe com.py com.kz com.ge com.cy com.de ' +
    'duckdns.org github.io herokuapp.com ddns.net no-ip.org no-ip.com dyndns.org hopto.org zapto.org sytes.net'
  ).split(' '),
);

function integer(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? Math.trunc(number) : undefined;
}

/** Reads a pool's params; what cannot be read counts as absent. */
export function parseReconnect(params: readonly unknown[]): ReconnectMessage {
  const [host, portField, waitField] = params;
  const port = integer(portField);
  const waitSeconds = Math.min(Math.max(integer(waitField) ?? 0, 0), WAIT_SECONDS_MAX);
  return {
    kind: 'reconnect',
    host: typeof host === 'string' && host.trim() !== '' ? host.trim() : undefined,
    port: port !== undefined && port >= 1 && port <= PORT_MAX ? port : undefined,
    waitMs: waitSeconds * 1000,
  };
}

function isAddress(host: string): boolean {
  return host.includes(':') || /^[\d.]+$/.test(host);
}

function registrableDomain(host: string): string | undefined {
  const labels = host.split('.');
  if (labels.some((label) => label === '')) return undefined;
  const wanted = TWO_LABEL_SUFFIXES.has(labels.slice(-2).join('.')) ? 3 : 2;
  return labels.length < wanted ? undefined : labels.slice(-wanted).join('.');
}

/** Whether two hosts belong to the same registrable domain. Addresses and single labels only when they are equal. */
export function sameRegistrableDomain(a: string, b: string): boolean {
  const [left, right] = [a, b].map((host) => host.trim().toLowerCase().replace(/\.$/, ''));
  if (left === undefined || right === undefined || left === '') return false;
  if (left === right) return true;
  if (isAddress(left) || isAddress(right)) return false;
  const domain = registrableDomain(left);
  return domain !== undefined && domain === registrableDomain(right);
}
