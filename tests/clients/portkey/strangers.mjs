// Whom the gateway speaks with.
import { equal } from './checks.mjs';
import { checks, strangers } from './gateway.mjs';

checks.add('no other hosts', 'the gateway speaks with nobody but the daemon', async () => {
  equal(await strangers(), []);
});
