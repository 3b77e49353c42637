// Chromium, and the server of its page. The page is not the daemon's: whatever it asks is a question across origins.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

import { chromium } from 'playwright-core';

import { Checks, KEY, URL_WITHOUT_V1 } from './checks.mjs';

const { SCRATCH } = process.env;

export const WRITTEN = 'Slow models are worth waiting for.';

// The page, and the SDK as it is: it needs no bundler.
async function serve(request, response) {
  const path = new URL(request.url, 'http://page').pathname.replaceAll('..', '');
  const file = path.startsWith('/openai/') ? `${SCRATCH}/node_modules${path}` : `${SCRATCH}/page.html`;
  try {
    const content = await readFile(file);
    response.writeHead(200, { 'Content-Type': file.endsWith('.mjs') ? 'text/javascript' : 'text/html' }).end(content);
  } catch {
    response.writeHead(404).end();
  }
}

const server = createServer(serve);
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const here = `127.0.0.1:${server.address().port}`;

// The origin that daemon.yaml allows, and one that it does not, are both this server. Nothing else has an address.
const names = [`MAP page.example ${here}`, `MAP other.example ${here}`, 'MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'];

// Playwright gives it a new folder of its own for the user's data.
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    `--host-resolver-rules=${names.join(', ')}`,
  ],
});

export const checks = new Checks('Browser (Chromium)', browser.version());

// An empty page of its own, with Playwright's options.
export async function newPage(options) {
  const page = await browser.newPage(options);
  page.setDefaultTimeout(120_000);
  return page;
}

export async function open({ origin = 'http://page.example', key = KEY } = {}) {
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000); // a busy machine takes its time to draw even an empty page
  await page.goto(`${origin}/#${new URLSearchParams({ url: URL_WITHOUT_V1, key })}`);
  await page.waitForFunction(() => window.ready);
  return page;
}

// What the function, which runs in a page of its own, returns.
export async function inPage(run, argument, options) {
  const page = await open(options);
  try {
    return await page.evaluate(run, argument);
  } finally {
    await page.close();
  }
}

export async function closeBrowser() {
  await browser.close();
  server.close();
}
