/** A YAML text as values with their lines, and the mistakes that are in the YAML itself. Never echoes a value: it might be a password. */
import { type Document, LineCounter, type ParsedNode, type YAMLError, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml';

/** One thing wrong with a configuration. `path` is `pools.main.url`, `routes[0].pools`, or '' for the file; `line` counts from 1. */
export interface Problem {
  readonly path: string;
  readonly line: number | undefined;
  readonly message: string;
}

export type Path = readonly PropertyKey[];

export interface Source {
  /** Plain values; undefined when the text is not YAML and `problems` says why. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Line of the key or entry at `path`, or of the nearest that exists around it. */
  lineOf(path: Path): number | undefined;
}

/** `pools.main.url`, `routes[0].pools[1]`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`), '');
}

type Node = ParsedNode | null | undefined;

/** Cuts what the parser quotes from the text behind a colon. */
function syntaxSentence(error: YAMLError): string {
  if (error.code === 'TAG_RESOLVE_FAILED') return 'has a tag: a value that begins with ! needs quotes';
  const sentence = error.message.replace(/: .*$/s, '').replace(/\.$/, '');
  return `is not valid YAML: ${sentence}`;
}

function syntaxProblems(document: Document.Parsed, lines: LineCounter): Problem[] {
  return [...document.errors, ...document.warnings].map((error) => {
    const { line, col } = lines.linePos(error.pos[0]);
    return { path: '', line, message: `${syntaxSentence(error)} (line ${line}, column ${col})` };
  });
}

/** Finds keys written twice (YAML forbids them; parsers keep the last and lose the first) and aliases without an anchor. */
function structureProblems(document: Document.Parsed, lineAt: (node: Node) => number | undefined): Problem[] {
  const problems: Problem[] = [];
  const visit = (node: Node, path: Path): void => {
    if (isAlias(node)) {
      if (!node.resolve(document)) problems.push({ path: pathText(path), line: lineAt(node), message: 'refers to an anchor that is not there: a value that begins with * needs quotes' });
      return;
    }
    if (isSeq(node)) node.items.forEach((item, index) => visit(item as Node, [...path, index]));
    if (!isMap(node)) return;
    const firstLines = new Map<string, number | undefined>();
    for (const pair of node.items) {
      const key = keyText(pair.key as Node);
      const line = lineAt(pair.key as Node);
      if (firstLines.has(key)) problems.push({ path: pathText([...path, key]), line, message: `is written twice, first in line ${firstLines.get(key)}: delete one` });
      else firstLines.set(key, line);
      if (!isScalar(pair.key)) problems.push({ path: pathText(path), line, message: 'has a key that is a list or a section: write a plain name' });
      // Reading past it would be silent: objects treat this key as their prototype.
      if (key === '__proto__') problems.push({ path: pathText([...path, key]), line, message: 'is not a name that can be used: choose another' });
      visit(pair.value as Node, [...path, key]);
    }
  };
  visit(document.contents, []);
  return problems;
}

function keyText(node: Node): string {
  return isScalar(node) ? String(node.value) : '?';
}

/** Reads YAML 1.2. */
export function readSource(text: string): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, logLevel: 'error' });
  const lineAt = (node: Node): number | undefined => (node?.range ? lines.linePos(node.range[0]).line : undefined);

  const lineOf = (path: Path): number | undefined => {
    let node: Node = document.contents;
    let line: number | undefined;
    for (const part of path) {
      if (isAlias(node)) node = node.resolve(document) as Node;
      if (isMap(node)) {
        const pair = node.items.find((item) => keyText(item.key as Node) === String(part));
        if (!pair) return line;
        line = lineAt(pair.key as Node);
        node = pair.value as Node;
      } else if (isSeq(node) && node.items[Number(part)] !== undefined) {
        node = node.items[Number(part)] as Node;
        line = lineAt(node);
      } else return line;
    }
    return line;
  };

  const syntax = syntaxProblems(document, lines);
  if (syntax.length > 0) return { value: undefined, problems: syntax, lineOf };
  const structure = structureProblems(document, lineAt);
  try {
    return { value: document.toJS(), problems: structure, lineOf };
  } catch {
    // Either reported above (an alias without anchor) or a "billion laughs" text.
    const bomb = { path: '', line: undefined, message: 'cannot be expanded: too many aliases' };
    return { value: undefined, problems: structure.length > 0 ? structure : [bomb], lineOf };
  }
}
