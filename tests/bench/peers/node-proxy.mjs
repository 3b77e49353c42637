// The proxy that one writes in an afternoon: OpenAI's chat completions from Replicate's predictions, with nothing but
// Node's standard library. It keeps its connections, polls each half second, and streams; it has no limits, no logs, no
// metrics, and does not notice that a client has left.
//
//   node node-proxy.mjs PORT UPSTREAM_PORT
import http from 'node:http';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const POLL_MS = 500;
const TERMINAL = new Set(['succeeded', 'failed', 'canceled', 'aborted']);
const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 1024, scheduling: 'lifo' });
const streams = new http.Agent({ keepAlive: true, maxSockets: Infinity });

function connect(method, path, { body, headers = {}, through = agent } = {}) {
  return new Promise((resolve, reject) => {
    const all = { authorization: 'Bearer test-token', ...headers };
    if (body !== undefined) {
      all['content-type'] = 'application/json';
      all['content-length'] = Buffer.byteLength(body);
    }
    const request = http.request({ host: '127.0.0.1', port: upstreamPort, method, path, headers: all, agent: through });
    request.on('response', resolve).on('error', reject).end(body);
  });
}

async function textOf(message) {
  const chunks = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const ask = async (method, path, body) => JSON.parse(await textOf(await connect(method, path, { body })));

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What Replicate's usual chat models take.
function inputOf({ messages, max_tokens, temperature }) {
  const input = { prompt: '', max_tokens, temperature };
  for (const { role, content } of messages) {
    const parts = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
    for (const part of parts) {
      if (part.type === 'image_url') input.image = part.image_url.url;
      else if (role === 'system') input.system_prompt = part.text;
      else input.prompt += part.text;
    }
  }
  return input;
}

function completionOf(prediction, model) {
  const content = Array.isArray(prediction.output) ? prediction.output.join('') : String(prediction.output ?? '');
  const { input_token_count: prompt = 0, output_token_count: completion = 0 } = prediction.metrics ?? {};
  return {
    id: `chatcmpl-${prediction.id}`,
    object: 'chat.completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: [{ index: 0, message: { role: 'assistant', content }, logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion },
  };
}

async function answerWhole(prediction, question, response) {
  let current = prediction;
  while (!TERMINAL.has(current.status)) {
    await pause(POLL_MS);
    current = await ask('GET', `/v1/predictions/${prediction.id}`);
  }
  const body = JSON.stringify(completionOf(current, question.model));
  const status = current.status === 'succeeded' ? 200 : 502;
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

// An event is a few lines and an empty one; it may come cut anywhere.
async function answerStream(prediction, question, response) {
  const chunk = (delta, finish_reason = null) =>
    `data: ${JSON.stringify({
      id: `chatcmpl-${prediction.id}`,
      object: 'chat.completion.chunk',
      created: Math.floor(Date.now() / 1000),
      model: question.model,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    })}\n\n`;
  const path = new URL(prediction.urls.stream).pathname;
  const events = await connect('GET', path, { headers: { accept: 'text/event-stream' }, through: streams });
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.write(chunk({ role: 'assistant', content: '' }));
  let rest = '';
  for await (const bytes of events) {
    const blocks = (rest + bytes).split('\n\n');
    rest = blocks.pop();
    for (const block of blocks) {
      const [, type] = /^event: (.*)$/m.exec(block) ?? [];
      const [, data] = /^data: (.*)$/m.exec(block) ?? [];
      if (type === 'output') response.write(chunk({ content: data }));
    }
  }
  response.end(`${chunk({}, 'stop')}data: [DONE]\n\n`);
}

async function answer(request, response) {
  const question = JSON.parse(await textOf(request));
  const body = JSON.stringify({ input: inputOf(question) });
  const prediction = await ask('POST', '/v1/models/bench/instant/predictions', body);
  await (question.stream ? answerStream : answerWhole)(prediction, question, response);
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (!response.headersSent) response.writeHead(502, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: error.message } }));
  });
});
server.keepAliveTimeout = 600_000;
server.requestTimeout = 0;
server.listen({ port, host: '127.0.0.1', backlog: 4096 });
