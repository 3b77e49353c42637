// Models that take 20 s to boot.
import { equal, predictions, truthy } from './checks.mjs';
import { checks, inPage } from './browser.mjs';

const longCheck = (sentence, prompt, answerTo) =>
  checks.add('models that boot for 20 s', sentence, async () => {
    const began = performance.now();
    equal(await inPage(answerTo, prompt), 'Booted at last.');
    truthy(performance.now() - began > 19_000, 'it did not boot');
    equal((await predictions(prompt)).length, 1, 'the number of predictions');
  }, { long: true });

longCheck('a whole answer waits for a model that boots', 'boot, whole', async (prompt) =>
  (await (await ask('boots', prompt)).json()).choices[0].message.content,
);

longCheck('a stream waits for a model that boots', 'boot, streamed', async (prompt) =>
  textOf(await collect(await ask('boots', prompt, { more: { stream: true } }))),
);

longCheck("the SDK's stream helper waits for a model that boots", 'boot, helped', (prompt) =>
  make().chat.completions.stream({ model: 'boots', messages: user(prompt) }).finalContent(),
);
