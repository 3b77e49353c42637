// Checks for clients that run in Node.
//
//     const checks = new Checks('OpenAI SDK for Node', version);
//     checks.add('streams', 'a stream arrives in pieces', async () => { … });
//     await checks.run();
//
// Those with `{ long: true }` as their last argument wait for something and run side by side, the others one after the
// other meanwhile. What was exercised (the first argument) goes into the table of clients when all its checks passed.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual, promisify } from 'node:util';

export const { REPLIBRIDGE_URL: URL_WITHOUT_V1, REPLIBRIDGE_KEY: KEY, SIM_URL, RESULTS, name: NAME } = process.env;

const show = (value) => JSON.stringify(value, (_, one) => (one === undefined ? 'undefined' : one));

export function equal(actual, expected, what = 'the value') {
  if (!isDeepStrictEqual(actual, expected)) throw new Error(`${what} is ${show(actual)} and not ${show(expected)}`);
}

export function truthy(value, what) {
  if (!value) throw new Error(what);
}

// What the simulated Replicate knows of the predictions with that prompt.
export async function predictions(prompt) {
  const found = [];
  for (let url = `${SIM_URL}/predictions`; url; ) {
    const page = await (await fetch(url, { headers: { Authorization: 'Bearer test-token' } })).json();
    found.push(...page.results.filter((one) => JSON.stringify(one.input).includes(prompt)));
    url = page.next;
  }
  return found;
}

// The only prediction with that prompt comes to that end.
export async function endsAs(prompt, status, seconds = 5) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = (await predictions(prompt)).map((one) => one.status);
    if (isDeepStrictEqual(found, [status])) return;
    truthy(Date.now() < deadline, `the predictions are ${show(found)} and not one, ${status}, after ${seconds} s`);
    await pause(50);
  }
}

// Runs the block of that page of the repository, as its readers do, with the address and the key of this test.
export async function printsAsDocumented(page, heading, expected) {
  const { CHECKS, SCRATCH } = process.env;
  const run = promisify(execFile);
  const file = join(SCRATCH, 'documented.mjs');
  const block = await run('python3', [join(CHECKS, '../../docs/snippet.py'), page, heading, 'js']);
  writeFileSync(file, block.stdout);
  equal((await run(process.execPath, [file], { timeout: 60_000 })).stdout.trim(), expected, 'the output');
}

export class Checks {
  #checks = [];
  #passed = new Map();

  constructor(client, version) {
    this.client = client;
    this.version = version;
  }

  add(exercised, sentence, body, { long = false } = {}) {
    this.#checks.push({ exercised, sentence, body, long });
    if (!this.#passed.has(exercised)) this.#passed.set(exercised, true);
  }

  async #runOne({ exercised, sentence, body }) {
    try {
      await body();
      console.log(`ok ${NAME}: ${sentence}`);
    } catch (error) {
      this.#passed.set(exercised, false);
      const why = `${error?.constructor?.name}: ${error?.message ?? error}`.replace(/\s+/g, ' ').slice(0, 500);
      console.log(`not ok ${NAME}: ${sentence}: ${why}`);
      console.error(error);
    }
  }

  // Runs all and sets the exit code.
  async run() {
    const waiting = this.#checks.filter((one) => one.long).map((one) => this.#runOne(one));
    for (const one of this.#checks.filter((one) => !one.long)) await this.#runOne(one);
    await Promise.all(waiting);
    const exercised = [...this.#passed].filter(([, passed]) => passed).map(([what]) => what);
    const result = { client: this.client, version: this.version, exercised };
    writeFileSync(`${RESULTS}/${NAME}.json`, JSON.stringify(result, null, 2));
    process.exitCode = exercised.length === this.#passed.size ? 0 : 1;
  }
}
