// Models that take 20 s to boot.
import { equal, predictions, truthy } from './checks.mjs';
import { checks, collect, make } from './chat.mjs';

async function boots(prompt, answer) {
  const began = performance.now();
  equal((await answer).content, 'Booted at last.');
  truthy(performance.now() - began > 19_000, 'it did not boot');
  equal((await predictions(prompt)).length, 1, 'the number of predictions');
}

// As it comes: six retries, and no timeout.
const model = () => make('boots', { maxRetries: undefined });

checks.add(
  'models that boot for 20 s',
  'a whole answer waits for a model that boots',
  () => boots('boot, whole', model().invoke('boot, whole')),
  { long: true },
);

checks.add(
  'models that boot for 20 s',
  'a stream waits for a model that boots',
  () => boots('boot, streamed', collect(model().stream('boot, streamed')).then(({ whole }) => whole)),
  { long: true },
);
