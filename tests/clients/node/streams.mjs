// Streamed answers.
import { APIError, UnprocessableEntityError } from 'openai';

import { equal, truthy } from './checks.mjs';
import { caught } from './errors.mjs';
import { WRITTEN, askStream, checks, collect, make, textOf, user } from './sdk.mjs';

checks.add('streams', 'a stream brings the whole text and ends in order', async () => {
  const chunks = await collect(askStream(make(), 'writer'));
  equal(textOf(chunks), WRITTEN);
  equal(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.object} ${chunk.model}`)).size, 1, 'the number of ids');
  equal(chunks[0].object, 'chat.completion.chunk');
  equal(chunks[0].choices[0].delta.role, 'assistant');
  equal(chunks.filter((chunk) => chunk.choices[0].delta.role).length, 1, 'the number of roles');
  equal(chunks.filter((chunk) => chunk.choices[0].finish_reason).length, 1, 'the number of ends');
  equal(chunks.at(-1).choices[0].finish_reason, 'stop');
  truthy(chunks.every((chunk) => !('usage' in chunk)), 'there is a usage that nobody asked for');
});

// That they come while the model still writes is seen where a stream without end is left half-way.
checks.add('streams', 'each piece that the model writes is a chunk of its own', async () => {
  const chunks = await collect(askStream(make(), 'writer'));
  equal(chunks.filter((chunk) => chunk.choices[0].delta.content).length, 6, 'the number of pieces');
});

checks.add('streams', 'a stream carries any script', async () => {
  const prompt = 'Grüße, 世界 🌍🏽!';
  equal(textOf(await collect(askStream(make(), 'echo', prompt))), `You said: ${prompt}`);
});

checks.add('streams', 'a stream goes through a readable stream and tee', async () => {
  const [left, right] = (await askStream(make(), 'writer')).tee();
  const lines = (await new Response(left.toReadableStream()).text()).trim().split('\n');
  equal(textOf(lines.map((line) => JSON.parse(line))), WRITTEN);
  equal(textOf(await collect(right)), WRITTEN);
});

checks.add('usage', 'include_usage adds a last chunk without choices', async () => {
  const chunks = await collect(askStream(make(), 'echo', 'two words', { stream_options: { include_usage: true } }));
  equal(new Set(chunks.slice(0, -1).map((chunk) => chunk.usage)), new Set([null]));
  equal(chunks.at(-1).choices, []);
  equal([chunks.at(-1).usage.prompt_tokens, chunks.at(-1).usage.completion_tokens], [2, 4]);
});

checks.add('reasoning', 'reasoning is streamed before the answer', async () => {
  const chunks = await collect(askStream(make(), 'thinker'));
  equal(textOf(chunks, 'reasoning_content'), 'First I think. Then I answer.');
  equal(textOf(chunks), 'The answer is 42.');
  const lastThought = chunks.findLastIndex((chunk) => chunk.choices[0].delta.reasoning_content);
  const firstText = chunks.findIndex((chunk) => chunk.choices[0].delta.content);
  truthy(lastThought < firstText, 'text came before a thought');
});

checks.add('chat.completions.stream', 'the stream helper emits events and puts the answer together', async () => {
  const seen = { chunks: 0, text: '', done: [], ends: 0 };
  const runner = make().chat.completions.stream({
    model: 'writer',
    messages: user('hello'),
    stream_options: { include_usage: true },
  });
  runner.on('chunk', () => seen.chunks++);
  runner.on('content', (delta) => (seen.text += delta));
  runner.on('content.done', ({ content }) => seen.done.push(content));
  runner.on('end', () => seen.ends++);
  const completion = await runner.finalChatCompletion();
  equal(completion.choices[0].message.content, WRITTEN);
  equal(completion.choices[0].finish_reason, 'stop');
  equal(await runner.finalContent(), WRITTEN);
  equal((await runner.totalUsage()).completion_tokens, 6);
  await runner.done();
  equal([seen.text, seen.done, seen.ends], [WRITTEN, [WRITTEN], 1]);
  truthy(seen.chunks > 6, `there were ${seen.chunks} chunks`);
});

checks.add('chat.completions.stream', 'the stream helper can be iterated', async () => {
  const chunks = await collect(make().chat.completions.stream({ model: 'thinker', messages: user('hello') }));
  equal(textOf(chunks), 'The answer is 42.');
});

checks.add('chat.completions.stream', 'the stream helper emits the error of a failure in mid-stream', async () => {
  const runner = make().chat.completions.stream({ model: 'breaking', messages: user('hello') });
  const errors = [];
  runner.on('error', (error) => errors.push(error.code));
  await caught(APIError, () => runner.finalChatCompletion());
  equal(errors, ['prediction_failed']);
});

checks.add('withResponse', 'withResponse shows the headers of a stream', async () => {
  const { data, response } = await askStream(make(), 'writer').withResponse();
  equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  equal(response.headers.get('cache-control'), 'no-cache');
  equal(textOf(await collect(data)), WRITTEN);
});

checks.add('errors in streams', 'a failure in mid-stream is thrown after the text before it', async () => {
  let text = '';
  const error = await caught(APIError, async () => {
    for await (const chunk of await askStream(make(), 'breaking')) text += chunk.choices[0].delta.content ?? '';
  });
  equal(text, 'This will not ');
  equal([error.status, error.type, error.param, error.code], [undefined, 'server_error', null, 'prediction_failed']);
  truthy(error.message.includes('The model fell asleep in mid-sentence.'), error.message);
});

checks.add('errors in streams', 'a failure before any text has its status', async () => {
  const error = await caught(UnprocessableEntityError, () => askStream(make(), 'failing'));
  equal([error.status, error.code], [422, 'prediction_failed']);
});
