// Clients that do not wait for the end: predictions that nobody waits for are cancelled.
import { setTimeout as pause } from 'node:timers/promises';

import { APIUserAbortError } from 'openai';

import { endsAs, equal, predictions, truthy } from './checks.mjs';
import { caught } from './errors.mjs';
import { WRITTEN, ask, askStream, checks, make, user } from './sdk.mjs';

checks.add('leaving early', 'a stream that is left half-way cancels its prediction', async () => {
  let pieces = 0;
  for await (const chunk of await askStream(make(), 'endless', 'left half-way'))
    if (chunk.choices[0].delta.content && ++pieces === 5) break;
  await endsAs('left half-way', 'canceled');
});

checks.add('leaving early', "a stream's own controller cancels its prediction", async () => {
  const stream = await askStream(make(), 'endless', 'own controller');
  for await (const chunk of stream) if (chunk.choices[0].delta.content) stream.controller.abort();
  await endsAs('own controller', 'canceled');
});

checks.add('leaving early', 'an abort signal cancels a whole answer', async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 1000);
  await caught(APIUserAbortError, () =>
    ask(make(), 'endless', 'aborted whole', {}, { signal: controller.signal }),
  );
  await endsAs('aborted whole', 'canceled');
});

checks.add('leaving early', 'aborting the stream helper cancels its prediction', async () => {
  const runner = make().chat.completions.stream({ model: 'endless', messages: user('aborted helper') });
  runner.once('content', () => runner.abort());
  await caught(APIUserAbortError, () => runner.done());
  await endsAs('aborted helper', 'canceled');
});

checks.add('leaving early', 'the client goes on after it has left a stream', async () => {
  const client = make();
  for await (const chunk of await askStream(client, 'endless', 'left, and on')) if (chunk) break;
  equal((await ask(client, 'writer')).choices[0].message.content, WRITTEN);
  await endsAs('left, and on', 'canceled');
});

checks.add('leaving early', 'a client that may come back is given ten seconds', async () => {
  for await (const chunk of await askStream(make(), 'patient', 'back in a minute')) if (chunk) break;
  await pause(6000);
  const statuses = (await predictions('back in a minute')).map((one) => one.status);
  truthy(statuses.length === 1 && statuses[0] === 'processing', `after 6 s the predictions are ${statuses}`);
  await endsAs('back in a minute', 'canceled', 8);
}, { long: true });
