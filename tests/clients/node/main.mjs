// The official OpenAI SDK for Node: all checks, which the other files of this folder hold by subject.
import './whole.mjs';
import './streams.mjs';
import './models.mjs';
import './errors.mjs';
import './leaving.mjs';
import './retries.mjs';
import './vision.mjs';
import './connections.mjs';
import './waiting.mjs';
import { checks } from './sdk.mjs';

await checks.run();
