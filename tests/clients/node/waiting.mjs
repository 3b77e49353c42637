// Models that take 20 s to boot.
import { equal, predictions, truthy } from './checks.mjs';
import { ask, askStream, checks, collect, make, textOf, user } from './sdk.mjs';

const longCheck = (sentence, prompt, answerTo) =>
  checks.add('models that boot for 20 s', sentence, async () => {
    const began = performance.now();
    equal(await answerTo(make({ maxRetries: 2 }), prompt), 'Booted at last.');
    truthy(performance.now() - began > 19_000, 'it did not boot');
    equal((await predictions(prompt)).length, 1, 'the number of predictions');
  }, { long: true });

longCheck('a whole answer waits for a model that boots', 'boot, whole', async (client, prompt) =>
  (await ask(client, 'boots', prompt)).choices[0].message.content,
);

longCheck('a stream waits for a model that boots', 'boot, streamed', async (client, prompt) =>
  textOf(await collect(askStream(client, 'boots', prompt))),
);

longCheck('the stream helper waits for a model that boots', 'boot, helped', (client, prompt) =>
  client.chat.completions.stream({ model: 'boots', messages: user(prompt) }).finalContent(),
);

longCheck('a stream outlives a timeout that is shorter than the boot', 'boot, signs of life', async (client, prompt) =>
  textOf(await collect(askStream(client, 'boots', prompt, {}, { timeout: 12_000 }))),
);
