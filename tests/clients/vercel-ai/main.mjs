// Vercel's AI SDK: all checks, which the other files of this folder hold by subject, with each of the two providers.
import { strangers } from './loopback.mjs';
import { addAnswers } from './answers.mjs';
import { equal, printsAsDocumented } from './checks.mjs';
import { addErrors } from './errors.mjs';
import { WRITTEN, checks, providers } from './providers.mjs';
import { addWaiting } from './waiting.mjs';

for (const provider of providers) {
  addAnswers(provider);
  addErrors(provider);
  addWaiting(provider);
}
checks.add('streamText', 'the example of the documentation works', () =>
  printsAsDocumented('docs/use-with.md', 'Vercel AI SDK', WRITTEN),
);
checks.add('generateText', 'nobody else was spoken with', () => equal(strangers, []));
await checks.run();
