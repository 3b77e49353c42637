// LangChain for JavaScript: all checks, which the other files of this folder hold by subject.
import { strangers } from './loopback.mjs';
import './answers.mjs';
import './errors.mjs';
import './waiting.mjs';
import { equal } from './checks.mjs';
import { checks } from './chat.mjs';

checks.add('invoke', 'nobody else was spoken with', () => equal(strangers, []));
await checks.run();
