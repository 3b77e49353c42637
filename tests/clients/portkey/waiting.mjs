// Models that take 20 s to boot.
import { equal, predictions, truthy } from './checks.mjs';
import { ask, askStream, checks, collect, make, textOf } from './gateway.mjs';

const longCheck = (sentence, prompt, answerTo) =>
  checks.add('models that boot for 20 s', sentence, async () => {
    const began = performance.now();
    equal(await answerTo(prompt), 'Booted at last.');
    truthy(performance.now() - began > 19_000, 'it did not boot');
    equal((await predictions(prompt)).length, 1, 'the number of predictions');
  }, { long: true });

longCheck('a whole answer waits for a model that boots', 'boot, whole', async (prompt) =>
  (await ask(make(), 'boots', prompt)).choices[0].message.content,
);

longCheck('a stream waits for a model that boots', 'boot, streamed', async (prompt) =>
  textOf(await collect(askStream(make(), 'boots', prompt))),
);

const impatient = { 'x-portkey-request-timeout': '12000' };

longCheck('a stream outlives timeouts that are shorter than the boot', 'boot, signs of life', async (prompt) =>
  textOf(await collect(askStream(make(impatient, { timeout: 12_000 }), 'boots', prompt))),
);
