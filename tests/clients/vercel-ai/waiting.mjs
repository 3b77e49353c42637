// Models that take 20 s to boot.
import { generateText, streamText } from 'ai';

import { equal, predictions, truthy } from './checks.mjs';
import { checks } from './providers.mjs';

async function boots(prompt, answer) {
  const began = performance.now();
  equal(await answer, 'Booted at last.');
  truthy(performance.now() - began > 19_000, 'it did not boot');
  equal((await predictions(prompt)).length, 1, 'the number of predictions');
}

export function addWaiting({ title, make }) {
  const add = (sentence, body) =>
    checks.add('models that boot for 20 s', `${title}: ${sentence}`, body, { long: true });

  add('a whole answer waits for a model that boots', () => {
    const prompt = `${title} boot, whole`;
    return boots(prompt, generateText({ model: make('boots'), prompt }).then(({ text }) => text));
  });

  add('a stream waits for a model that boots', () => {
    const prompt = `${title} boot, streamed`;
    return boots(prompt, streamText({ model: make('boots'), prompt }).text);
  });
}
