// Streamed answers.
import { APIError, UnprocessableEntityError } from 'openai';

import { equal, truthy } from './checks.mjs';
import { caught } from './errors.mjs';
import { WRITTEN, askStream, checks, collect, make, textOf } from './gateway.mjs';

checks.add('streams', 'a stream brings the whole text and ends in order', async () => {
  const chunks = await collect(askStream(make(), 'writer'));
  equal(textOf(chunks), WRITTEN);
  equal(new Set(chunks.map((chunk) => `${chunk.id} ${chunk.object} ${chunk.model}`)).size, 1, 'the number of ids');
  equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

checks.add('streams', 'each piece that the model writes is a chunk of its own', async () => {
  const chunks = await collect(askStream(make(), 'writer'));
  equal(chunks.filter((chunk) => chunk.choices[0].delta.content).length, 6, 'the number of pieces');
});

// The gateway does not notice that its client has left, and reads on. The end of the gateway ends it.
checks.add('streams', 'pieces come while the model still writes', async () => {
  let text = '';
  for await (const chunk of await askStream(make(), 'endless'))
    if ((text += chunk.choices[0].delta.content ?? '').length > 30) break;
  truthy(text.startsWith('on and on and '), `the text is ${text}`);
});

checks.add('usage', 'the usage of a stream comes through', async () => {
  const chunks = await collect(askStream(make(), 'echo', 'two words', { stream_options: { include_usage: true } }));
  equal([chunks.at(-1).usage.prompt_tokens, chunks.at(-1).usage.completion_tokens], [2, 4]);
});

checks.add('reasoning', 'reasoning is streamed before the answer', async () => {
  const chunks = await collect(askStream(make(), 'thinker'));
  equal([textOf(chunks, 'reasoning_content'), textOf(chunks)], ['First I think. Then I answer.', 'The answer is 42.']);
  const lastThought = chunks.findLastIndex((chunk) => chunk.choices[0].delta.reasoning_content);
  const firstText = chunks.findIndex((chunk) => chunk.choices[0].delta.content);
  truthy(lastThought < firstText, 'text came before a thought');
});

checks.add('errors in streams', 'a failure in mid-stream comes after the text before it', async () => {
  let text = '';
  const error = await caught(APIError, async () => {
    for await (const chunk of await askStream(make(), 'breaking')) text += chunk.choices[0].delta.content ?? '';
  });
  equal([text, error.code], ['This will not ', 'prediction_failed']);
  truthy(error.message.includes('The model fell asleep in mid-sentence.'), error.message);
});

checks.add('errors in streams', 'a failure before any text has its status', async () => {
  const error = await caught(UnprocessableEntityError, () => askStream(make(), 'failing'));
  equal([error.status, error.code], [422, 'prediction_failed']);
});
