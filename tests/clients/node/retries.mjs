// Retries of the SDK itself: a client that waits too short a time is given the prediction of its first try.
import { equal, predictions } from './checks.mjs';
import { ask, askStream, checks, collect, make, textOf } from './sdk.mjs';

const impatient = (sentence, prompt, answerTo) =>
  checks.add('retries that join', sentence, async () => {
    equal(await answerTo(make({ timeout: 1000, maxRetries: 5 }), prompt), 'It took four seconds.');
    equal((await predictions(prompt)).map((one) => one.status), ['succeeded'], 'the predictions');
  }, { long: true });

impatient('a timeout of a second and a model of four cost one prediction', 'impatient, whole', async (client, prompt) =>
  (await ask(client, 'slow', prompt)).choices[0].message.content,
);

impatient('a streaming retry is told everything from the first piece', 'impatient, streamed', async (client, prompt) =>
  textOf(await collect(askStream(client, 'slow', prompt))),
);

checks.add('retries that join', 'an idempotency key is one prediction', async () => {
  for (let i = 0; i < 2; i++) await ask(make(), 'echo', 'only once, by key', {}, { headers: { 'Idempotency-Key': 'the-same' } });
  equal((await predictions('only once, by key')).length, 1, 'the number of predictions');
});
