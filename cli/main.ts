/** Entry of the command line: finds the command, runs it, and turns every failure into one sentence and an exit code. */
import { realWorld } from '../config/world.ts';
import { COMMANDS, type Command, type Surroundings } from './commands.ts';
import { commandHelp, overview } from './help.ts';
import { CommandError, EXIT, type ExitCode, type Io, usageError } from './io.ts';
import { parseOptions } from './options.ts';
import { nearest } from './suggest.ts';
import { version } from '../proxy/net/version.ts';

/** The real standard streams, signals and clock. */
export function processIo(): Io {
  // A reader that left (`| head`) is not an error of ours.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(EXIT.ok);
      throw error;
    });
  }
  return {
    out: (text) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`),
    err: (text) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    readStdin: async () => {
      process.stdin.setEncoding('utf8');
      let text = '';
      for await (const chunk of process.stdin) text += String(chunk);
      return text;
    },
    onSignal: (handle) => {
      process.on('SIGINT', handle);
      process.on('SIGTERM', handle);
    },
    onHangup: (handle) => void process.on('SIGHUP', handle),
    world: realWorld,
  };
}

/** Runs one command line (without the program's name) and returns its exit code. Never throws. */
export async function main(args: readonly string[], io: Io, surroundings: Surroundings): Promise<ExitCode> {
  try {
    return await dispatch(args, io, surroundings);
  } catch (error) {
    io.err(`${sentenceFrom(error)}\n`);
    return error instanceof CommandError ? error.code : EXIT.failed;
  }
}

/** What a command says itself, or the first line of what else was thrown, with a capital (unless it begins with a name of a file or option) and a full stop. */
function sentenceFrom(error: unknown): string {
  const text = error instanceof CommandError ? error.message : ((error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '');
  const begun = /^[a-z]+ /.test(text) ? `${text.slice(0, 1).toUpperCase()}${text.slice(1)}` : text;
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}

async function dispatch(args: readonly string[], io: Io, surroundings: Surroundings): Promise<ExitCode> {
  const [first, ...rest] = args;
  if (first === '--help' || first === '-h' || first === 'help') {
    io.out(rest[0] === undefined ? overview(COMMANDS) : commandHelp(find(rest[0])));
    return EXIT.ok;
  }
  if (first === '--version') {
    io.out(version());
    return EXIT.ok;
  }
  const named = first !== undefined && !first.startsWith('-');
  const command = named ? find(first) : find(args.some((arg) => arg === '--config' || arg.startsWith('--config=')) ? 'start' : 'demo');
  const options = parseOptions(command, named ? rest : args);
  if (options.flags.has('help')) {
    io.out(commandHelp(command));
    return EXIT.ok;
  }
  return command.run(options, io, surroundings);
}

function find(name: string): Command {
  const command = COMMANDS.find((each) => each.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((each) => each.name);
  const near = nearest(name, names);
  throw usageError(`There is no command ${JSON.stringify(name)}; ${near === undefined ? `there are ${names.join(', ')}.` : `did you mean ${near}?`}`);
}
