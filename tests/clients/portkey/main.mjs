// Portkey's gateway in front of the daemon: all checks, which the other files of this folder hold by subject.
import './answers.mjs';
import './streams.mjs';
import './errors.mjs';
import './waiting.mjs';
import './strangers.mjs';
import { checks, startGateway, stopGateway } from './gateway.mjs';

await startGateway();
await checks.run();
await stopGateway();
